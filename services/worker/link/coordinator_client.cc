#include "services/worker/link/coordinator_client.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <mutex>
#include <utility>

#include "common/base/status_macros.h"
#include "common/convert/trial_convert.h"
#include "common/convert/value_convert.h"
#include "common/rpc/channel.h"
#include "common/rpc/status_conversion.h"
#include "common/telemetry/log.h"
#include "dovetail/v1/worker_service.grpc.pb.h"

namespace dovetail::link {
namespace {

constexpr int64_t kAnswerMs = 15'000;  // beyond what the call itself waits for

void FillWorker(const WorkerDescription& worker, v1::WorkerDescription& proto) {
  proto.set_id(worker.id);
  proto.set_host(worker.host);
  for (const std::string& capability : worker.capabilities) proto.add_capabilities(capability);
  for (const auto& [tool, version] : worker.tools) (*proto.mutable_tools())[tool] = version;
  for (const auto& [task, version] : worker.task_versions) {
    (*proto.mutable_task_versions())[task] = version;
  }
  proto.set_slots(worker.slots);
  proto.set_version(worker.version);
}

}  // namespace

struct CoordinatorClient::Stubs {
  std::unique_ptr<v1::WorkerService::Stub> work;
  std::unique_ptr<v1::WorkerService::Stub> heartbeat;
  std::mutex mutex;
  grpc::ClientContext* leasing = nullptr;
  bool stopped = false;
};

CoordinatorClient::CoordinatorClient(std::shared_ptr<grpc::Channel> channel,
                                     std::shared_ptr<grpc::Channel> heartbeat_channel,
                                     WorkerDescription worker)
    : worker_(std::move(worker)), stubs_(std::make_unique<Stubs>()) {
  stubs_->work = v1::WorkerService::NewStub(std::move(channel));
  stubs_->heartbeat = v1::WorkerService::NewStub(std::move(heartbeat_channel));
}

CoordinatorClient::~CoordinatorClient() = default;

absl::StatusOr<Lease> CoordinatorClient::TakeLease(int free_slots, int64_t wait_ms) {
  v1::LeaseRequest request;
  FillWorker(worker_, *request.mutable_worker());
  request.set_free_slots(free_slots);
  request.set_wait_ms(wait_ms);
  v1::LeaseResponse response;
  grpc::ClientContext context;
  rpc::SetDeadline(context, wait_ms + kAnswerMs);
  {
    std::lock_guard lock(stubs_->mutex);
    if (stubs_->stopped) return absl::CancelledError("draining");
    stubs_->leasing = &context;
  }
  const grpc::Status status = stubs_->work->Lease(&context, request, &response);
  {
    std::lock_guard lock(stubs_->mutex);
    stubs_->leasing = nullptr;
  }
  RETURN_IF_ERROR(rpc::FromGrpc(status));
  Lease lease;
  lease.drain = response.drain();
  lease.heartbeat_ms = response.heartbeat_ms();
  for (const v1::Assignment& proto : response.assignments()) {
    absl::StatusOr<Assignment> assignment = AssignmentFromProto(proto);
    if (assignment.ok()) {
      lease.assignments.push_back(*std::move(assignment));
    } else {
      LogError("assignment refused", {{"action", proto.action_key()},
                                      {"task", proto.task()},
                                      {"error", std::string(assignment.status().message())}});
    }
  }
  return lease;
}

void CoordinatorClient::StopLeasing() {
  std::lock_guard lock(stubs_->mutex);
  stubs_->stopped = true;
  if (stubs_->leasing != nullptr) stubs_->leasing->TryCancel();
}

absl::StatusOr<BeatAnswer> CoordinatorClient::SendBeat(const std::vector<Beat>& beats,
                                                       bool draining, int64_t deadline_ms) {
  v1::HeartbeatRequest request;
  FillWorker(worker_, *request.mutable_worker());
  request.set_draining(draining);
  for (const Beat& beat : beats) {
    v1::AttemptBeat* one = request.add_attempts();
    one->set_action_key(beat.key);
    one->set_attempt(beat.attempt);
    if (beat.progress.is_map()) *one->mutable_progress() = convert::ValueToStruct(beat.progress);
  }
  v1::HeartbeatResponse response;
  grpc::ClientContext context;
  rpc::SetDeadline(context, deadline_ms);
  RETURN_IF_ERROR(rpc::FromGrpc(stubs_->heartbeat->Heartbeat(&context, request, &response)));
  BeatAnswer answer;
  answer.drain = response.drain();
  answer.cancel.resize(beats.size(), false);
  for (size_t i = 0; i < beats.size() && static_cast<int>(i) < response.verdicts_size(); ++i) {
    answer.cancel[i] = response.verdicts(static_cast<int>(i)) == v1::VERDICT_CANCEL;
  }
  return answer;
}

absl::StatusOr<CompleteAnswer> CoordinatorClient::Complete(const Assignment& assignment,
                                                           const ActionResult& result) {
  v1::CompleteRequest request;
  convert::ActionResultToProto(result, &request);
  request.set_worker_id(worker_.id);
  request.set_action_key(assignment.key);
  request.set_attempt(assignment.attempt);
  v1::CompleteResponse response;
  grpc::ClientContext context;
  rpc::SetDeadline(context, kAnswerMs);
  RETURN_IF_ERROR(rpc::FromGrpc(stubs_->work->Complete(&context, request, &response)));
  return CompleteAnswer{response.accepted(), response.duplicate()};
}

}  // namespace dovetail::link
