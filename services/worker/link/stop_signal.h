// When to stop: drain (take no more work) and stop (give up waiting). Set by signals, heartbeats
// and the lifetime; waited on everywhere in link.
#ifndef DOVETAIL_SERVICES_WORKER_LINK_STOP_SIGNAL_H_
#define DOVETAIL_SERVICES_WORKER_LINK_STOP_SIGNAL_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>

namespace dovetail::link {

// Thread-safe. Neither flag is ever taken back.
class StopSignal {
 public:
  // `on_drain` runs once, in the thread that sets the flag.
  explicit StopSignal(std::function<void()> on_drain = nullptr) : on_drain_(std::move(on_drain)) {}

  void Drain() {
    if (draining_.exchange(true)) return;
    if (on_drain_) on_drain_();
    Wake();
  }
  void Stop() {
    Drain();
    stopped_ = true;
    Wake();
  }
  bool draining() const { return draining_; }
  bool stopped() const { return stopped_; }

  // Waiters look at their conditions again.
  void Wake() {
    std::lock_guard lock(mutex_);
    changed_.notify_all();
  }
  // Until `done` holds, stop, or the time is over. `done` must not block nor wake.
  void Wait(int64_t wait_ms, const std::function<bool()>& done) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::milliseconds(wait_ms), [&] { return stopped_ || done(); });
  }
  // False when stopped before the time was over.
  bool Sleep(int64_t wait_ms) {
    Wait(wait_ms, [] { return false; });
    return !stopped_;
  }

 private:
  const std::function<void()> on_drain_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<bool> draining_{false};
  std::atomic<bool> stopped_{false};
};

}  // namespace dovetail::link

#endif  // DOVETAIL_SERVICES_WORKER_LINK_STOP_SIGNAL_H_
