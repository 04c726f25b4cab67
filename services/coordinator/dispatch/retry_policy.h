// What to do with an attempt that ended: finish its action, or try again, and when.
// Called by the dispatcher. Pure.
//
// Outcome classes follow the glossary; the numbers answer the failures that peers' users report
// (docs/decisions/0101-outcome-classes.md).
#ifndef DOVETAIL_SERVICES_COORDINATOR_DISPATCH_RETRY_POLICY_H_
#define DOVETAIL_SERVICES_COORDINATOR_DISPATCH_RETRY_POLICY_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "common/domain/action.h"

namespace dovetail::dispatch {

struct RetryOptions {
  int max_infrastructure_attempts = 3;  // lost nodes, expired leases
  int max_timeout_attempts = 2;         // the second with timeout_growth times the budget
  int max_out_of_memory_attempts = 2;
  double timeout_growth = 2.0;
  int64_t backoff_ms = 500;  // doubles with every failure, up to max_backoff_ms
  int64_t max_backoff_ms = 60'000;
  int64_t licence_backoff_ms = 5'000;
};

// How an action has fared so far. Licence refusals and cancellations count for nothing.
struct FailureCounts {
  int infrastructure = 0;
  int timeouts = 0;
  int out_of_memory = 0;
  int licence = 0;
};

struct RetryDecision {
  bool retry = false;
  int64_t delay_ms = 0;
  double timeout_scale = 1.0;  // of the task's own time budget
};

// `counts` includes the failure being judged. `key` spreads the delays: equal for equal inputs.
RetryDecision DecideRetry(Outcome outcome, const FailureCounts& counts, absl::string_view key,
                          const RetryOptions& options);

// Adds `outcome` to `counts`.
void CountFailure(Outcome outcome, FailureCounts& counts);

}  // namespace dovetail::dispatch

#endif  // DOVETAIL_SERVICES_COORDINATOR_DISPATCH_RETRY_POLICY_H_
