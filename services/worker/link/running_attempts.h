// The attempts this worker runs, between the loop that starts them and the heartbeat that speaks
// for them.
#ifndef DOVETAIL_SERVICES_WORKER_LINK_RUNNING_ATTEMPTS_H_
#define DOVETAIL_SERVICES_WORKER_LINK_RUNNING_ATTEMPTS_H_

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "services/worker/link/assignment.h"

namespace dovetail::link {

struct RunningAttempt {
  Assignment assignment;
  std::atomic<bool> cancel{false};
  // Directory that the task appends its progress lines in; "" until there is one.
  std::string ProgressDirectory() const {
    std::lock_guard lock(mutex);
    return progress_directory;
  }
  void SetProgressDirectory(const std::string& directory) {
    std::lock_guard lock(mutex);
    progress_directory = directory;
  }

 private:
  mutable std::mutex mutex;
  std::string progress_directory;
};

// Thread-safe.
class RunningAttempts {
 public:
  std::shared_ptr<RunningAttempt> Add(const Assignment& assignment) {
    auto attempt = std::make_shared<RunningAttempt>();
    attempt->assignment = assignment;
    std::lock_guard lock(mutex_);
    all_.push_back(attempt);
    return attempt;
  }
  void Remove(const std::shared_ptr<RunningAttempt>& attempt) {
    std::lock_guard lock(mutex_);
    std::erase(all_, attempt);
  }
  std::vector<std::shared_ptr<RunningAttempt>> All() const {
    std::lock_guard lock(mutex_);
    return all_;
  }
  int BusySlots() const {
    std::lock_guard lock(mutex_);
    int busy = 0;
    for (const auto& attempt : all_) busy += attempt->assignment.cpu_slots;
    return busy;
  }
  bool Empty() const {
    std::lock_guard lock(mutex_);
    return all_.empty();
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<RunningAttempt>> all_;
};

}  // namespace dovetail::link

#endif  // DOVETAIL_SERVICES_WORKER_LINK_RUNNING_ATTEMPTS_H_
