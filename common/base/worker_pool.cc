#include "common/base/worker_pool.h"

#include <utility>

namespace dovetail {

WorkerPool::WorkerPool(int thread_count) {
  for (int i = 0; i < thread_count; ++i) threads_.emplace_back([this] { Loop(); });
}

WorkerPool::~WorkerPool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ready_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void WorkerPool::Run(std::function<void()> work) {
  {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
  }
  ready_.notify_one();
}

void WorkerPool::Loop() {
  while (true) {
    std::function<void()> work;
    {
      std::unique_lock lock(mutex_);
      ready_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      work = std::move(queue_.front());
      queue_.pop_front();
    }
    work();
  }
}

struct Strand::State {
  WorkerPool* pool = nullptr;
  std::mutex mutex;
  std::deque<std::function<void()>> queue;
  bool running = false;
};

Strand::Strand(WorkerPool* pool) : state_(std::make_shared<State>()) { state_->pool = pool; }

void Strand::Run(std::function<void()> work) {
  {
    std::lock_guard lock(state_->mutex);
    state_->queue.push_back(std::move(work));
    if (state_->running) return;
    state_->running = true;
  }
  state_->pool->Run([state = state_] { RunNext(state); });
}

void Strand::RunNext(const std::shared_ptr<State>& state) {
  std::function<void()> work;
  {
    std::lock_guard lock(state->mutex);
    work = std::move(state->queue.front());
    state->queue.pop_front();
  }
  work();
  {
    std::lock_guard lock(state->mutex);
    if (state->queue.empty()) {
      state->running = false;
      return;
    }
  }
  state->pool->Run([state] { RunNext(state); });
}

}  // namespace dovetail
