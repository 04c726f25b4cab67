// A few threads and strands over them: work of one strand runs one piece after another.
#ifndef DOVETAIL_COMMON_BASE_WORKER_POOL_H_
#define DOVETAIL_COMMON_BASE_WORKER_POOL_H_

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace dovetail {

// Thread-safe. The destructor runs what is queued, then joins.
class WorkerPool {
 public:
  explicit WorkerPool(int thread_count);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  void Run(std::function<void()> work);

 private:
  void Loop();

  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

// Thread-safe. May be destroyed while its work is queued: the work still runs.
class Strand {
 public:
  explicit Strand(WorkerPool* pool);
  void Run(std::function<void()> work);

 private:
  struct State;
  static void RunNext(const std::shared_ptr<State>& state);
  std::shared_ptr<State> state_;
};

}  // namespace dovetail

#endif  // DOVETAIL_COMMON_BASE_WORKER_POOL_H_
