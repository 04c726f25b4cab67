#include "services/coordinator/coordinator_metrics.h"

namespace dovetail {

void ExportLeader(MetricsRegistry& registry, const Leader& leader) {
  const auto gauge = [&](const char* name, const char* help) {
    return registry.AddGauge(name, help);
  };
  const Gauge jobs = gauge("dovetail_coordinator_jobs_count", "jobs that have not ended");
  const Gauge trials = gauge("dovetail_coordinator_running_trials_count", "trials under way");
  const Gauge ready = gauge("dovetail_dispatch_ready_actions_count", "actions that could run now");
  const Gauge leased = gauge("dovetail_dispatch_leased_actions_count", "actions under lease");
  const Gauge workers = gauge("dovetail_dispatch_live_workers_count", "workers heard from lately");
  const Gauge slots = gauge("dovetail_dispatch_live_slots_count", "slots of live workers");
  const Gauge oldest = gauge("dovetail_dispatch_oldest_lease_seconds", "age of the oldest lease");
  const Gauge leases = gauge("dovetail_dispatch_leases_total", "leases given since start");
  const Gauge expired = gauge("dovetail_dispatch_expired_leases_total", "leases that ran out");
  const Gauge completions = gauge("dovetail_dispatch_completions_total", "completions received");
  const Gauge duplicates = gauge("dovetail_dispatch_duplicates_total", "completions known already");
  const Gauge stale = gauge("dovetail_dispatch_stale_results_total", "results of fenced attempts");
  const Gauge retries = gauge("dovetail_dispatch_retries_total", "attempts tried again");
  const Gauge other = gauge("dovetail_dispatch_nondeterministic_total",
                            "finished actions that came out with other bytes");
  const Gauge commits = gauge("dovetail_store_commits_total", "transactions of the leader");
  const Gauge changes = gauge("dovetail_store_changes_total", "rows written by the leader");
  const Gauge seconds = gauge("dovetail_store_commit_seconds_total", "time spent committing");
  registry.OnScrape([=, &leader] {
    const Leader::Status status = leader.status();
    jobs.Set(status.jobs);
    trials.Set(status.running_trials);
    ready.Set(status.ready_actions);
    leased.Set(status.leased_actions);
    workers.Set(status.live_workers);
    slots.Set(status.live_slots);
    oldest.Set(static_cast<double>(status.oldest_lease_ms) / 1000.0);
    leases.Set(static_cast<double>(status.dispatch.leases));
    expired.Set(static_cast<double>(status.dispatch.expired_leases));
    completions.Set(static_cast<double>(status.dispatch.completions));
    duplicates.Set(static_cast<double>(status.dispatch.duplicates));
    stale.Set(static_cast<double>(status.dispatch.stale_results));
    retries.Set(static_cast<double>(status.dispatch.retries));
    other.Set(static_cast<double>(status.dispatch.nondeterministic));
    commits.Set(static_cast<double>(status.commits));
    changes.Set(static_cast<double>(status.committed_changes));
    seconds.Set(status.commit_seconds);
  });
}

}  // namespace dovetail
