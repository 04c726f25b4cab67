// The query by which KEDA scales workers (deploy/kubernetes/keda), over the real schema.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <sstream>

#include "services/coordinator/store/postgres/postgres_store.h"
#include "services/coordinator/store/store.h"
#include "tests/support/private_postgres.h"
#include "tests/support/status_matchers.h"

namespace dovetail::store {
namespace {

const char kDirectory[] = DOVETAIL_SOURCE_DIR "/deploy/kubernetes/keda/";

// The text below "query: >-" of the manifest: the lines that are indented further, as one.
std::string QueryOfManifest() {
  std::ifstream in(std::string(kDirectory) + "scaled-object.yaml");
  std::string query;
  std::string line;
  size_t indent = std::string::npos;
  while (std::getline(in, line)) {
    const size_t first = line.find_first_not_of(' ');
    if (indent != std::string::npos) {
      if (first == std::string::npos || first <= indent) break;
      query += line.substr(first) + " ";
    } else if (line.find("query: >-") != std::string::npos) {
      indent = first;
    }
  }
  return query;
}

class KedaQueryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto cluster = testing::PrivatePostgres::Shared();
    if (absl::IsNotFound(cluster.status())) GTEST_SKIP() << cluster.status().message();
    ASSERT_OK(cluster);
    cluster_ = *cluster;
    ASSERT_OK_AND_ASSIGN(database_, cluster_->CreateDatabase());
    ASSERT_OK_AND_ASSIGN(store_, OpenPostgresStore({.connection_string = database_}));
    ASSERT_OK(store_->BecomeLeader("test:1"));
  }

  // A trial of a job with one task run that waits for one action.
  void Add(int64_t job_id, int trial, const std::string& key, int slots, JobState job_state,
           TrialState trial_state, bool done, std::vector<std::string> capabilities = {}) {
    JobRecord job;
    job.id = job_id;
    job.state = job_state;
    Trial record;
    record.job_id = job_id;
    record.number = trial;
    record.state = trial_state;
    TaskRunRecord run;
    run.job_id = job_id;
    run.trial = trial;
    run.task_run = 1;
    run.action_key = key;
    run.done = done;
    ActionRecord action;
    action.key = key;
    action.action.task = "prune";
    action.action.cpu_slots = slots;
    action.action.capabilities = std::move(capabilities);
    action.finished = done;
    if (done) action.result.outcome = Outcome::kOk;
    ASSERT_OK(store_->Commit({job, record, run, action}));
  }

  std::string Count() {
    const absl::StatusOr<std::string> answer = cluster_->Query(database_, QueryOfManifest());
    EXPECT_OK(answer);
    return answer.ok() ? answer->substr(0, answer->find('\n')) : "";
  }

  testing::PrivatePostgres* cluster_ = nullptr;
  std::string database_;
  std::unique_ptr<Store> store_;
};

TEST_F(KedaQueryTest, NothingToDoIsZero) { EXPECT_EQ(Count(), "0"); }

TEST_F(KedaQueryTest, SlotsOfWantedActionsAreSummedOnceEach) {
  Add(1, 1, "a", 1, JobState::kRunning, TrialState::kRunning, false, {"train"});
  Add(1, 2, "b", 4, JobState::kRunning, TrialState::kRunning, false);
  Add(2, 1, "b", 4, JobState::kPreparing, TrialState::kRunning, false);  // waits for the same
  EXPECT_EQ(Count(), "5");
}

TEST_F(KedaQueryTest, WhatNobodyWaitsForAnyMoreIsNotCounted) {
  Add(1, 1, "finished", 1, JobState::kRunning, TrialState::kRunning, true);
  Add(1, 2, "cancelled trial", 1, JobState::kRunning, TrialState::kCancelled, false);
  Add(2, 1, "cancelled job", 1, JobState::kCancelled, TrialState::kRunning, false);
  EXPECT_EQ(Count(), "0");
}

TEST_F(KedaQueryTest, WorkForOtherWorkersIsNotCounted) {
  Add(1, 1, "a", 1, JobState::kRunning, TrialState::kRunning, false, {"yosys"});
  Add(1, 2, "b", 1, JobState::kRunning, TrialState::kRunning, false, {"vitis_hls"});
  EXPECT_EQ(Count(), "1");
}

TEST_F(KedaQueryTest, ItsRoleMayReadTheQueryAndNothingElse) {
  std::ifstream in(std::string(kDirectory) + "role.sql");
  ASSERT_TRUE(in);
  // The cluster is shared by this binary's tests, the role belongs to the cluster.
  ASSERT_OK(cluster_->Query(database_, std::string(std::istreambuf_iterator<char>(in), {})));
  const std::string as_role = "SET ROLE dovetail_keda; ";
  EXPECT_OK(cluster_->Query(database_, as_role + QueryOfManifest()));
  EXPECT_FALSE(cluster_->Query(database_, as_role + "SELECT spec_json FROM dovetail.jobs").ok());
  EXPECT_FALSE(cluster_->Query(database_, as_role + "SELECT outputs FROM dovetail.actions").ok());
}

}  // namespace
}  // namespace dovetail::store
