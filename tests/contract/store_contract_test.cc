// What every Store must do; run over the store in memory and the one in PostgreSQL.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "services/coordinator/store/memory_store.h"
#include "services/coordinator/store/postgres/postgres_store.h"
#include "services/coordinator/store/store.h"
#include "tests/support/private_postgres.h"
#include "tests/support/status_matchers.h"

namespace dovetail::store {
namespace {

using ::testing::_;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::StatusIs;

// Opens another store over the same, at first empty, database: another process.
using OpenStore = std::function<std::unique_ptr<Store>()>;

struct Backend {
  const char* name;
  OpenStore (*make_database)();  // empty function where it cannot run here
};

OpenStore MakeMemoryBackend() {
  auto database = MakeMemoryDatabase();
  return [database] { return MakeMemoryStore(database); };
}

OpenStore MakePostgresBackend() {
  const auto cluster = testing::PrivatePostgres::Shared();
  if (absl::IsNotFound(cluster.status())) return nullptr;
  EXPECT_OK(cluster);
  const absl::StatusOr<std::string> database =
      cluster.ok() ? (*cluster)->CreateDatabase() : cluster.status();
  EXPECT_OK(database);
  return [database]() -> std::unique_ptr<Store> {
    if (!database.ok()) return nullptr;
    auto store = OpenPostgresStore({.connection_string = *database});
    EXPECT_OK(store);
    return store.ok() ? *std::move(store) : nullptr;
  };
}

class StoreContractTest : public ::testing::TestWithParam<Backend> {
 protected:
  void SetUp() override {
    open_ = GetParam().make_database();
    if (!open_) GTEST_SKIP() << "no PostgreSQL server binaries here";
    store_ = open_();
    ASSERT_NE(store_, nullptr);
    ASSERT_OK(store_->BecomeLeader("first:1"));
  }

  OpenStore open_;
  std::unique_ptr<Store> store_;
};

JobRecord MakeJob(int64_t id, JobState state = JobState::kRunning) {
  JobRecord job;
  job.id = id;
  job.tenant = "physics";
  job.name = "jets \"quoted\" \\ back,slash {brace} \t tab";
  job.spec_json = R"({"name":"jets","note":"a\u0001b"})";
  job.state = state;
  job.message = "line one\nline two";
  job.summary.Set("network", Value::Map{{"layers", Value::List{1, 2.5, "three"}}});
  job.created_ms = 1'700'000'000'123;
  return job;
}

Trial MakeTrial(int64_t job_id, int number, TrialState state = TrialState::kRunning) {
  Trial trial;
  trial.job_id = job_id;
  trial.number = number;
  trial.state = state;
  trial.point = {{"bits", 6}, {"rate", 0.1}, {"order", Value::List{"P", "Q"}}};
  trial.suggested_from_event = 7;
  trial.suggestion_info.Set("acquisition", 0.125);
  trial.created_ms = 10;
  return trial;
}

Design MakeDesign(int index, double accuracy) {
  Design design;
  design.index = index;
  design.path = index == 0 ? "" : "wide/b";
  design.feasible = true;
  design.measurement.Put("accuracy", accuracy, "fraction", "fixed-point engine 1", 0.001);
  design.measurement.Put("lut", 12345, "count", "yosys 0.23");
  design.measurement.log.Set("layers", Value::List{"fc1", "fc2"});
  design.artifacts = {{"lower_rtl.rtl", std::string(64, 'a')},
                      {"quantize.network", std::string(64, 'b')}};
  return design;
}

ActionRecord MakeAction(const std::string& name, bool finished = false,
                        Outcome outcome = Outcome::kOk) {
  ActionRecord record;
  record.action.tenant = "physics";
  record.action.task = "prune";
  record.action.task_version = 3;
  record.action.parameters = Value::Map{{"rate", 0.25}, {"scope", name}};
  record.action.inputs = {{"network", std::string(64, 'c')}};
  record.action.seed = 0xFFFFFFFFFFFFFFFFULL;  // does not fit a double
  record.action.tools = {{"yosys", "0.23"}};
  record.action.capabilities = {"train", "gpu"};
  record.action.cpu_slots = 2;
  record.key = ActionKey(record.action);
  record.finished = finished;
  record.attempt_count = 4;
  record.created_ms = 5;
  if (finished) {
    record.finished_ms = 9;
    record.result.outcome = outcome;
    record.result.message = "said 'so'";
    record.result.measurement.Put("kept_fraction", 0.75, "fraction", "prune 3");
    record.result.outputs = {{"network", std::string(64, 'd')}};
    record.result.log_digest = std::string(64, 'e');
    record.result.tool_seconds = 1.5;
    record.result.peak_rss_bytes = int64_t{3} << 40;
  }
  return record;
}

TaskRunRecord MakeTaskRun(int64_t job_id, int trial, int task_run, const std::string& key) {
  TaskRunRecord run;
  run.job_id = job_id;
  run.trial = trial;
  run.task_run = task_run;
  run.node = "prune";
  run.path = "orders/PQ";
  run.iteration = 2;
  run.action_key = key;
  run.created_ms = 11;
  return run;
}

EventRecord MakeEvent(int64_t job_id, int64_t sequence) {
  EventRecord event;
  event.job_id = job_id;
  event.sequence = sequence;
  event.type = "trial_created";
  event.payload.Set("trial", sequence);
  event.created_ms = 100 + sequence;
  return event;
}

TEST_P(StoreContractTest, EmptyDatabaseLoadsNothing) {
  ASSERT_OK_AND_ASSIGN(const LeaderState state, store_->Load());
  EXPECT_THAT(state.jobs, IsEmpty());
  EXPECT_THAT(state.workers, IsEmpty());
  EXPECT_EQ(state.next_job_id, 1);
}

TEST_P(StoreContractTest, JobRoundTripsAndPutReplaces) {
  JobRecord job = MakeJob(3);
  ASSERT_OK(store_->Commit({job}));
  ASSERT_OK_AND_ASSIGN(JobRecord read, store_->GetJob(3));
  EXPECT_EQ(read.tenant, job.tenant);
  EXPECT_EQ(read.name, job.name);
  EXPECT_EQ(read.spec_json, job.spec_json);
  EXPECT_EQ(read.state, JobState::kRunning);
  EXPECT_EQ(read.message, job.message);
  EXPECT_EQ(read.summary, job.summary);
  EXPECT_EQ(read.created_ms, job.created_ms);
  EXPECT_EQ(read.finished_ms, 0);
  job.state = JobState::kSucceeded;
  job.finished_ms = 42;
  ASSERT_OK(store_->Commit({job}));
  ASSERT_OK_AND_ASSIGN(read, store_->GetJob(3));
  EXPECT_EQ(read.state, JobState::kSucceeded);
  EXPECT_EQ(read.finished_ms, 42);
}

TEST_P(StoreContractTest, UnknownJobOrTrialIsNotFound) {
  EXPECT_THAT(store_->GetJob(9), StatusIs(absl::StatusCode::kNotFound, HasSubstr("9")));
  EXPECT_THAT(store_->GetTrial(9, 1), StatusIs(absl::StatusCode::kNotFound, _));
}

TEST_P(StoreContractTest, RequestIdIsUniqueWithinTheTenant) {
  JobRecord first = MakeJob(1), second = MakeJob(2), elsewhere = MakeJob(3);
  first.request_id = second.request_id = elsewhere.request_id = "r-1";
  elsewhere.tenant = "other";
  ASSERT_OK(store_->Commit({first, elsewhere}));
  EXPECT_THAT(store_->Commit({second}), StatusIs(absl::StatusCode::kAlreadyExists, _));
  ASSERT_OK(store_->Commit({first}));  // the same job again is no conflict
  ASSERT_OK_AND_ASSIGN(const auto found, store_->FindJobByRequest("physics", "r-1"));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->id, 1);
  ASSERT_OK_AND_ASSIGN(const auto none, store_->FindJobByRequest("physics", "r-2"));
  EXPECT_FALSE(none.has_value());
}

TEST_P(StoreContractTest, EmptyRequestIdsDoNotCollide) {
  ASSERT_OK(store_->Commit({MakeJob(1), MakeJob(2)}));
  ASSERT_OK_AND_ASSIGN(const auto none, store_->FindJobByRequest("physics", ""));
  EXPECT_FALSE(none.has_value());
}

TEST_P(StoreContractTest, JobsAreListedNewestFirstInPages) {
  JobRecord other = MakeJob(4);
  other.tenant = "other";
  ASSERT_OK(store_->Commit({MakeJob(1), MakeJob(2), MakeJob(3), other}));
  const auto ids = [&](const std::string& tenant, int64_t before, int limit) {
    std::vector<int64_t> list;
    auto jobs = store_->ListJobs(tenant, before, limit);
    EXPECT_OK(jobs);
    for (const JobRecord& job : *jobs) list.push_back(job.id);
    return list;
  };
  EXPECT_THAT(ids("physics", 0, 0), ElementsAre(3, 2, 1));
  EXPECT_THAT(ids("", 0, 0), ElementsAre(4, 3, 2, 1));
  EXPECT_THAT(ids("physics", 3, 1), ElementsAre(2));
}

TEST_P(StoreContractTest, TrialRoundTripsWithItsDesigns) {
  Trial trial = MakeTrial(1, 5, TrialState::kSucceeded);
  trial.realised_cfg.Set("tolerance", 0.01);
  trial.message = "done";
  trial.tool_seconds = 12.5;
  trial.finished_ms = 77;
  trial.finished_event = 12;
  trial.designs = {MakeDesign(0, 0.76), MakeDesign(1, 0.74)};
  ASSERT_OK(store_->Commit({MakeJob(1), trial}));
  ASSERT_OK_AND_ASSIGN(const Trial read, store_->GetTrial(1, 5));
  EXPECT_EQ(read.state, trial.state);
  EXPECT_EQ(read.point, trial.point);
  EXPECT_EQ(read.realised_cfg, trial.realised_cfg);
  EXPECT_EQ(read.suggested_from_event, 7);
  EXPECT_EQ(read.suggestion_info, trial.suggestion_info);
  EXPECT_EQ(read.tool_seconds, 12.5);
  EXPECT_EQ(read.finished_ms, 77);
  EXPECT_EQ(read.finished_event, 12);
  ASSERT_THAT(read.designs, SizeIs(2));
  for (int i : {0, 1}) {
    EXPECT_EQ(read.designs[i].index, i);
    EXPECT_EQ(read.designs[i].path, trial.designs[i].path);
    EXPECT_TRUE(read.designs[i].feasible);
    EXPECT_EQ(read.designs[i].measurement, trial.designs[i].measurement);
    EXPECT_EQ(read.designs[i].artifacts, trial.designs[i].artifacts);
  }
}

TEST_P(StoreContractTest, PutTrialReplacesItsDesigns) {
  Trial trial = MakeTrial(1, 1);
  trial.designs = {MakeDesign(0, 0.5), MakeDesign(1, 0.6)};
  ASSERT_OK(store_->Commit({MakeJob(1), trial}));
  trial.designs = {MakeDesign(0, 0.7)};
  trial.designs[0].measurement.metrics.erase("lut");
  ASSERT_OK(store_->Commit({trial}));
  ASSERT_OK_AND_ASSIGN(const Trial read, store_->GetTrial(1, 1));
  ASSERT_THAT(read.designs, SizeIs(1));
  EXPECT_EQ(read.designs[0].measurement, trial.designs[0].measurement);
}

TEST_P(StoreContractTest, LaterPutInOneBatchWins) {
  Trial early = MakeTrial(1, 1), late = MakeTrial(1, 1, TrialState::kSucceeded);
  early.designs = {MakeDesign(0, 0.1), MakeDesign(1, 0.2)};
  late.designs = {MakeDesign(0, 0.9)};
  JobRecord job = MakeJob(1), ended = MakeJob(1, JobState::kSucceeded);
  ASSERT_OK(store_->Commit({job, early, MakeAction("a"), ended, late, MakeAction("a", true)}));
  ASSERT_OK_AND_ASSIGN(const Trial read, store_->GetTrial(1, 1));
  EXPECT_EQ(read.state, TrialState::kSucceeded);
  ASSERT_THAT(read.designs, SizeIs(1));
  EXPECT_EQ(read.designs[0].measurement.Get("accuracy"), 0.9);
  ASSERT_OK_AND_ASSIGN(const auto actions, store_->FindActions({MakeAction("a").key}));
  ASSERT_THAT(actions, SizeIs(1));
  EXPECT_TRUE(actions[0].finished);
}

TEST_P(StoreContractTest, TrialsAreListedRisingWithFilter) {
  ASSERT_OK(store_->Commit({MakeJob(1), MakeTrial(1, 2, TrialState::kInfeasible), MakeTrial(1, 1),
                            MakeTrial(1, -1, TrialState::kSucceeded), MakeTrial(1, 10),
                            MakeTrial(2, 1)}));
  const auto numbers = [&](const TrialFilter& filter) {
    std::vector<int> list;
    auto trials = store_->ListTrials(filter);
    EXPECT_OK(trials);
    for (const Trial& trial : *trials) list.push_back(trial.number);
    return list;
  };
  EXPECT_THAT(numbers({.job_id = 1}), ElementsAre(-1, 1, 2, 10));
  EXPECT_THAT(numbers({.job_id = 1, .after_number = 1, .limit = 1}), ElementsAre(2));
  EXPECT_THAT(numbers({.job_id = 1, .state = TrialState::kRunning}), ElementsAre(1, 10));
}

TEST_P(StoreContractTest, ActionRoundTrips) {
  const ActionRecord action = MakeAction("a", true, Outcome::kConstraint);
  ASSERT_OK(store_->Commit({action}));
  ASSERT_OK_AND_ASSIGN(const auto found, store_->FindActions({action.key, action.key, "none"}));
  ASSERT_THAT(found, SizeIs(1));
  const ActionRecord& read = found[0];
  EXPECT_EQ(read.key, action.key);
  EXPECT_EQ(ActionKey(read.action), action.key);
  EXPECT_EQ(read.action.capabilities, action.action.capabilities);
  EXPECT_EQ(read.action.cpu_slots, 2);
  EXPECT_EQ(read.attempt_count, 4);
  EXPECT_EQ(read.result.outcome, Outcome::kConstraint);
  EXPECT_EQ(read.result.message, action.result.message);
  EXPECT_EQ(read.result.measurement, action.result.measurement);
  EXPECT_EQ(read.result.outputs, action.result.outputs);
  EXPECT_EQ(read.result.log_digest, action.result.log_digest);
  EXPECT_EQ(read.result.tool_seconds, 1.5);
  EXPECT_EQ(read.result.peak_rss_bytes, action.result.peak_rss_bytes);
  EXPECT_EQ(read.finished_ms, 9);
}

TEST_P(StoreContractTest, OnlyReusableFinishedActionsAreFound) {
  ActionRecord unique = MakeAction("bounded by seconds", true);
  unique.action.cacheable = false;
  const std::vector<ActionRecord> records = {MakeAction("unfinished"),
                                             MakeAction("infeasible", true, Outcome::kInfeasible),
                                             MakeAction("timeout", true, Outcome::kTimeout),
                                             MakeAction("bug", true, Outcome::kBug),
                                             MakeAction("cancelled", true, Outcome::kCancelled),
                                             unique};
  std::vector<Change> changes(records.begin(), records.end());
  ASSERT_OK(store_->Commit(changes));
  std::vector<std::string> keys;
  for (const ActionRecord& record : records) keys.push_back(record.key);
  ASSERT_OK_AND_ASSIGN(const auto found, store_->FindActions(keys));
  std::vector<std::string> scopes;
  for (const ActionRecord& record : found) {
    scopes.push_back(record.action.parameters["scope"].AsString());
  }
  EXPECT_THAT(scopes, ::testing::UnorderedElementsAre("infeasible"));
}

TEST_P(StoreContractTest, AttemptsAreListedRising) {
  AttemptRecord second{
      "k", 2, "worker-b", "completed", std::string(64, 'f'), Outcome::kTimeout, "ran 3600 s", 5, 6};
  AttemptRecord first{"k", 1, "worker-a", "leased"};
  ASSERT_OK(store_->Commit({second, first}));
  first.state = "expired";
  ASSERT_OK(store_->Commit({first}));
  ASSERT_OK_AND_ASSIGN(const auto attempts, store_->ListAttempts("k"));
  ASSERT_THAT(attempts, SizeIs(2));
  EXPECT_EQ(attempts[0].state, "expired");
  EXPECT_EQ(attempts[1].worker, "worker-b");
  EXPECT_EQ(attempts[1].result_digest, second.result_digest);
  EXPECT_EQ(attempts[1].outcome, Outcome::kTimeout);
  EXPECT_EQ(attempts[1].message, "ran 3600 s");
  EXPECT_EQ(attempts[1].finished_ms, 6);
}

TEST_P(StoreContractTest, TaskRunsAreListedInOrder) {
  TaskRunRecord run = MakeTaskRun(1, 2, 10, "key");
  run.done = run.cached = true;
  run.finished_ms = 20;
  run.finished_event = 33;
  ASSERT_OK(store_->Commit({run, MakeTaskRun(1, 2, 9, "key"), MakeTaskRun(1, 3, 1, "key")}));
  ASSERT_OK_AND_ASSIGN(const auto runs, store_->ListTaskRuns(1, 2));
  ASSERT_THAT(runs, SizeIs(2));
  EXPECT_EQ(runs[0].task_run, 9);
  EXPECT_FALSE(runs[0].done);
  EXPECT_EQ(runs[1].path, "orders/PQ");
  EXPECT_EQ(runs[1].iteration, 2);
  EXPECT_TRUE(runs[1].done);
  EXPECT_TRUE(runs[1].cached);
  EXPECT_EQ(runs[1].finished_event, 33);
}

TEST_P(StoreContractTest, EventsArePagedAndTakenSequenceRefusesTheWholeBatch) {
  ASSERT_OK(store_->Commit({MakeJob(1), MakeEvent(1, 1), MakeEvent(1, 2), MakeEvent(1, 3)}));
  EXPECT_THAT(store_->Commit({MakeTrial(1, 1), MakeEvent(1, 4), MakeEvent(1, 2)}),
              StatusIs(absl::StatusCode::kAlreadyExists, _));
  EXPECT_THAT(store_->Commit({MakeEvent(1, 9), MakeEvent(1, 9)}),
              StatusIs(absl::StatusCode::kAlreadyExists, _));
  EXPECT_THAT(store_->GetTrial(1, 1), StatusIs(absl::StatusCode::kNotFound, _));
  ASSERT_OK_AND_ASSIGN(const auto events, store_->ListEvents(1, 1, 0));
  ASSERT_THAT(events, SizeIs(2));
  EXPECT_EQ(events[0].sequence, 2);
  EXPECT_EQ(events[0].type, "trial_created");
  EXPECT_EQ(events[0].payload, MakeEvent(1, 2).payload);
  EXPECT_EQ(events[1].created_ms, 103);
  ASSERT_OK_AND_ASSIGN(const auto page, store_->ListEvents(1, 0, 1));
  ASSERT_THAT(page, SizeIs(1));
  EXPECT_EQ(page[0].sequence, 1);
}

TEST_P(StoreContractTest, WorkersRoundTrip) {
  const WorkerRecord worker{"w1",    "physics", "node7", {"train", "vitis_hls:2024.1"}, 4, "alive",
                            "0.1.0", 1,         2};
  ASSERT_OK(store_->Commit({worker}));
  ASSERT_OK_AND_ASSIGN(const auto workers, store_->ListWorkers());
  ASSERT_THAT(workers, SizeIs(1));
  EXPECT_EQ(workers[0].capabilities, worker.capabilities);
  EXPECT_EQ(workers[0].slots, 4);
  EXPECT_EQ(workers[0].last_seen_ms, 2);
}

TEST_P(StoreContractTest, LoadReturnsOnlyWhatUnfinishedJobsNeed) {
  const ActionRecord used = MakeAction("used", true), unused = MakeAction("unused");
  WorkerRecord alive{"w1", "", "n1", {}, 1, "alive"}, gone{"w2", "", "n2", {}, 1, "gone"};
  ASSERT_OK(store_->Commit({MakeJob(1), MakeJob(2, JobState::kFailed),
                            MakeJob(7, JobState::kSucceeded), MakeTrial(1, 1), MakeTrial(2, 1),
                            MakeTaskRun(1, 1, 1, used.key), MakeTaskRun(2, 1, 1, unused.key), used,
                            unused, MakeEvent(1, 1), MakeEvent(1, 2), MakeEvent(2, 1), alive, gone,
                            SearchStateRecord{1, 2, 4, Value::Map{{"n", 2}}},
                            SearchStateRecord{1, 1, 3, Value::Map{{"n", 1}}},
                            SearchStateRecord{2, 1, 1, Value::Map{}}}));
  ASSERT_OK_AND_ASSIGN(const LeaderState state, store_->Load());
  ASSERT_THAT(state.jobs, SizeIs(1));
  EXPECT_EQ(state.jobs[0].id, 1);
  ASSERT_THAT(state.trials, SizeIs(1));
  EXPECT_EQ(state.trials[0].job_id, 1);
  ASSERT_THAT(state.task_runs, SizeIs(1));
  ASSERT_THAT(state.actions, SizeIs(1));
  EXPECT_EQ(state.actions[0].key, used.key);
  EXPECT_TRUE(state.actions[0].finished);
  ASSERT_THAT(state.search_states, SizeIs(2));
  EXPECT_EQ(state.search_states[0].installed_event, 3);
  EXPECT_EQ(state.search_states[1].after_event, 2);
  EXPECT_EQ(state.last_event, (std::map<int64_t, int64_t>{{1, 2}}));
  ASSERT_THAT(state.workers, SizeIs(1));
  EXPECT_EQ(state.workers[0].id, "w1");
  EXPECT_EQ(state.next_job_id, 8);
}

TEST_P(StoreContractTest, CommitBeforeBecomeLeaderIsRefused) {
  auto follower = open_();
  EXPECT_THAT(follower->Commit({MakeJob(1)}), StatusIs(absl::StatusCode::kFailedPrecondition, _));
  ASSERT_OK_AND_ASSIGN(const std::string address, follower->LeaderAddress());
  EXPECT_EQ(address, "first:1");
}

TEST_P(StoreContractTest, DeposedLeaderIsAbortedAndCanStillRead) {
  ASSERT_OK(store_->Commit({MakeJob(1)}));
  auto second = open_();
  ASSERT_OK_AND_ASSIGN(const int64_t epoch, second->BecomeLeader("second:2"));
  EXPECT_EQ(epoch, 2);
  EXPECT_THAT(store_->Commit({MakeJob(2)}), StatusIs(absl::StatusCode::kAborted, _));
  EXPECT_THAT(store_->Commit({MakeJob(2)}), StatusIs(absl::StatusCode::kAborted, _));
  ASSERT_OK(second->Commit({MakeJob(3)}));
  ASSERT_OK_AND_ASSIGN(const auto jobs, store_->ListJobs("", 0, 0));
  ASSERT_THAT(jobs, SizeIs(2));
  EXPECT_EQ(jobs[0].id, 3);
  ASSERT_OK_AND_ASSIGN(const std::string address, store_->LeaderAddress());
  EXPECT_EQ(address, "second:2");
}

TEST_P(StoreContractTest, EmptyBatchStillChecksLeadership) {
  ASSERT_OK(store_->Commit({}));
  ASSERT_OK(open_()->BecomeLeader("second:2"));
  EXPECT_THAT(store_->Commit({}), StatusIs(absl::StatusCode::kAborted, _));
}

TEST_P(StoreContractTest, ReadersRunBesideTheWriter) {
  ASSERT_OK(store_->Commit({MakeJob(1)}));
  std::vector<std::thread> readers;
  std::vector<int> bad(4, 0);
  for (int r = 0; r < 4; ++r) {
    readers.emplace_back([this, r, &bad] {
      for (int i = 0; i < 25; ++i) {
        const auto events = store_->ListEvents(1, 0, 0);
        if (!events.ok() || events->size() % 2 != 0) ++bad[r];  // pairs are written together
      }
    });
  }
  for (int i = 0; i < 25; ++i) {
    ASSERT_OK(store_->Commit({MakeEvent(1, 2 * i + 1), MakeEvent(1, 2 * i + 2)}));
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_THAT(bad, ::testing::Each(0));
}

TEST_P(StoreContractTest, LargeBatchOfEveryKindIsWritten) {
  std::vector<Change> changes = {MakeJob(1)};
  for (int i = 1; i <= 300; ++i) {
    Trial trial = MakeTrial(1, i, TrialState::kSucceeded);
    trial.designs = {MakeDesign(0, 0.001 * i)};
    const ActionRecord action = MakeAction(absl::StrCat(i), true);
    changes.insert(changes.end(),
                   {trial, action, MakeTaskRun(1, i, 1, action.key),
                    AttemptRecord{action.key, 1, "w", "completed"}, MakeEvent(1, i)});
  }
  ASSERT_OK(store_->Commit(changes));
  ASSERT_OK_AND_ASSIGN(const LeaderState state, store_->Load());
  EXPECT_THAT(state.trials, SizeIs(300));
  EXPECT_THAT(state.actions, SizeIs(300));
  EXPECT_EQ(state.trials[299].designs[0].measurement.Get("accuracy"), 0.001 * 300);
  EXPECT_EQ(state.last_event.at(1), 300);
}

INSTANTIATE_TEST_SUITE_P(All, StoreContractTest,
                         ::testing::Values(Backend{"Memory", &MakeMemoryBackend},
                                           Backend{"Postgres", &MakePostgresBackend}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace dovetail::store
