// The worker's link against a coordinator in this process; tasks are a shell script that stands for
// `dovetail-worker run`, in a real cage.
#include <google/protobuf/util/message_differencer.h>
#include <grpcpp/grpcpp.h>
#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "common/artifacts/remote_store.h"
#include "common/base/digest.h"
#include "common/base/file_io.h"
#include "gtest/gtest.h"
#include "services/worker/link/attempt_runner.h"
#include "services/worker/link/coordinator_client.h"
#include "services/worker/link/worker_loop.h"
#include "tests/support/fake_coordinator.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace dovetail::link {
namespace {

using dovetail::testing::FakeCoordinator;
using dovetail::testing::StatusIs;
using dovetail::testing::TempDir;
using ::testing::_;
using ::testing::HasSubstr;

// Does what the parameter Part says; writes what a lower_rtl would.
constexpr const char* kScript = R"(#!/bin/sh
while [ $# -gt 0 ]; do
  case "$1" in
    --out) out=$2 ;;
    --progress) progress=$2 ;;
    --params) params=$(cat "${2#@}") ;;
    --in) network=${2#network=} ;;
  esac
  shift
done
mkdir -p "$out"
echo '{"step":1}' >> "$progress"
case "$params" in
  *hang*) sleep 1000 ;;
  *fail*)
    echo "the reason" >&2
    echo '{"outcome":"infeasible","message":"Part is unknown"}' > "$out/outcome.json"
    exit 1 ;;
  *crash*) echo "boom" >&2; kill -SEGV $$ ;;
  *silent*) exit 0 ;;
  *link*) ln -s /etc/shadow "$out/rtl" ;;
  *slow*) sleep 1 ;;
esac
[ -e "$out/rtl" ] || cat "$network" > "$out/rtl"
echo '{}' > "$out/design"
echo '{"metrics":{"dsp":{"value":3,"unit":"count","source":"script"}}}' > "$out/measurement.json"
echo '{"outcome":"ok","message":""}' > "$out/outcome.json"
)";

class LinkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK(WriteFileAtomically(directory_ / "script", kScript));
    chmod((directory_ / "script").c_str(), 0755);
    coordinator_ = std::make_unique<FakeCoordinator>(directory_ / "socket");
    network_ = coordinator_->artifacts().Add("weights");
    ASSERT_OK_AND_ASSIGN(area_, sandbox::WorkArea::Open(directory_ / "work"));
  }
  void TearDown() override {
    if (thread_.joinable()) EndWorker();
  }

  v1::Assignment Work(const std::string& what, int attempt = 1) {
    v1::Assignment assignment;
    assignment.set_action_key(Sha256Hex(what));
    assignment.set_attempt(attempt);
    assignment.set_task("lower_rtl");
    (*assignment.mutable_parameters()->mutable_fields())["Part"].set_string_value(what);
    (*assignment.mutable_inputs())["network"] = network_;
    assignment.set_cpu_slots(1);
    return assignment;
  }

  void StartWorker(int slots = 2) {
    const auto channel =
        grpc::CreateChannel(coordinator_->address(), grpc::InsecureChannelCredentials());
    WorkerDescription worker;
    worker.id = "w1";
    worker.capabilities = {"yosys"};
    worker.slots = slots;
    client_ = std::make_unique<CoordinatorClient>(channel, channel, worker);
    remote_ = MakeRemoteStore(channel);
    metrics_ = std::make_unique<WorkerMetrics>(registry_);
    inputs_ =
        std::make_unique<InputCache>(directory_ / "inputs", 1 << 20, remote_.get(), metrics_.get());
    stop_ = std::make_unique<StopSignal>([this] { client_->StopLeasing(); });
    AttemptOptions options;
    options.worker_binary = directory_ / "script";
    options.readable = {directory_ / "script"};
    options.task_cache = directory_ / "cache";
    runner_ = std::make_unique<AttemptRunner>(options, area_.get(), inputs_.get(), remote_.get(),
                                              stop_.get(), metrics_.get());
    LoopOptions loop_options;
    loop_options.slots = slots;
    loop_options.lease_wait_ms = 500;
    loop_ = std::make_unique<WorkerLoop>(
        loop_options, client_.get(), [this](RunningAttempt& a) { return runner_->Run(a); },
        stop_.get(), metrics_.get());
    thread_ = std::thread([this] { ended_ = loop_->Run(); });
  }
  void EndWorker() {
    stop_->Drain();
    thread_.join();
  }
  // The first completion of an action.
  v1::CompleteRequest Result(const std::string& what) {
    const std::string key = Sha256Hex(what);
    v1::CompleteRequest found;
    EXPECT_TRUE(coordinator_->WaitUntil([&](const FakeCoordinator& c) {
      for (const v1::CompleteRequest& one : c.completions) {
        if (one.action_key() == key) {
          found = one;
          return true;
        }
      }
      return false;
    })) << what;
    return found;
  }
  bool Beating(const std::string& what) {
    const std::string key = Sha256Hex(what);
    return coordinator_->WaitUntil([&](const FakeCoordinator& c) {
      const auto it = c.beats.find(key);
      return it != c.beats.end() && it->second >= 1;
    });
  }

  TempDir directory_;
  std::unique_ptr<FakeCoordinator> coordinator_;
  std::string network_;
  std::unique_ptr<sandbox::WorkArea> area_;
  MetricsRegistry registry_;
  std::unique_ptr<WorkerMetrics> metrics_;
  std::unique_ptr<CoordinatorClient> client_;
  std::unique_ptr<ArtifactStore> remote_;
  std::unique_ptr<InputCache> inputs_;
  std::unique_ptr<StopSignal> stop_;
  std::unique_ptr<AttemptRunner> runner_;
  std::unique_ptr<WorkerLoop> loop_;
  std::thread thread_;
  absl::Status ended_;
};

TEST_F(LinkTest, AnAttemptIsFetchedRunUploadedAndCompleted) {
  coordinator_->Queue(Work("a", 7));
  StartWorker();
  const v1::CompleteRequest result = Result("a");
  EXPECT_EQ(result.outcome(), "ok") << result.message();
  EXPECT_EQ(result.attempt(), 7);
  EXPECT_EQ(result.worker_id(), "w1");
  EXPECT_EQ(result.measurement().metrics().at("dsp").value(), 3);
  EXPECT_EQ(coordinator_->artifacts().Find(result.outputs().at("rtl")), "weights");
  EXPECT_GT(result.peak_rss_bytes(), 0);
  EndWorker();
  EXPECT_OK(ended_);
  EXPECT_TRUE(std::filesystem::is_empty(area_->directory()) ||
              std::distance(std::filesystem::directory_iterator(area_->directory()),
                            std::filesystem::directory_iterator()) == 1);  // the lock
  EXPECT_THAT(registry_.Text(),
              HasSubstr("dovetail_worker_tasks_total{outcome=\"ok\",task=\"lower_rtl\"} 1"));
}

TEST_F(LinkTest, TheSameInputIsDownloadedOnce) {
  coordinator_->Queue(Work("a"));
  coordinator_->Queue(Work("b"));
  coordinator_->Queue(Work("c"));
  StartWorker(3);
  for (const char* what : {"a", "b", "c"}) EXPECT_EQ(Result(what).outcome(), "ok");
  EXPECT_EQ(coordinator_->artifacts().get_count(), 1);
  EXPECT_THAT(registry_.Text(), HasSubstr("dovetail_worker_input_cache_hits_total 2"));
}

TEST_F(LinkTest, FailuresTellTheirOutcome) {
  for (const char* what : {"fail", "crash", "silent", "link"}) coordinator_->Queue(Work(what));
  v1::Assignment missing = Work("missing");
  (*missing.mutable_inputs())["network"] = Sha256Hex("nobody has this");
  coordinator_->Queue(missing);
  v1::Assignment slow = Work("hang");
  slow.set_timeout_ms(300);
  coordinator_->Queue(slow);
  StartWorker(4);
  EXPECT_EQ(Result("fail").outcome(), "infeasible");
  EXPECT_EQ(Result("fail").message(), "Part is unknown");
  EXPECT_EQ(coordinator_->artifacts().Find(Result("fail").log_digest()), "the reason\n");
  EXPECT_EQ(Result("crash").outcome(), "bug");
  EXPECT_THAT(Result("crash").message(), HasSubstr("boom"));
  EXPECT_EQ(Result("silent").outcome(), "bug");
  EXPECT_THAT(Result("silent").message(), HasSubstr("without a result"));
  // A link that the task left is not followed: nothing of this machine goes out.
  EXPECT_EQ(Result("link").outcome(), "bug");
  EXPECT_TRUE(Result("link").outputs().empty());
  EXPECT_EQ(Result("missing").outcome(), "infrastructure");
  EXPECT_EQ(Result("hang").outcome(), "timeout");
}

TEST_F(LinkTest, AHeartbeatCarriesProgressAndCancels) {
  coordinator_->Queue(Work("hang"));
  StartWorker();
  ASSERT_TRUE(Beating("hang"));
  EXPECT_TRUE(coordinator_->WaitUntil([](const FakeCoordinator& c) {
    const auto it = c.progress.find(Sha256Hex("hang"));
    return it != c.progress.end() && it->second.find("step") != std::string::npos;
  }));
  coordinator_->Cancel(Sha256Hex("hang"));
  EXPECT_EQ(Result("hang").outcome(), "cancelled");
  EXPECT_THAT(registry_.Text(), HasSubstr("dovetail_worker_cancelled_attempts_total 1"));
}

TEST_F(LinkTest, ALostAnswerToACompletionIsAskedAgain) {
  coordinator_->LoseCompletionAnswers(2);
  coordinator_->Queue(Work("a"));
  StartWorker();
  EXPECT_TRUE(
      coordinator_->WaitUntil([](const FakeCoordinator& c) { return c.completions.size() == 3; }));
  EndWorker();
  ASSERT_EQ(coordinator_->completions.size(), 3u);
  for (const v1::CompleteRequest& one : coordinator_->completions) {
    EXPECT_TRUE(
        google::protobuf::util::MessageDifferencer::Equals(one, coordinator_->completions[0]));
  }
}

TEST_F(LinkTest, ARestartedCoordinatorGetsTheResultOfWorkBegunBefore) {
  coordinator_->Queue(Work("slow"));
  StartWorker();
  ASSERT_TRUE(Beating("slow"));
  coordinator_->Stop();
  std::this_thread::sleep_for(std::chrono::milliseconds(1200));  // the task ends meanwhile
  coordinator_->Start();
  EXPECT_EQ(Result("slow").outcome(), "ok");
  coordinator_->Queue(Work("after"));
  EXPECT_EQ(Result("after").outcome(), "ok");
}

TEST_F(LinkTest, ADrainingWorkerFinishesWhatItHasAndTakesNoMore) {
  coordinator_->Queue(Work("slow"));
  StartWorker(1);
  ASSERT_TRUE(Beating("slow"));
  coordinator_->Queue(Work("later"));
  EndWorker();
  EXPECT_OK(ended_);
  ASSERT_EQ(coordinator_->completions.size(), 1u);
  EXPECT_EQ(coordinator_->completions[0].outcome(), "ok");
}

TEST_F(LinkTest, TheCoordinatorCanAskToDrain) {
  StartWorker();
  coordinator_->AskToDrain();
  thread_.join();
  EXPECT_OK(ended_);
}

TEST_F(LinkTest, StoppingCallsOffWhatRuns) {
  coordinator_->Queue(Work("hang"));
  StartWorker();
  ASSERT_TRUE(Beating("hang"));
  stop_->Stop();
  thread_.join();
  ASSERT_EQ(coordinator_->completions.size(), 1u);
  EXPECT_EQ(coordinator_->completions[0].outcome(), "cancelled");
}

TEST_F(LinkTest, SlotsBoundWhatRunsAtOnce) {
  for (const char* what : {"slow1", "slow2", "slow3"}) coordinator_->Queue(Work(what));
  StartWorker(1);
  for (const char* what : {"slow1", "slow2", "slow3"}) EXPECT_EQ(Result(what).outcome(), "ok");
  EXPECT_EQ(coordinator_->worker.slots(), 1);
  EXPECT_EQ(coordinator_->worker.capabilities(0), "yosys");
}

TEST_F(LinkTest, AWorkerThatIsRefusedEndsWithTheReason) {
  coordinator_->RefuseLeases(grpc::Status(grpc::StatusCode::UNAUTHENTICATED, "bad token"));
  StartWorker();
  thread_.join();
  EXPECT_THAT(ended_, StatusIs(absl::StatusCode::kUnauthenticated, HasSubstr("bad token")));
}

TEST_F(LinkTest, AssignmentsWithPathsForPortsAreRefused) {
  v1::Assignment hostile = Work("hostile");
  (*hostile.mutable_inputs())["../../etc/x"] = network_;
  EXPECT_THAT(AssignmentFromProto(hostile), StatusIs(absl::StatusCode::kInvalidArgument, _));
  hostile = Work("hostile");
  (*hostile.mutable_inputs())["network"] = "../../etc/passwd";
  EXPECT_THAT(AssignmentFromProto(hostile), StatusIs(absl::StatusCode::kInvalidArgument, _));
  hostile = Work("hostile");
  hostile.set_task("../run");
  EXPECT_THAT(AssignmentFromProto(hostile), StatusIs(absl::StatusCode::kNotFound, _));
}

}  // namespace
}  // namespace dovetail::link
