// Repeats what is Unavailable: a coordinator that restarts must not cost finished work.
#ifndef DOVETAIL_SERVICES_WORKER_LINK_RETRY_H_
#define DOVETAIL_SERVICES_WORKER_LINK_RETRY_H_

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "common/rpc/backoff.h"

namespace dovetail::link {

struct RetryOptions {
  int64_t initial_ms = 100;
  int64_t max_ms = 5'000;
  uint64_t jitter_seed = 1;
};

// Calls `call` until it is anything but Unavailable or DeadlineExceeded. `wait` sleeps and returns
// false to give up; the last status is returned then.
inline absl::Status RetryWhileAway(const RetryOptions& options,
                                   const std::function<bool(int64_t wait_ms)>& wait,
                                   const std::function<absl::Status()>& call) {
  rpc::Backoff backoff(options.initial_ms, options.max_ms, options.jitter_seed);
  while (true) {
    const absl::Status status = call();
    if (!absl::IsUnavailable(status) && !absl::IsDeadlineExceeded(status)) return status;
    if (!wait(backoff.NextMs())) return status;
  }
}

}  // namespace dovetail::link

#endif  // DOVETAIL_SERVICES_WORKER_LINK_RETRY_H_
