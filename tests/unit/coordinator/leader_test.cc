// Whole jobs through the leader, with workers that compute nothing.
#include "services/coordinator/leader.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "services/coordinator/store/memory_store.h"
#include "tests/support/fake_cluster.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace dovetail {
namespace {

using testing::FakeWorkers;

// A store whose commits can be made to fail.
class FlakyStore : public store::Store {
 public:
  explicit FlakyStore(std::unique_ptr<store::Store> inner) : inner_(std::move(inner)) {}
  absl::StatusOr<int64_t> BecomeLeader(const std::string& address) override {
    return inner_->BecomeLeader(address);
  }
  absl::StatusOr<std::string> LeaderAddress() override { return inner_->LeaderAddress(); }
  absl::Status Commit(const std::vector<store::Change>& changes) override {
    const int number = ++commits_;
    if (fail_every > 0 && number % fail_every == 0) {
      // In doubt: sometimes the batch was written, sometimes not.
      if (number % (2 * fail_every) == 0) (void)inner_->Commit(changes);
      return absl::UnavailableError("the connection was lost");
    }
    return inner_->Commit(changes);
  }
  absl::StatusOr<store::LeaderState> Load() override { return inner_->Load(); }
  absl::StatusOr<std::vector<store::ActionRecord>> FindActions(
      const std::vector<std::string>& keys) override {
    return inner_->FindActions(keys);
  }
  absl::StatusOr<store::JobRecord> GetJob(int64_t id) override { return inner_->GetJob(id); }
  absl::StatusOr<std::optional<store::JobRecord>> FindJobByRequest(
      const std::string& tenant, const std::string& request_id) override {
    return inner_->FindJobByRequest(tenant, request_id);
  }
  absl::StatusOr<std::vector<store::JobRecord>> ListJobs(const std::string& tenant,
                                                         int64_t before_id, int limit) override {
    return inner_->ListJobs(tenant, before_id, limit);
  }
  absl::StatusOr<Trial> GetTrial(int64_t job_id, int number) override {
    return inner_->GetTrial(job_id, number);
  }
  absl::StatusOr<std::vector<Trial>> ListTrials(const store::TrialFilter& filter) override {
    return inner_->ListTrials(filter);
  }
  absl::StatusOr<std::vector<store::TaskRunRecord>> ListTaskRuns(int64_t job_id,
                                                                 int trial) override {
    return inner_->ListTaskRuns(job_id, trial);
  }
  absl::StatusOr<std::vector<store::AttemptRecord>> ListAttempts(
      const std::string& action_key) override {
    return inner_->ListAttempts(action_key);
  }
  absl::StatusOr<std::vector<store::EventRecord>> ListEvents(int64_t job_id, int64_t after,
                                                             int limit) override {
    return inner_->ListEvents(job_id, after, limit);
  }
  absl::StatusOr<std::vector<store::WorkerRecord>> ListWorkers() override {
    return inner_->ListWorkers();
  }

  std::atomic<int> fail_every = 0;

 private:
  std::unique_ptr<store::Store> inner_;
  std::atomic<int> commits_ = 0;
};

JobSpec MakeSpec() {
  JobSpec spec;
  spec.name = "test";
  spec.network_digest = std::string(64, 'a');
  spec.dataset_digest = std::string(64, 'b');
  spec.part = "xcu250-figd2104-2L-e";
  const auto node = [](const std::string& task, std::map<std::string, Value> parameters = {}) {
    FlowTask flow_task;
    flow_task.name = task;
    flow_task.task = task;
    flow_task.parameters = std::move(parameters);
    return flow_task;
  };
  spec.flow.tasks = {node("prune", {{"rate", "= rate"}}),
                     node("quantize", {{"weight_bits", "= bits"}}), node("evaluate"),
                     node("lower_rtl"), node("synthesize")};
  spec.space.variables = {
      {.name = "rate", .type = VariableType::kContinuous, .min = 0, .max = 0.95},
      {.name = "bits", .type = VariableType::kInteger, .min = 3, .max = 8}};
  spec.objectives = {{"accuracy", Goal::kMaximize}, {"lut", Goal::kMinimize}};
  Constraint floor;
  floor.metric = "accuracy";
  floor.at_least = -0.05;
  floor.relative_to = "float_network";
  spec.constraints = {floor};
  spec.budget.trials = 12;
  spec.search.strategy = "sobol";
  Reference baseline;
  baseline.name = "baseline";
  baseline.point = {{"rate", 0.0}, {"bits", 8}};
  baseline.skip = {"prune"};
  spec.references = {baseline};
  return spec;
}

class LeaderTest : public ::testing::Test {
 protected:
  LeaderTest() : store_(std::make_unique<FlakyStore>(store::MakeMemoryStore())) {
    artifacts_ = OpenDirectoryStore(directory_ / "artifacts").value();
  }

  // The spec travels as its own name: tests keep the specs themselves.
  std::unique_ptr<Leader> MakeLeader(store::Store* store = nullptr) {
    ExplorationDependencies dependencies;
    dependencies.store = store == nullptr ? store_.get() : store;
    dependencies.artifacts = artifacts_.get();
    dependencies.clock = &clock_;
    dependencies.parse_spec = [this](const std::string&) { return spec_; };
    LeaderOptions options;
    options.tick_ms = 5;
    options.dispatch.lease_ms = lease_ms_;
    options.dispatch.heartbeat_ms = lease_ms_ / 6;
    options.dispatch.retry.max_infrastructure_attempts = 100;
    options.dispatch.retry.backoff_ms = 1;
    options.reload_backoff_ms = 1;
    return std::make_unique<Leader>(options, dependencies);
  }

  int64_t Submit(Leader& leader) {
    std::promise<int64_t> submitted;
    auto answer = submitted.get_future();
    int64_t id = 0;
    leader.Post(
        [&](Turn& turn) {
          store::JobRecord record;
          record.id = id = turn.next_job_id++;
          record.tenant = "t";
          record.name = spec_.name;
          return turn.exploration.Submit(record, spec_);
        },
        [&](absl::Status status) { submitted.set_value(status.ok() ? id : -1); });
    return answer.get();
  }

  std::vector<Trial> Trials(int64_t job_id) {
    return store_->ListTrials({.job_id = job_id}).value_or(std::vector<Trial>());
  }
  std::vector<store::EventRecord> Events(int64_t job_id) {
    return store_->ListEvents(job_id, 0, 0).value_or(std::vector<store::EventRecord>());
  }

  std::string Message(int64_t job_id) { return store_->GetJob(job_id)->message; }

  JobState WaitForEnd(int64_t job_id) {
    while (true) {
      const auto job = store_->GetJob(job_id);
      if (job.ok() && IsTerminal(job->state)) return job->state;
      std::this_thread::yield();
    }
  }
  // Waits until the job has this many finished trials.
  void WaitForTrials(int64_t job_id, int count) {
    while (true) {
      int finished = 0;
      for (const Trial& trial : Trials(job_id)) {
        finished += trial.number > 0 && IsTerminal(trial.state);
      }
      if (finished >= count) return;
      std::this_thread::yield();
    }
  }
  std::vector<Point> Points(int64_t job_id) {
    std::vector<Point> points;
    for (const Trial& trial : Trials(job_id)) {
      if (trial.number > 0) points.push_back(trial.point);
    }
    return points;
  }
  // Every trial there once, ended, with an event for its end; numbers without gaps.
  void CheckTrials(int64_t job_id, int count) {
    std::map<int, int> ends;
    for (const auto& event : Events(job_id)) {
      if (event.type == "trial_finished") {
        ++ends[static_cast<int>(event.payload["trial"].AsNumber())];
      }
    }
    int number = 0;
    for (const Trial& trial : Trials(job_id)) {
      EXPECT_TRUE(IsTerminal(trial.state)) << trial.number;
      EXPECT_EQ(ends[trial.number], 1) << trial.number;
      if (trial.number > 0) {
        EXPECT_EQ(trial.number, ++number);
      }
    }
    EXPECT_EQ(number, count);
  }

  testing::TempDir directory_;
  SystemClock clock_;
  std::unique_ptr<FlakyStore> store_;
  std::unique_ptr<ArtifactStore> artifacts_;
  JobSpec spec_ = MakeSpec();
  int64_t lease_ms_ = 3'000;
};

TEST_F(LeaderTest, JobRunsFromSubmissionToVerifiedFront) {
  auto leader = MakeLeader();
  ASSERT_OK(leader->Start());
  FakeWorkers workers(leader.get(), artifacts_.get(), 2);
  const int64_t job = Submit(*leader);
  ASSERT_EQ(WaitForEnd(job), JobState::kSucceeded) << Message(job);
  CheckTrials(job, 12);
  int verified = 0;
  for (const Trial& trial : Trials(job)) {
    for (const Design& design : trial.designs) {
      verified += trial.number > 0 && design.measurement.Has("mismatched_vectors") &&
                  design.measurement.Has("test_accuracy");
    }
  }
  EXPECT_GE(verified, 1);
  ASSERT_OK_AND_ASSIGN(const Trial baseline, store_->GetTrial(job, -1));
  EXPECT_EQ(baseline.state, TrialState::kSucceeded);
}

TEST_F(LeaderTest, TrialBelowTheAccuracyFloorNeverPaysForSynthesis) {
  spec_.constraints[0].at_least = -0.01;
  auto leader = MakeLeader();
  ASSERT_OK(leader->Start());
  FakeWorkers workers(leader.get(), artifacts_.get(), 2);
  const int64_t job = Submit(*leader);
  ASSERT_EQ(WaitForEnd(job), JobState::kSucceeded) << Message(job);
  int infeasible = 0;
  for (const Trial& trial : Trials(job)) {
    if (trial.state != TrialState::kInfeasible) continue;
    ++infeasible;
    ASSERT_EQ(trial.designs.size(), 1u);
    EXPECT_TRUE(trial.designs[0].measurement.Has("accuracy"));
    EXPECT_FALSE(trial.designs[0].measurement.Has("lut"));
    EXPECT_THAT(trial.message, ::testing::HasSubstr("accuracy"));
  }
  EXPECT_GE(infeasible, 1);
}

TEST_F(LeaderTest, EqualActionsOfTwoJobsRunOnce) {
  auto leader = MakeLeader();
  ASSERT_OK(leader->Start());
  FakeWorkers first(leader.get(), artifacts_.get(), 2);
  ASSERT_EQ(WaitForEnd(Submit(*leader)), JobState::kSucceeded);
  first.Stop();  // counts are exact once the threads have ended
  EXPECT_GT(first.answered(), 0);
  FakeWorkers second(leader.get(), artifacts_.get(), 2);
  ASSERT_EQ(WaitForEnd(Submit(*leader)), JobState::kSucceeded);
  second.Stop();
  EXPECT_EQ(second.answered(), 0);
}

TEST_F(LeaderTest, RestartedCoordinatorGoesOnWithTheJob) {
  spec_.budget.trials = 30;
  int64_t job = 0;
  {
    auto leader = MakeLeader();
    ASSERT_OK(leader->Start());
    FakeWorkers workers(leader.get(), artifacts_.get(), 2);
    job = Submit(*leader);
    WaitForTrials(job, 5);
  }
  auto leader = MakeLeader();
  ASSERT_OK(leader->Start());
  FakeWorkers workers(leader.get(), artifacts_.get(), 2);
  ASSERT_EQ(WaitForEnd(job), JobState::kSucceeded) << Message(job);
  CheckTrials(job, 30);
}

TEST_F(LeaderTest, LostDatabaseConnectionsLoseNoTrialAndDoubleNone) {
  spec_.budget.trials = 30;
  store_->fail_every = 7;
  lease_ms_ = 300;  // every lost commit costs a term
  auto leader = MakeLeader();
  while (!leader->Start().ok()) {
  }
  FakeWorkers workers(leader.get(), artifacts_.get(), 3);
  int64_t job = -1;
  while (job < 0) job = Submit(*leader);
  ASSERT_EQ(WaitForEnd(job), JobState::kSucceeded) << Message(job);
  CheckTrials(job, 30);
}

TEST_F(LeaderTest, WorkersThatDieLoseNothing) {
  std::atomic<int> count = 0;
  lease_ms_ = 200;
  auto leader = MakeLeader();
  ASSERT_OK(leader->Start());
  FakeWorkers workers(
      leader.get(), artifacts_.get(), 3,
      [&](const dispatch::Assignment&, ActionResult&) { return ++count % 11 != 0; });
  const int64_t job = Submit(*leader);
  ASSERT_EQ(WaitForEnd(job), JobState::kSucceeded) << Message(job);
  CheckTrials(job, 12);
}

TEST_F(LeaderTest, RefusedConfigurationIsInfeasibleAndABugIsAbandoned) {
  auto leader = MakeLeader();
  ASSERT_OK(leader->Start());
  FakeWorkers workers(leader.get(), artifacts_.get(), 2,
                      [&](const dispatch::Assignment& assignment, ActionResult& result) {
                        const double bits = assignment.action.parameters["weight_bits"].AsNumber();
                        if (assignment.action.task != "quantize" || bits > 4) return true;
                        result = {};
                        result.outcome = bits == 3 ? Outcome::kInfeasible : Outcome::kBug;
                        result.message = "cannot be";
                        return true;
                      });
  const int64_t job = Submit(*leader);
  ASSERT_EQ(WaitForEnd(job), JobState::kSucceeded) << Message(job);
  std::map<TrialState, int> states;
  for (const Trial& trial : Trials(job)) {
    if (trial.number <= 0) continue;
    ++states[trial.state];
    const double bits = trial.point.at("bits").AsNumber();
    if (bits == 3) {
      EXPECT_EQ(trial.state, TrialState::kInfeasible);
    }
    if (bits == 4) {
      EXPECT_EQ(trial.state, TrialState::kAbandoned);
    }
  }
  // Abandoned trials do not count against the budget.
  EXPECT_EQ(states[TrialState::kSucceeded] + states[TrialState::kInfeasible], 12);
}

TEST_F(LeaderTest, BrokenNetworkFailsTheJobWithTheTasksMessage) {
  auto leader = MakeLeader();
  ASSERT_OK(leader->Start());
  FakeWorkers workers(leader.get(), artifacts_.get(), 1,
                      [&](const dispatch::Assignment& assignment, ActionResult& result) {
                        if (assignment.action.task != "describe") return true;
                        result = {};
                        result.outcome = Outcome::kInfeasible;
                        result.message = "node \"x\": operator Foo is not supported";
                        return true;
                      });
  const int64_t job = Submit(*leader);
  ASSERT_EQ(WaitForEnd(job), JobState::kFailed);
  EXPECT_THAT(store_->GetJob(job)->message, ::testing::HasSubstr("operator Foo"));
}

TEST_F(LeaderTest, MismatchInSimulationTakesTheDesignOffTheFront) {
  auto leader = MakeLeader();
  ASSERT_OK(leader->Start());
  std::atomic<int> simulated = 0;
  FakeWorkers workers(leader.get(), artifacts_.get(), 1,
                      [&](const dispatch::Assignment& assignment, ActionResult& result) {
                        if (assignment.action.task == "simulate" && ++simulated == 1) {
                          result.measurement.Put("mismatched_vectors", 3, "count", "fake");
                        }
                        return true;
                      });
  const int64_t job = Submit(*leader);
  ASSERT_EQ(WaitForEnd(job), JobState::kSucceeded) << Message(job);
  int mismatched = 0;
  for (const Trial& trial : Trials(job)) {
    for (const Design& design : trial.designs) {
      if (trial.number <= 0 || design.measurement.Get("mismatched_vectors") == 0) continue;
      ++mismatched;
      EXPECT_FALSE(design.feasible);
    }
  }
  EXPECT_EQ(mismatched, 1);
}

TEST_F(LeaderTest, FixedLagGivesTheSameTrialsHoweverManyWorkersThereAre) {
  spec_.search.order = SuggestionOrder::kFixedLag;
  spec_.search.parallel_count = 3;
  spec_.search.strategy = "gp";
  spec_.budget.trials = 15;
  std::vector<std::vector<Point>> runs;
  for (int worker_count : {1, 4}) {
    store_ = std::make_unique<FlakyStore>(store::MakeMemoryStore());
    auto leader = MakeLeader();
    ASSERT_OK(leader->Start());
    FakeWorkers workers(leader.get(), artifacts_.get(), worker_count);
    const int64_t job = Submit(*leader);
    ASSERT_EQ(WaitForEnd(job), JobState::kSucceeded) << Message(job);
    runs.push_back(Points(job));
  }
  EXPECT_EQ(runs[0], runs[1]);
}

TEST_F(LeaderTest, FixedLagGivesTheSameTrialsAcrossRestarts) {
  spec_.search.order = SuggestionOrder::kFixedLag;
  spec_.search.parallel_count = 2;
  spec_.search.strategy = "gp";
  spec_.budget.trials = 15;
  std::vector<std::vector<Point>> runs;
  for (const bool restart : {false, true}) {
    store_ = std::make_unique<FlakyStore>(store::MakeMemoryStore());
    int64_t job = 0;
    auto leader = MakeLeader();
    ASSERT_OK(leader->Start());
    auto workers = std::make_unique<FakeWorkers>(leader.get(), artifacts_.get(), 2);
    job = Submit(*leader);
    for (int at : {3, 7, 11}) {
      if (!restart) break;
      WaitForTrials(job, at);
      workers.reset();
      leader = nullptr;
      leader = MakeLeader();
      ASSERT_OK(leader->Start());
      workers = std::make_unique<FakeWorkers>(leader.get(), artifacts_.get(), 2);
    }
    ASSERT_EQ(WaitForEnd(job), JobState::kSucceeded) << Message(job);
    runs.push_back(Points(job));
  }
  EXPECT_EQ(runs[0], runs[1]);
}

TEST_F(LeaderTest, CancelStopsWhatRuns) {
  spec_.budget.trials = 1000;
  auto leader = MakeLeader();
  ASSERT_OK(leader->Start());
  FakeWorkers workers(leader.get(), artifacts_.get(), 2);
  const int64_t job = Submit(*leader);
  WaitForTrials(job, 2);
  std::promise<absl::Status> cancelled;
  leader->Post([&](Turn& turn) { return turn.exploration.Cancel(job); },
               [&](absl::Status status) { cancelled.set_value(std::move(status)); });
  EXPECT_OK(cancelled.get_future().get());
  EXPECT_EQ(WaitForEnd(job), JobState::kCancelled);
}

TEST_F(LeaderTest, ASecondLeaderDeposesTheFirst) {
  const auto database = store::MakeMemoryDatabase();
  const auto first_store = store::MakeMemoryStore(database);
  const auto second_store = store::MakeMemoryStore(database);
  auto first = MakeLeader(first_store.get());
  ASSERT_OK(first->Start());
  auto second = MakeLeader(second_store.get());
  ASSERT_OK(second->Start());
  EXPECT_EQ(Submit(*first), -1) << "what the first one says no longer counts";
  while (!first->deposed()) std::this_thread::yield();
  EXPECT_FALSE(second->deposed());
  EXPECT_GT(Submit(*second), 0);
}

}  // namespace
}  // namespace dovetail
