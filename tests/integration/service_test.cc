// A job on real processes: PostgreSQL, coordinator, workers, Yosys, Verilator. Workers and the
// coordinator are killed while it runs.
#include "tests/support/service.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>

#include "absl/strings/match.h"
#include "common/artifacts/remote_store.h"
#include "common/convert/job_convert.h"
#include "common/rpc/channel.h"
#include "tests/support/status_matchers.h"

namespace dovetail {
namespace {

using testing::PollUntil;
using testing::Service;

// Jets, one epoch of everything, small designs: a trial takes a few seconds.
v1::JobSpec SmallJob(const std::string& network, const std::string& dataset) {
  const std::string json = absl::StrCat(R"({
    "name": "small",
    "network": {"digest": ")",
                                        network, R"("},
    "dataset": {"digest": ")",
                                        dataset, R"("},
    "Part": "xcu250-figd2104-2L-e",
    "flow": {"tasks": [
      {"task": "prune", "params": {"rate": "= rate", "epochs": 1}},
      {"task": "quantize", "params": {"weight_bits": "= bits", "activation_bits": 5, "epochs": 1}},
      {"task": "evaluate"}, {"task": "lower_rtl"}, {"task": "synthesize"}]},
    "space": {"variables": [
      {"name": "rate", "type": "VARIABLE_TYPE_CONTINUOUS", "min": 0.9, "max": 0.97},
      {"name": "bits", "type": "VARIABLE_TYPE_INTEGER", "min": 3, "max": 5}]},
    "search": {"strategy": "gp", "seed": 7, "initial": 3},
    "objectives": [{"metric": "accuracy", "goal": "GOAL_MAXIMIZE"},
                   {"metric": "lut", "goal": "GOAL_MINIMIZE"}],
    "budget": {"trials": 6}
  })");
  return convert::JobSpecFromJson(json).value();
}

class ServiceTest : public ::testing::Test {
 protected:
  void StartService(int workers, std::vector<std::string> coordinator_flags = {}) {
    Service::Options options;
    options.coordinator_flags = std::move(coordinator_flags);
    auto service = Service::Start(workers, options);
    ASSERT_OK(service);
    service_ = *std::move(service);
    ASSERT_OK_AND_ASSIGN(const auto channel, rpc::MakeChannel(service_->address(), {}));
    const auto artifacts = MakeRemoteStore(channel);
    const std::string jets = DOVETAIL_SOURCE_DIR "/deploy/examples/jets/";
    ASSERT_OK_AND_ASSIGN(network_, artifacts->PutFile(jets + "jet_dnn.onnx"));
    ASSERT_OK_AND_ASSIGN(dataset_, artifacts->PutFile(jets + "jets.npz"));
  }

  absl::StatusOr<v1::Job> Submit(const v1::JobSpec& spec, const std::string& request_id = "") {
    v1::SubmitJobRequest request;
    *request.mutable_spec() = spec;
    request.set_request_id(request_id);
    v1::Job job;
    const absl::Status status = rpc::Call({}, [&](grpc::ClientContext* context) {
      return service_->exploration().SubmitJob(context, request, &job);
    });
    if (!status.ok()) return status;
    return job;
  }

  int FinishedTrials(int64_t job) {
    int finished = 0;
    const auto trials = service_->ListTrials(job);
    if (!trials.ok()) return -1;
    for (const v1::Trial& trial : *trials) {
      finished += trial.number() > 0 && trial.state() > v1::TRIAL_STATE_HELD;
    }
    return finished;
  }

  // Every trial once and ended; numbers without gaps; every event once, in order.
  void CheckNothingLostOrDoubled(int64_t job, int trial_count) {
    ASSERT_OK_AND_ASSIGN(const auto trials, service_->ListTrials(job));
    int number = 0;
    for (const v1::Trial& trial : trials) {
      EXPECT_GT(trial.state(), v1::TRIAL_STATE_HELD) << trial.number();
      if (trial.number() > 0) {
        EXPECT_EQ(trial.number(), ++number);
      }
    }
    EXPECT_EQ(number, trial_count);
    v1::WatchJobRequest request;
    request.set_id(job);
    grpc::ClientContext context;
    const auto stream = service_->exploration().WatchJob(&context, request);
    v1::Event event;
    int64_t sequence = 0;
    std::map<int, int> ends;
    while (stream->Read(&event)) {
      EXPECT_EQ(event.sequence(), ++sequence);
      if (event.type() == "trial_finished") {
        ++ends[static_cast<int>(event.payload().fields().at("trial").number_value())];
      }
    }
    EXPECT_TRUE(stream->Finish().ok());
    for (const v1::Trial& trial : trials) EXPECT_EQ(ends[trial.number()], 1) << trial.number();
  }

  std::unique_ptr<Service> service_;
  std::string network_;
  std::string dataset_;
};

TEST_F(ServiceTest, JobSurvivesAKilledWorkerAndAKilledCoordinator) {
  StartService(2, {"--lease-seconds", "5", "--heartbeat-seconds", "0.5"});
  ASSERT_OK_AND_ASSIGN(const v1::Job job, Submit(SmallJob(network_, dataset_), "once"));
  ASSERT_OK_AND_ASSIGN(const v1::Job again, Submit(SmallJob(network_, dataset_), "once"));
  EXPECT_EQ(again.id(), job.id()) << "the same request id gives the same job";

  ASSERT_TRUE(PollUntil([&] { return FinishedTrials(job.id()) >= 1; }, 120)) << service_->Logs();
  service_->KillWorker(0);
  ASSERT_OK(service_->StartWorker());
  ASSERT_TRUE(PollUntil([&] { return FinishedTrials(job.id()) >= 3; }, 120)) << service_->Logs();
  service_->KillCoordinator();
  ASSERT_OK(service_->StartCoordinator());

  ASSERT_OK_AND_ASSIGN(const v1::Job ended, service_->WaitForJob(job.id(), 240));
  ASSERT_EQ(ended.state(), v1::JOB_STATE_SUCCEEDED) << ended.message() << service_->Logs();
  CheckNothingLostOrDoubled(job.id(), 6);

  v1::GetFrontRequest request;
  request.set_job_id(job.id());
  v1::GetFrontResponse front;
  ASSERT_OK(rpc::Call({}, [&](grpc::ClientContext* context) {
    return service_->exploration().GetFront(context, request, &front);
  }));
  ASSERT_GE(front.designs_size(), 1);
  for (const v1::Design& design : front.designs()) {
    const auto& metrics = design.measurement().metrics();
    EXPECT_EQ(metrics.at("mismatched_vectors").value(), 0);
    EXPECT_GT(metrics.at("lut").value(), 0);
    EXPECT_GT(metrics.at("accuracy").value(), 0.3);
    EXPECT_GT(metrics.at("test_accuracy").value(), 0.3);
    EXPECT_EQ(metrics.at("simulated_latency_cycles").value(), metrics.at("latency_cycles").value());
    EXPECT_EQ(metrics.at("simulated_interval_cycles").value(), 1);
  }

  // A drained worker leaves with code 0.
  EXPECT_EQ(service_->DrainWorker(0), 0);
}

TEST_F(ServiceTest, WhatIsWrongWithANetworkEndsInTheJobsMessage) {
  StartService(1);
  ASSERT_OK_AND_ASSIGN(const auto channel, rpc::MakeChannel(service_->address(), {}));
  ASSERT_OK_AND_ASSIGN(const std::string garbage,
                       MakeRemoteStore(channel)->Put("this is no network"));
  ASSERT_OK_AND_ASSIGN(const v1::Job job, Submit(SmallJob(garbage, dataset_)));
  ASSERT_OK_AND_ASSIGN(const v1::Job ended, service_->WaitForJob(job.id(), 60));
  EXPECT_EQ(ended.state(), v1::JOB_STATE_FAILED);
  EXPECT_THAT(ended.message(), ::testing::HasSubstr("describe"));
}

TEST_F(ServiceTest, MissingArtifactIsRefusedAtSubmission) {
  StartService(0);
  EXPECT_THAT(Submit(SmallJob(std::string(64, '0'), dataset_)),
              testing::StatusIs(absl::StatusCode::kFailedPrecondition,
                                ::testing::HasSubstr("upload it first")));
}

TEST_F(ServiceTest, StandbyNamesTheLeaderAndTakesOverWhenItDies) {
  StartService(0);
  ASSERT_OK_AND_ASSIGN(const std::string address, service_->StartStandby());
  ASSERT_OK_AND_ASSIGN(const auto channel, rpc::MakeChannel(address, {}));
  const auto standby = v1::ExplorationService::NewStub(channel);
  const auto ask = [&] {
    v1::ListWorkersResponse response;
    rpc::CallOptions once;
    once.max_attempts = 1;
    return rpc::Call(once, [&](grpc::ClientContext* context) {
      return standby->ListWorkers(context, v1::ListWorkersRequest(), &response);
    });
  };
  ASSERT_TRUE(PollUntil([&] { return absl::StrContains(ask().message(), "the leader is at"); },
                        /*timeout_s=*/20))
      << ask();
  EXPECT_THAT(ask(), testing::StatusIs(absl::StatusCode::kUnavailable,
                                       ::testing::HasSubstr(service_->address())));
  EXPECT_OK(service_->GetJob(1).status().code() == absl::StatusCode::kNotFound
                ? absl::OkStatus()
                : absl::InternalError("the leader was disturbed"));
  service_->KillCoordinator();
  EXPECT_TRUE(PollUntil([&] { return ask().ok(); }, /*timeout_s=*/20));
}

}  // namespace
}  // namespace dovetail
