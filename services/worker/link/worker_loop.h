// The worker's life: take leases while slots are free, run each attempt in a thread, complete it,
// drain, end. Called by the daemon.
#ifndef DOVETAIL_SERVICES_WORKER_LINK_WORKER_LOOP_H_
#define DOVETAIL_SERVICES_WORKER_LINK_WORKER_LOOP_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <thread>

#include "absl/status/status.h"
#include "services/worker/link/coordinator_client.h"
#include "services/worker/link/heartbeat.h"
#include "services/worker/link/running_attempts.h"
#include "services/worker/link/stop_signal.h"
#include "services/worker/link/worker_metrics.h"

namespace dovetail::link {

struct LoopOptions {
  int slots = 1;
  int64_t lease_wait_ms = 20'000;  // of one long poll
  int64_t lifetime_ms = 0;  // drains after this long, before a batch system's wall time; 0: never
};

class WorkerLoop {
 public:
  using RunAttempt = std::function<ActionResult(RunningAttempt&)>;

  // All pointers must outlive it. `stop` must call coordinator->StopLeasing() when it drains.
  WorkerLoop(const LoopOptions& options, CoordinatorClient* coordinator, RunAttempt run_attempt,
             StopSignal* stop, WorkerMetrics* metrics);

  // Until drained: OK. A coordinator that is away is waited for.
  // Errors: Unauthenticated, PermissionDenied, InvalidArgument, Unimplemented: the coordinator will
  // never take this worker.
  absl::Status Run();

 private:
  absl::Status LeaseUntilDraining(Heartbeat& heartbeat);
  void Start(const Assignment& assignment);
  void RunAndComplete(const std::shared_ptr<RunningAttempt>& attempt);
  void Complete(const RunningAttempt& attempt, const ActionResult& result);
  void JoinFinished();
  void JoinAll();

  const LoopOptions options_;
  CoordinatorClient* const coordinator_;
  const RunAttempt run_attempt_;
  StopSignal* const stop_;
  WorkerMetrics* const metrics_;
  RunningAttempts running_;
  struct Runner {
    std::shared_ptr<std::atomic<bool>> done;
    std::thread thread;
  };
  std::list<Runner> runners_;
};

}  // namespace dovetail::link

#endif  // DOVETAIL_SERVICES_WORKER_LINK_WORKER_LOOP_H_
