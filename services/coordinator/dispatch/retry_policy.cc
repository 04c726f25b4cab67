#include "services/coordinator/dispatch/retry_policy.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/digest.h"

namespace dovetail::dispatch {
namespace {

// Doubling with the count, spread over [1/2, 1] of it so that a lost node's work comes back apart.
int64_t Backoff(int64_t first_ms, int64_t max_ms, int count, absl::string_view key) {
  int64_t delay = first_ms;
  for (int i = 1; i < count && delay < max_ms; ++i) delay *= 2;
  delay = std::min(delay, max_ms);
  const uint64_t spread = Sha256Seed(absl::StrCat(key, "/", count)) % 1024;
  return delay / 2 + delay * static_cast<int64_t>(spread) / 2048;
}

}  // namespace

void CountFailure(Outcome outcome, FailureCounts& counts) {
  switch (outcome) {
    case Outcome::kInfrastructure:
      ++counts.infrastructure;
      break;
    case Outcome::kTimeout:
      ++counts.timeouts;
      break;
    case Outcome::kOutOfMemory:
      ++counts.out_of_memory;
      break;
    case Outcome::kLicence:
      ++counts.licence;
      break;
    default:
      break;
  }
}

RetryDecision DecideRetry(Outcome outcome, const FailureCounts& counts, absl::string_view key,
                          const RetryOptions& options) {
  switch (outcome) {
    case Outcome::kInfrastructure:
      return {.retry = counts.infrastructure < options.max_infrastructure_attempts,
              .delay_ms =
                  Backoff(options.backoff_ms, options.max_backoff_ms, counts.infrastructure, key)};
    case Outcome::kTimeout:
      return {.retry = counts.timeouts < options.max_timeout_attempts,
              .timeout_scale = options.timeout_growth};
    case Outcome::kOutOfMemory:
      return {.retry = counts.out_of_memory < options.max_out_of_memory_attempts,
              .delay_ms = options.backoff_ms};
    case Outcome::kLicence:
      return {.retry = true,
              .delay_ms =
                  Backoff(options.licence_backoff_ms, options.max_backoff_ms, counts.licence, key)};
    case Outcome::kCancelled:
      return {.retry = true};  // a worker drained; the action is still wanted
    default:
      return {};
  }
}

}  // namespace dovetail::dispatch
