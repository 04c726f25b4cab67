// Speaks for the running attempts, from a thread and over a channel of its own, so that neither
// uploads nor a busy machine cost a lease. Called by the worker loop.
#ifndef DOVETAIL_SERVICES_WORKER_LINK_HEARTBEAT_H_
#define DOVETAIL_SERVICES_WORKER_LINK_HEARTBEAT_H_

#include <atomic>
#include <cstdint>
#include <thread>

#include "services/worker/link/coordinator_client.h"
#include "services/worker/link/running_attempts.h"
#include "services/worker/link/stop_signal.h"
#include "services/worker/link/worker_metrics.h"

namespace dovetail::link {

class Heartbeat {
 public:
  // Starts beating. All pointers must outlive it.
  Heartbeat(CoordinatorClient* coordinator, RunningAttempts* running, StopSignal* stop,
            WorkerMetrics* metrics);
  ~Heartbeat();

  void SetPeriodMs(int64_t period_ms);

 private:
  void Loop();
  void BeatOnce();

  CoordinatorClient* const coordinator_;
  RunningAttempts* const running_;
  StopSignal* const stop_;
  WorkerMetrics* const metrics_;
  std::atomic<int64_t> period_ms_{3'000};
  StopSignal end_;
  std::thread thread_;
};

}  // namespace dovetail::link

#endif  // DOVETAIL_SERVICES_WORKER_LINK_HEARTBEAT_H_
