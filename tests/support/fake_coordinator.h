// A coordinator in this process: hands out what a test queues, remembers what workers say. Speaks
// WorkerService and ArtifactService on a Unix socket, and can be stopped and started again.
#ifndef DOVETAIL_TESTS_SUPPORT_FAKE_COORDINATOR_H_
#define DOVETAIL_TESTS_SUPPORT_FAKE_COORDINATOR_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "dovetail/v1/worker_service.grpc.pb.h"
#include "tests/support/fake_artifact_service.h"

namespace dovetail::testing {

// Thread-safe.
class FakeCoordinator : public v1::WorkerService::Service {
 public:
  explicit FakeCoordinator(std::string socket) : address_("unix:" + std::move(socket)) { Start(); }
  ~FakeCoordinator() override { Stop(); }

  void Start() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = false;
    }
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address_, grpc::InsecureServerCredentials());
    builder.RegisterService(this);
    builder.RegisterService(&artifacts_);
    server_ = builder.BuildAndStart();
  }
  void Stop() {
    if (server_ == nullptr) return;
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
      changed_.notify_all();
    }
    server_->Shutdown(std::chrono::system_clock::now());
    server_.reset();
  }

  const std::string& address() const { return address_; }
  FakeArtifactService& artifacts() { return artifacts_; }

  void Queue(const v1::Assignment& assignment) {
    std::lock_guard lock(mutex_);
    queue_.push_back(assignment);
    changed_.notify_all();
  }
  void Cancel(const std::string& key) {
    std::lock_guard lock(mutex_);
    cancelled_.insert(key);
  }
  void AskToDrain() {
    std::lock_guard lock(mutex_);
    drain_ = true;
  }
  // The next `count` completions are taken, but their answers are lost.
  void LoseCompletionAnswers(int count) {
    std::lock_guard lock(mutex_);
    lose_answers_ = count;
  }
  void RefuseLeases(grpc::Status status) {
    std::lock_guard lock(mutex_);
    refusal_ = std::move(status);
  }

  // Waits for a condition on what workers have said; false after 20 s.
  bool WaitUntil(const std::function<bool(const FakeCoordinator&)>& condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return condition(*this); });
  }

  // What follows is read inside WaitUntil, or when no worker speaks any more.
  std::vector<v1::CompleteRequest> completions;
  std::map<std::string, int> beats;  // action key -> heartbeats that named it
  std::map<std::string, std::string> progress;
  v1::WorkerDescription worker;
  int lease_calls = 0;
  bool worker_drains = false;

  grpc::Status Lease(grpc::ServerContext* context, const v1::LeaseRequest* request,
                     v1::LeaseResponse* response) override {
    std::unique_lock lock(mutex_);
    ++lease_calls;
    worker = request->worker();
    changed_.notify_all();
    if (!refusal_.ok()) return refusal_;
    const auto until =
        std::chrono::steady_clock::now() + std::chrono::milliseconds(request->wait_ms());
    while (queue_.empty() && !stopping_ && !context->IsCancelled() &&
           std::chrono::steady_clock::now() < until) {
      changed_.wait_for(lock, std::chrono::milliseconds(20));
    }
    response->set_heartbeat_ms(50);
    int free_slots = request->free_slots();
    while (!queue_.empty() && !context->IsCancelled() && free_slots >= queue_[0].cpu_slots()) {
      free_slots -= queue_[0].cpu_slots();
      *response->add_assignments() = queue_[0];
      queue_.erase(queue_.begin());
    }
    return grpc::Status::OK;
  }

  grpc::Status Heartbeat(grpc::ServerContext*, const v1::HeartbeatRequest* request,
                         v1::HeartbeatResponse* response) override {
    std::lock_guard lock(mutex_);
    for (const v1::AttemptBeat& beat : request->attempts()) {
      ++beats[beat.action_key()];
      if (beat.has_progress()) progress[beat.action_key()] = beat.progress().ShortDebugString();
      response->add_verdicts(cancelled_.contains(beat.action_key()) ? v1::VERDICT_CANCEL
                                                                    : v1::VERDICT_CONTINUE);
    }
    worker_drains = request->draining();
    response->set_drain(drain_);
    changed_.notify_all();
    return grpc::Status::OK;
  }

  grpc::Status Complete(grpc::ServerContext*, const v1::CompleteRequest* request,
                        v1::CompleteResponse* response) override {
    std::lock_guard lock(mutex_);
    bool known = false;
    for (const v1::CompleteRequest& one : completions) {
      known = known ||
              (one.action_key() == request->action_key() && one.attempt() == request->attempt());
    }
    completions.push_back(*request);
    response->set_accepted(!known);
    response->set_duplicate(known);
    changed_.notify_all();
    if (lose_answers_ > 0) {
      --lose_answers_;
      return grpc::Status(grpc::StatusCode::UNAVAILABLE, "the answer was lost");
    }
    return grpc::Status::OK;
  }

 private:
  const std::string address_;
  FakeArtifactService artifacts_;
  std::unique_ptr<grpc::Server> server_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<v1::Assignment> queue_;
  std::set<std::string> cancelled_;
  grpc::Status refusal_;
  bool drain_ = false;
  bool stopping_ = false;
  int lose_answers_ = 0;
};

}  // namespace dovetail::testing

#endif  // DOVETAIL_TESTS_SUPPORT_FAKE_COORDINATOR_H_
