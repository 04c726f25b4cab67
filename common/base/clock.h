// Time as a dependency: wall time for records, steady time for leases and time-outs.
// Everything that waits or stamps takes a Clock; tests pass a FakeClock.
#ifndef DOVETAIL_COMMON_BASE_CLOCK_H_
#define DOVETAIL_COMMON_BASE_CLOCK_H_

#include <atomic>
#include <chrono>
#include <cstdint>

namespace dovetail {

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // Milliseconds since the Unix epoch. For records only: never decides a lease.
  virtual int64_t WallMs() const = 0;
  // Milliseconds of a clock that never goes back.
  virtual int64_t SteadyMs() const = 0;
};

class SystemClock : public Clock {
 public:
  int64_t WallMs() const override {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
  int64_t SteadyMs() const override {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }
};

// Moves only when told to.
class FakeClock : public Clock {
 public:
  explicit FakeClock(int64_t start_ms = 1'000'000) : now_ms_(start_ms) {}
  int64_t WallMs() const override { return now_ms_.load(); }
  int64_t SteadyMs() const override { return now_ms_.load(); }
  void AdvanceMs(int64_t by_ms) { now_ms_ += by_ms; }

 private:
  std::atomic<int64_t> now_ms_;
};

}  // namespace dovetail

#endif  // DOVETAIL_COMMON_BASE_CLOCK_H_
