// The worker's side of WorkerService: descriptions and results in, assignments and verdicts out.
// Called by the worker loop and the heartbeat. Decides nothing.
#ifndef DOVETAIL_SERVICES_WORKER_LINK_COORDINATOR_CLIENT_H_
#define DOVETAIL_SERVICES_WORKER_LINK_COORDINATOR_CLIENT_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/domain/action.h"
#include "services/worker/link/assignment.h"

namespace grpc {
class Channel;
}

namespace dovetail::link {

struct WorkerDescription {
  std::string id;
  std::string host;
  std::vector<std::string> capabilities;
  std::map<std::string, std::string> tools;  // tool -> version
  std::map<std::string, int> task_versions;
  int slots = 1;
  std::string version;
};

struct Lease {
  std::vector<Assignment> assignments;
  bool drain = false;
  int64_t heartbeat_ms = 0;  // 0: as before
};

struct Beat {
  std::string key;
  int attempt = 0;
  Value progress;  // null: nothing new
};

struct BeatAnswer {
  std::vector<bool> cancel;  // by beat
  bool drain = false;
};

struct CompleteAnswer {
  bool accepted = false;
  bool duplicate = false;
};

// Thread-safe. One try a call; errors are the coordinator's codes.
class CoordinatorClient {
 public:
  // Heartbeats go over a channel of their own.
  CoordinatorClient(std::shared_ptr<grpc::Channel> channel,
                    std::shared_ptr<grpc::Channel> heartbeat_channel, WorkerDescription worker);
  ~CoordinatorClient();

  // Waits up to wait_ms for work. Assignments that make no sense are logged and left to expire.
  absl::StatusOr<Lease> TakeLease(int free_slots, int64_t wait_ms);
  // Ends a TakeLease under way in another thread, and all later ones, with Cancelled.
  void StopLeasing();
  absl::StatusOr<BeatAnswer> SendBeat(const std::vector<Beat>& beats, bool draining,
                                      int64_t deadline_ms);
  absl::StatusOr<CompleteAnswer> Complete(const Assignment& assignment, const ActionResult& result);

  const WorkerDescription& worker() const { return worker_; }

 private:
  struct Stubs;
  const WorkerDescription worker_;
  const std::unique_ptr<Stubs> stubs_;
};

}  // namespace dovetail::link

#endif  // DOVETAIL_SERVICES_WORKER_LINK_COORDINATOR_CLIENT_H_
