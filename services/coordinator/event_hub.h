// Who watches a job is told that its log has grown. Carries no events: watchers read them from the
// store, so that a slow one costs nothing here.
#ifndef DOVETAIL_SERVICES_COORDINATOR_EVENT_HUB_H_
#define DOVETAIL_SERVICES_COORDINATOR_EVENT_HUB_H_

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>

namespace dovetail {

// Thread-safe.
class EventHub {
 public:
  using Callback = std::function<void(int64_t sequence)>;

  // `callback` is called on the leader's thread after the commit and must only post. Returns a
  // number for Unsubscribe, after whose return the callback is not running and never called again.
  int64_t Subscribe(int64_t job_id, Callback callback) {
    std::lock_guard lock(mutex_);
    watchers_[++next_] = {job_id, std::move(callback)};
    return next_;
  }
  void Unsubscribe(int64_t subscription) {
    std::lock_guard lock(mutex_);
    watchers_.erase(subscription);
  }
  void Notify(int64_t job_id, int64_t sequence) {
    std::lock_guard lock(mutex_);
    for (auto& [number, watcher] : watchers_) {
      if (watcher.first == job_id) watcher.second(sequence);
    }
  }

 private:
  std::mutex mutex_;
  std::map<int64_t, std::pair<int64_t, Callback>> watchers_;
  int64_t next_ = 0;
};

}  // namespace dovetail

#endif  // DOVETAIL_SERVICES_COORDINATOR_EVENT_HUB_H_
