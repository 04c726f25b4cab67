// What a worker counts, by name. Called by link.
#ifndef DOVETAIL_SERVICES_WORKER_LINK_WORKER_METRICS_H_
#define DOVETAIL_SERVICES_WORKER_LINK_WORKER_METRICS_H_

#include <string>

#include "common/telemetry/metrics.h"

namespace dovetail::link {

// Thread-safe. `registry` must outlive it.
class WorkerMetrics {
 public:
  explicit WorkerMetrics(MetricsRegistry& registry)
      : cache_hits(registry.AddCounter("dovetail_worker_input_cache_hits_total",
                                       "Input artifacts found on this worker")),
        cache_misses(registry.AddCounter("dovetail_worker_input_cache_misses_total",
                                         "Input artifacts downloaded")),
        download_bytes(registry.AddCounter("dovetail_worker_download_bytes_total",
                                           "Of input artifacts, unpacked")),
        upload_bytes(registry.AddCounter("dovetail_worker_upload_bytes_total",
                                         "Of output artifacts, unpacked")),
        heartbeat_failures(registry.AddCounter("dovetail_worker_heartbeat_failures_total",
                                               "Heartbeats that got no answer")),
        cancelled_attempts(registry.AddCounter("dovetail_worker_cancelled_attempts_total",
                                               "Attempts the coordinator called off")),
        slots(registry.AddGauge("dovetail_worker_slots_count", "CPU slots of this worker")),
        busy_slots(registry.AddGauge("dovetail_worker_busy_slots_count", "CPU slots in use")),
        draining(registry.AddGauge("dovetail_worker_draining_count",
                                   "1 while no more work is taken, else 0")),
        registry_(registry) {}

  void CountTask(const std::string& task, const std::string& outcome, double seconds) {
    registry_
        .AddCounter("dovetail_worker_tasks_total", "Attempts run, by task and outcome",
                    {{"task", task}, {"outcome", outcome}})
        .Increment();
    registry_
        .AddHistogram("dovetail_worker_task_seconds", "Wall time of attempts", TaskSecondsBuckets(),
                      {{"task", task}})
        .Observe(seconds);
  }

  Counter cache_hits;
  Counter cache_misses;
  Counter download_bytes;
  Counter upload_bytes;
  Counter heartbeat_failures;
  Counter cancelled_attempts;
  Gauge slots;
  Gauge busy_slots;
  Gauge draining;

 private:
  MetricsRegistry& registry_;
};

}  // namespace dovetail::link

#endif  // DOVETAIL_SERVICES_WORKER_LINK_WORKER_METRICS_H_
