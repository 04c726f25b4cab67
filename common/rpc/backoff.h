// Exponential back-off with jitter: how long to wait before the next try. Pure; the caller waits.
// Called by retries here and by the worker's link when the coordinator is away.
// Source: Brooker 2015, "Exponential backoff and jitter" (equal jitter: half fixed, half drawn).
#ifndef DOVETAIL_COMMON_RPC_BACKOFF_H_
#define DOVETAIL_COMMON_RPC_BACKOFF_H_

#include <algorithm>
#include <cstdint>

#include "common/base/rng.h"

namespace dovetail::rpc {

// Not thread-safe.
class Backoff {
 public:
  // 0 < initial_ms <= max_ms.
  Backoff(int64_t initial_ms, int64_t max_ms, uint64_t seed)
      : initial_ms_(initial_ms), max_ms_(max_ms), next_ms_(initial_ms), rng_(seed) {}

  // In [d/2, d], where d doubles from initial_ms to max_ms.
  int64_t NextMs() {
    const int64_t whole_ms = next_ms_;
    next_ms_ = std::min(max_ms_, next_ms_ * 2);
    return whole_ms / 2 + static_cast<int64_t>(rng_.Below(whole_ms - whole_ms / 2 + 1));
  }

  // After a success.
  void Reset() { next_ms_ = initial_ms_; }

 private:
  int64_t initial_ms_;
  int64_t max_ms_;
  int64_t next_ms_;
  Rng rng_;
};

}  // namespace dovetail::rpc

#endif  // DOVETAIL_COMMON_RPC_BACKOFF_H_
