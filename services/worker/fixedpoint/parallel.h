// A loop cut into equal runs, one per thread. Which thread does what never changes a result.
#ifndef DOVETAIL_SERVICES_WORKER_FIXEDPOINT_PARALLEL_H_
#define DOVETAIL_SERVICES_WORKER_FIXEDPOINT_PARALLEL_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace dovetail::fixedpoint {

// Calls body(begin, end) for runs that cover [0, count). body must not throw.
inline void ParallelFor(int thread_count, int64_t count,
                        const std::function<void(int64_t, int64_t)>& body) {
  const int64_t runs = std::min<int64_t>(std::max(thread_count, 1), count);
  if (runs <= 1) {
    if (count > 0) body(0, count);
    return;
  }
  std::vector<std::thread> threads;
  for (int64_t r = 1; r < runs; ++r) {
    threads.emplace_back(body, count * r / runs, count * (r + 1) / runs);
  }
  body(0, count / runs);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace dovetail::fixedpoint

#endif  // DOVETAIL_SERVICES_WORKER_FIXEDPOINT_PARALLEL_H_
