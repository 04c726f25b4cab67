// What the store in PostgreSQL promises beyond the contract of all stores: migrations, restarts of
// the database, hanging leaders, hostile text, and the dashboard's views.
#include "services/coordinator/store/postgres/postgres_store.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>

#include "absl/strings/str_cat.h"
#include "tests/support/private_postgres.h"
#include "tests/support/status_matchers.h"

namespace dovetail::store {
namespace {

using ::testing::_;
using ::testing::HasSubstr;
using testing::PrivatePostgres;
using ::testing::SizeIs;
using testing::StatusIs;

class PostgresStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto cluster = PrivatePostgres::Shared();
    if (absl::IsNotFound(cluster.status())) GTEST_SKIP() << "no PostgreSQL server binaries here";
    ASSERT_OK(cluster);
    cluster_ = *cluster;
    ASSERT_OK_AND_ASSIGN(database_, cluster_->CreateDatabase());
  }

  std::unique_ptr<Store> Open() {
    auto store = OpenPostgresStore({.connection_string = database_, .clock = &clock_});
    EXPECT_OK(store);
    return store.ok() ? *std::move(store) : nullptr;
  }

  std::unique_ptr<Store> OpenLeader() {
    auto store = Open();
    EXPECT_OK(store->BecomeLeader("here:1"));
    return store;
  }

  std::string Query(const std::string& sql) {
    auto printed = cluster_->Query(database_, sql);
    EXPECT_OK(printed);
    return printed.ok() ? *printed : "";
  }

  FakeClock clock_;
  PrivatePostgres* cluster_ = nullptr;
  std::string database_;
};

JobRecord MakeJob(int64_t id) {
  JobRecord job;
  job.id = id;
  job.tenant = "physics";
  job.name = "jets";
  job.spec_json = R"({"objectives":[{"metric":"lut","goal":"GOAL_MINIMIZE"},)"
                  R"({"metric":"accuracy","goal":"GOAL_MAXIMIZE"}]})";
  job.state = JobState::kRunning;
  job.created_ms = 1000;
  return job;
}

Trial MakeTrial(int64_t job_id, int number, double lut, double accuracy) {
  Trial trial;
  trial.job_id = job_id;
  trial.number = number;
  trial.state = TrialState::kSucceeded;
  trial.point = {{"bits", 6}};
  trial.created_ms = 1000 * number;
  trial.finished_ms = 1000 * number + 500;
  trial.tool_seconds = 2;
  Design design;
  design.feasible = true;
  design.measurement.Put("lut", lut, "count", "yosys 0.23");
  design.measurement.Put("accuracy", accuracy, "fraction", "engine 1");
  trial.designs = {design};
  return trial;
}

EventRecord MakeEvent(int64_t sequence) {
  EventRecord event;
  event.job_id = 1;
  event.sequence = sequence;
  event.type = "job_state";
  return event;
}

TEST_F(PostgresStoreTest, OpeningTwiceAppliesMigrationsOnce) {
  Open();
  Open();
  EXPECT_EQ(Query("SELECT count(*), max(version) FROM dovetail.schema_migrations"), "2|2\n");
}

TEST_F(PostgresStoreTest, NewerSchemaIsRefused) {
  Open();
  Query("INSERT INTO dovetail.schema_migrations VALUES (999, '0999_later', 'x', 0)");
  EXPECT_THAT(OpenPostgresStore({.connection_string = database_}),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("start a newer dovetail-coordinator")));
}

TEST_F(PostgresStoreTest, ChangedMigrationIsRefused) {
  Open();
  Query("UPDATE dovetail.schema_migrations SET checksum = 'x' WHERE version = 1");
  EXPECT_THAT(OpenPostgresStore({.connection_string = database_}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("0001_tables")));
}

TEST_F(PostgresStoreTest, NoServerIsUnavailable) {
  EXPECT_THAT(OpenPostgresStore({.connection_string = "host=/nonexistent dbname=x"}),
              StatusIs(absl::StatusCode::kUnavailable, _));
}

TEST_F(PostgresStoreTest, HostileTextIsKeptOrReplacedNeverRefused) {
  auto store = OpenLeader();
  ActionRecord action;
  action.key = "k";
  action.finished = true;
  action.result.outcome = Outcome::kInfeasible;
  action.result.message = std::string("nul \0 byte, \\u0000 spelt, '; DROP TABLE jobs; --", 48);
  action.result.measurement.log.Set("bytes", std::string("\xff\xfe latin \xe9"));
  ASSERT_OK(store->Commit({action}));
  ASSERT_OK_AND_ASSIGN(const auto found, store->FindActions({"k"}));
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].result.message,
            "nul \xEF\xBF\xBD byte, \\u0000 spelt, '; DROP TABLE jobs; --");
}

TEST_F(PostgresStoreTest, NumbersThatJsonCannotSayAreKept) {
  auto store = OpenLeader();
  Trial trial = MakeTrial(1, 1, std::nan(""), std::numeric_limits<double>::infinity());
  trial.designs[0].measurement.Put("tiny", 5e-324, "", "");
  ASSERT_OK(store->Commit({trial}));
  ASSERT_OK_AND_ASSIGN(const Trial read, store->GetTrial(1, 1));
  EXPECT_TRUE(std::isnan(read.designs[0].measurement.Get("lut")));
  EXPECT_EQ(read.designs[0].measurement.Get("accuracy"), std::numeric_limits<double>::infinity());
  EXPECT_EQ(read.designs[0].measurement.Get("tiny"), 5e-324);
}

TEST_F(PostgresStoreTest, EndedIdleSessionsAreReplacedUnseen) {
  auto store = OpenLeader();
  ASSERT_OK(store->Commit({MakeJob(1)}));
  ASSERT_OK(store->GetJob(1));
  Query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
      "WHERE application_name LIKE 'dovetail%'");
  ASSERT_OK(store->Commit({MakeEvent(1)}));
  ASSERT_OK_AND_ASSIGN(const auto events, store->ListEvents(1, 0, 0));
  EXPECT_THAT(events, SizeIs(1));
}

TEST_F(PostgresStoreTest, SessionsCarryTheirSettingsAlsoWhenReplaced) {
  auto store = OpenLeader();
  for (int round = 0; round < 2; ++round) {
    ASSERT_OK(store->Commit({MakeJob(1)}));
    EXPECT_EQ(
        Query("SELECT count(*) FROM pg_stat_activity "
              "WHERE application_name = 'dovetail-leader/1' AND datname = current_database()"),
        "1\n");
    Query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name LIKE 'dovetail%'");
  }
}

TEST_F(PostgresStoreTest, NewLeaderEndsTheOldOnesSession) {
  auto first = OpenLeader();
  ASSERT_OK(first->Commit({MakeJob(1)}));
  auto second = Open();
  ASSERT_OK(second->BecomeLeader("there:2"));
  EXPECT_EQ(Query("SELECT string_agg(application_name, ',') FROM pg_stat_activity "
                  "WHERE application_name LIKE 'dovetail-leader/%' "
                  "AND datname = current_database()"),
            "dovetail-leader/2\n");
  EXPECT_THAT(first->Commit({MakeJob(2)}), StatusIs(absl::StatusCode::kAborted, _));
}

TEST(PostgresRestartTest, CommitAfterARestartSucceedsAndNothingIsLost) {
  auto cluster = PrivatePostgres::Make({});
  if (absl::IsNotFound(cluster.status())) GTEST_SKIP() << "no PostgreSQL server binaries here";
  ASSERT_OK(cluster);
  ASSERT_OK_AND_ASSIGN(const std::string database, (*cluster)->CreateDatabase());
  ASSERT_OK_AND_ASSIGN(auto store, OpenPostgresStore({.connection_string = database}));
  ASSERT_OK(store->BecomeLeader("here:1"));
  for (int i = 1; i <= 20; ++i) ASSERT_OK(store->Commit({MakeEvent(i)}));
  ASSERT_OK((*cluster)->Stop());
  EXPECT_THAT(store->Commit({MakeEvent(21)}), StatusIs(absl::StatusCode::kUnavailable, _));
  EXPECT_THAT(store->ListEvents(1, 0, 0), StatusIs(absl::StatusCode::kUnavailable, _));
  ASSERT_OK((*cluster)->Start());
  ASSERT_OK_AND_ASSIGN(const auto events, store->ListEvents(1, 0, 0));
  EXPECT_THAT(events, SizeIs(20));
  ASSERT_OK(store->Commit({MakeEvent(21)}));
}

TEST_F(PostgresStoreTest, LeaderHangingInATransactionIsEnded) {
  Open();
  // A session that looks like a leader of epoch 0 and holds the row.
  const std::string hang =
      absl::StrCat("PGAPPNAME=dovetail-leader/0 psql -X -q -d '", database_,
                   "' -c 'BEGIN; SELECT epoch FROM dovetail.leader FOR SHARE; SELECT pg_sleep(30)' "
                   ">/dev/null 2>&1 &");
  ASSERT_EQ(std::system(hang.c_str()), 0);
  while (Query("SELECT count(*) FROM pg_locks WHERE mode = 'RowShareLock' AND granted "
               "AND relation = 'dovetail.leader'::regclass") == "0\n") {
  }
  auto store = Open();
  ASSERT_OK_AND_ASSIGN(const int64_t epoch, store->BecomeLeader("here:1"));
  EXPECT_EQ(epoch, 1);
  EXPECT_OK(store->Commit({MakeJob(1)}));
}

TEST_F(PostgresStoreTest, DashboardShowsJobsTrialsDesignsAndTheBestSoFar) {
  auto store = OpenLeader();
  Trial running;
  running.job_id = 1;
  running.number = 4;
  TaskRunRecord run{1, 1, 1, "synth", "", 0, "k", true, false, 1000, 5000, 3};
  ActionRecord action;
  action.key = "k";
  action.action.task = "synthesize";
  action.finished = true;
  action.attempt_count = 1;
  action.result.outcome = Outcome::kOk;
  action.result.tool_seconds = 2.5;
  JobRecord no_json = MakeJob(2);
  no_json.spec_json = "not JSON";
  ASSERT_OK(
      store->Commit({MakeJob(1), no_json, MakeTrial(1, 1, 300, 0.70), MakeTrial(1, 2, 200, 0.75),
                     MakeTrial(1, 3, 250, 0.74), running, run, action,
                     AttemptRecord{"k", 1, "w", "completed", "", Outcome::kOk, "", 2000, 4500}}));
  EXPECT_EQ(Query("SELECT trials, trials_succeeded, trials_running, tool_seconds "
                  "FROM dashboard.jobs WHERE job_id = 1"),
            "4|3|1|6\n");
  EXPECT_EQ(Query("SELECT lut, accuracy, dsp IS NULL FROM dashboard.designs WHERE trial = 2"),
            "200|0.75|t\n");
  EXPECT_EQ(Query("SELECT objectives ->> 'lut', feasible FROM dashboard.trials WHERE trial = 2"),
            "200|t\n");
  EXPECT_EQ(Query("SELECT string_agg(best::text, ',' ORDER BY trial) FROM dashboard.best_so_far "
                  "WHERE metric = 'lut'"),
            "300,200,200\n");
  EXPECT_EQ(Query("SELECT string_agg(best::text, ',' ORDER BY trial) FROM dashboard.best_so_far "
                  "WHERE metric = 'accuracy'"),
            "0.7,0.75,0.75\n");
  EXPECT_EQ(Query("SELECT node, task_runs, cached_task_runs, tool_seconds, mean_wait_seconds = 1 "
                  "FROM dashboard.stage_times"),
            "synth|1|0|2.5|t\n");
}

TEST_F(PostgresStoreTest, GrafanaReadsTheDashboardAndNothingElse) {
  Open();
  EXPECT_EQ(Query("SET ROLE dovetail_grafana; SELECT count(*) FROM dashboard.trials; "
                  "SELECT count(*) FROM dashboard.best_so_far"),
            "0\n0\n");
  EXPECT_THAT(cluster_->Query(database_, "SET ROLE dovetail_grafana; TABLE dovetail.jobs"),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("permission denied")));
}

}  // namespace
}  // namespace dovetail::store
