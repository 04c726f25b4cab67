// Whole jobs over the named flows: leader, PostgreSQL, and workers that compute nothing.
#include <gtest/gtest.h>

#include "common/domain/flow_library.h"
#include "services/coordinator/leader.h"
#include "services/coordinator/store/postgres/postgres_store.h"
#include "tests/support/fake_cluster.h"
#include "tests/support/private_postgres.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace dovetail {
namespace {

using testing::FakeWorkers;
using testing::PrivatePostgres;

constexpr int kTrials = 8;

Variable MakeVariable(const std::string& name) {
  Variable variable;
  variable.name = name;
  if (name == "pruning_rate") {
    variable.min = 0.1;
    variable.max = 0.9;
  } else if (name == "order") {
    variable.type = VariableType::kPermutation;
    variable.levels = {"prune", "quantize"};
  } else {
    variable.type = VariableType::kInteger;
    variable.min = 3;
    variable.max = 8;
  }
  return variable;
}

JobSpec MakeSpec(const NamedFlowInfo& info) {
  JobSpec spec;
  spec.name = info.name;
  spec.network_digest = std::string(64, 'a');
  spec.dataset_digest = std::string(64, 'b');
  spec.part = "xcu250-figd2104-2L-e";
  spec.flow = info.flow;
  for (const std::string& name : info.variables) {
    spec.space.variables.push_back(MakeVariable(name));
  }
  spec.objectives = {{"accuracy", Goal::kMaximize}, {"lut", Goal::kMinimize}};
  spec.budget.trials = kTrials;
  spec.search.strategy = "sobol";
  return spec;
}

class FlowsJobTest : public ::testing::TestWithParam<NamedFlowInfo> {
 protected:
  void SetUp() override {
    auto cluster = PrivatePostgres::Shared();
    if (absl::IsNotFound(cluster.status())) GTEST_SKIP() << "no PostgreSQL server binaries here";
    ASSERT_OK(cluster);
    ASSERT_OK_AND_ASSIGN(database_, (*cluster)->CreateDatabase());
    spec_ = MakeSpec(GetParam());
    artifacts_ = OpenDirectoryStore(directory_ / "artifacts").value();
    OpenStore();
  }

  void OpenStore() {
    auto store = store::OpenPostgresStore({.connection_string = database_});
    ASSERT_OK(store);
    store_ = *std::move(store);
  }

  std::unique_ptr<Leader> MakeLeader() {
    ExplorationDependencies dependencies;
    dependencies.store = store_.get();
    dependencies.artifacts = artifacts_.get();
    dependencies.clock = &clock_;
    dependencies.parse_spec = [this](const std::string&) { return spec_; };
    LeaderOptions options;
    options.tick_ms = 5;
    options.dispatch.lease_ms = 3'000;  // of work lost at the restart
    options.dispatch.heartbeat_ms = 500;
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

  int CountEnded(int64_t job) {
    int ended = 0;
    const auto trials = store_->ListTrials({.job_id = job});
    for (const Trial& trial : *trials) {
      ended += trial.number > 0 && IsTerminal(trial.state);
    }
    return ended;
  }

  void WaitForEnd(int64_t job) {
    while (!IsTerminal(store_->GetJob(job)->state)) std::this_thread::yield();
  }

  testing::TempDir directory_;
  SystemClock clock_;
  std::string database_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<ArtifactStore> artifacts_;
  JobSpec spec_;
};

TEST_P(FlowsJobTest, EveryTrialEndsAlsoAcrossARestart) {
  // Other DSPs for every network, so that feedback has work to do.
  const auto dsp_by_bits = [](const dispatch::Assignment& assignment, ActionResult& result) {
    if (assignment.action.task == "lower_rtl") {
      const int digit = assignment.key[0] <= '9' ? assignment.key[0] - '0' : 9;
      result.measurement.Put("dsp", 10.0 * digit, "count", "fake");
    }
    if (assignment.action.task == "synthesize") result.measurement.metrics.erase("dsp");
    return true;
  };
  int64_t job = 0;
  {
    auto leader = MakeLeader();
    ASSERT_OK(leader->Start());
    FakeWorkers workers(leader.get(), artifacts_.get(), 3, dsp_by_bits);
    job = Submit(*leader);
    while (CountEnded(job) < kTrials / 2 && !IsTerminal(store_->GetJob(job)->state)) {
      std::this_thread::yield();
    }
    workers.Stop();
  }
  OpenStore();
  auto leader = MakeLeader();
  ASSERT_OK(leader->Start());
  FakeWorkers workers(leader.get(), artifacts_.get(), 3, dsp_by_bits);
  WaitForEnd(job);
  ASSERT_OK_AND_ASSIGN(const store::JobRecord record, store_->GetJob(job));
  EXPECT_EQ(record.state, JobState::kSucceeded) << record.message;
  EXPECT_EQ(CountEnded(job), kTrials);
  ASSERT_OK_AND_ASSIGN(const auto trials, store_->ListTrials({.job_id = job, .after_number = 0}));
  int succeeded = 0;
  for (const Trial& trial : trials) {
    if (trial.state == TrialState::kInfeasible) {  // a gate; pruning again may lead there
      EXPECT_LT(trial.designs.at(0).measurement.Get("accuracy"), 0.7) << trial.message;
      continue;
    }
    EXPECT_EQ(trial.state, TrialState::kSucceeded) << trial.number << ": " << trial.message;
    ++succeeded;
    const std::string& flow = GetParam().name;
    ASSERT_EQ(trial.designs.size(), flow == "multi_device" ? 3u : 1u);
    for (const Design& design : trial.designs) {
      EXPECT_TRUE(design.measurement.Has("lut"));
      EXPECT_TRUE(design.artifacts.contains("lower_rtl.rtl"));
      EXPECT_EQ(design.path.empty(), flow != "multi_device" && flow != "order_search");
    }
  }
  EXPECT_GT(succeeded, 0);
}

INSTANTIATE_TEST_SUITE_P(Library, FlowsJobTest, ::testing::ValuesIn(FlowLibrary()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace dovetail
