// Actions on their way through workers: single flight, leases, retries. Everything here is the
// leader's memory; what must survive is emitted as store changes for the caller's next commit.
// Called by the leader's thread only; knows no gRPC, no SQL, no flows.
//
// Safety does not come from clocks: an attempt's number is its fencing token, and a result counts
// only by the rules of Complete. Source: docs/decisions/0100-actions-attempts-leases.md.
#ifndef DOVETAIL_SERVICES_COORDINATOR_DISPATCH_DISPATCHER_H_
#define DOVETAIL_SERVICES_COORDINATOR_DISPATCH_DISPATCHER_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "common/domain/action.h"
#include "services/coordinator/dispatch/ready_queue.h"
#include "services/coordinator/dispatch/retry_policy.h"
#include "services/coordinator/store/store.h"

namespace dovetail::dispatch {

struct DispatchOptions {
  int64_t lease_ms = 30'000;
  int64_t heartbeat_ms = 3'000;            // at most a fifth of the lease
  int64_t worker_gone_ms = 60'000;         // silent this long: the worker is listed as gone
  int64_t default_timeout_ms = 3'600'000;  // of one attempt
  int quarantine_after = 5;                // infrastructure failures in a row
  int64_t quarantine_ms = 600'000;
  RetryOptions retry;
};

// Who waits for an action.
struct Waiter {
  int64_t job_id = 0;
  int trial = 0;
  int task_run = 0;
  auto operator<=>(const Waiter&) const = default;
};

struct WorkerOffer {
  std::string id;
  std::string host;
  std::string tenant;  // "" serves all
  std::vector<std::string> capabilities;
  std::map<std::string, std::string> tools;  // tool -> version
  std::map<std::string, int> task_versions;  // empty: all of this release
  int slots = 1;
  std::string version;
};

struct Assignment {
  std::string key;
  int attempt = 0;
  Action action;
  int64_t lease_ms = 0;
  int64_t timeout_ms = 0;
};

enum class Verdict { kContinue, kCancel };

// An action that has ended, for those who waited.
struct Finished {
  std::string key;
  ActionResult result;
  std::vector<Waiter> waiters;
};

struct Completion {
  bool accepted = false;          // the result became the action's
  bool duplicate = false;         // the same attempt and result were known already
  bool nondeterministic = false;  // a finished action came out with other bytes
};

class Dispatcher {
 public:
  Dispatcher(const DispatchOptions& options, const Clock* clock);

  // `waiter` wants `action` done. Joins an action under way; otherwise queues it. Call only for
  // actions that have not ended (the cache is looked up before). Attempts go on from
  // `last_attempt`, so that a number never comes twice for a key.
  void Submit(const Action& action, const Waiter& waiter, int priority, int last_attempt,
              std::vector<store::Change>& changes);
  // After a takeover: as Submit, for an action whose record exists. Its lease, if `leased_by` is
  // not empty, gets a full term.
  void Restore(const store::ActionRecord& record, const Waiter& waiter, int priority);

  // The waiter no longer waits. An action nobody waits for is stopped.
  void Detach(const Waiter& waiter, std::vector<store::Change>& changes);

  // Work for a worker with free slots; at most that many slots' worth.
  std::vector<Assignment> Lease(const WorkerOffer& worker, int free_slots,
                                std::vector<store::Change>& changes);

  Verdict Heartbeat(const WorkerOffer& worker, const std::string& key, int attempt);
  void SeeWorker(const WorkerOffer& worker, bool draining, std::vector<store::Change>& changes);

  // The rules: same attempt and digest again: duplicate. A fenced attempt with a good result while
  // the action is unfinished: accepted. Any other stale outcome: recorded, changes nothing. Ended
  // actions that came out finished are appended to `finished`.
  Completion Complete(const std::string& worker_id, const std::string& key, int attempt,
                      const ActionResult& result, std::vector<store::Change>& changes,
                      std::vector<Finished>& finished);

  // Expired leases, waits that are over, workers that are gone. Call a few times a second.
  void Tick(std::vector<store::Change>& changes, std::vector<Finished>& finished);

  // The version of each tool of those listed that live workers offer (the first worker's, by id);
  // FailedPrecondition naming what no live worker has.
  absl::StatusOr<std::map<std::string, std::string>> ToolVersions(
      const std::vector<std::string>& tools) const;

  const DispatchOptions& options() const { return options_; }
  int live_slots() const;  // of workers that are neither gone nor draining
  int live_worker_count() const;
  size_t ready_count() const { return ready_.size(); }
  size_t leased_count() const { return leased_count_; }
  int64_t oldest_lease_ms() const;
  // Slots in use by worker id.
  std::map<std::string, int> BusySlots() const;
  // Counters since start, for metrics.
  struct Counters {
    int64_t leases = 0;
    int64_t expired_leases = 0;
    int64_t completions = 0;
    int64_t duplicates = 0;
    int64_t stale_results = 0;
    int64_t retries = 0;
    int64_t nondeterministic = 0;
  };
  const Counters& counters() const { return counters_; }

 private:
  struct Live {  // an unfinished action
    store::ActionRecord record;
    std::set<Waiter> waiters;
    int priority = 0;
    FailureCounts failures;
    double timeout_scale = 1.0;
    int64_t not_before_ms = 0;     // steady; waiting out a back-off
    std::string leased_by;         // worker id; empty: not leased
    int64_t lease_expires_ms = 0;  // steady
    int64_t leased_at_ms = 0;      // steady
    int64_t order = 0;
    store::AttemptRecord attempt;  // the running one
  };
  struct SeenWorker {
    WorkerOffer offer;
    int64_t last_seen_ms = 0;      // steady
    int64_t last_recorded_ms = 0;  // steady
    int64_t registered_wall_ms = 0;
    int infrastructure_failures = 0;  // in a row
    int64_t quarantined_until_ms = 0;
    std::string state;
  };

  void Enqueue(Live& live);
  bool Fits(const Action& action, const WorkerOffer& worker, int free_slots) const;
  void Release(Live& live);
  void EndAttempt(Live& live, const std::string& state, const ActionResult* result,
                  std::vector<store::Change>& changes);
  void Finish(Live& live, const ActionResult& result, std::vector<store::Change>& changes,
              std::vector<Finished>& finished);
  void RetryOrFinish(Live& live, const ActionResult& result, std::vector<store::Change>& changes,
                     std::vector<Finished>& finished);
  void RecordWorker(SeenWorker& worker, const std::string& state,
                    std::vector<store::Change>& changes);
  void CountWorkerOutcome(const std::string& worker_id, Outcome outcome,
                          std::vector<store::Change>& changes);

  DispatchOptions options_;
  const Clock* clock_;
  ReadyQueue ready_;
  std::map<std::string, Live> live_;                    // by action key
  std::map<Waiter, std::string> waiting_for_;           // waiter -> key
  std::set<std::pair<int64_t, std::string>> leases_;    // expiry, key
  std::set<std::pair<int64_t, std::string>> backoffs_;  // not before, key
  std::map<std::string, SeenWorker> workers_;
  // Results of recently ended actions, so that a repeated completion is known as such.
  struct Ended {
    std::map<int, std::string> result_digests;  // attempt -> digest
    std::string accepted_outputs;
  };
  std::map<std::string, Ended> ended_;
  std::vector<std::string> ended_order_;
  size_t leased_count_ = 0;
  int64_t next_order_ = 0;
  Counters counters_;
};

// SHA-256 over what must be equal for two completions to be the same.
std::string ResultDigest(const ActionResult& result);

}  // namespace dovetail::dispatch

#endif  // DOVETAIL_SERVICES_COORDINATOR_DISPATCH_DISPATCHER_H_
