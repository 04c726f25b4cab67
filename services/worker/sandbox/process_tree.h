// What a tree of processes uses. Called by run_caged.cc while a command runs.
#ifndef DOVETAIL_SERVICES_WORKER_SANDBOX_PROCESS_TREE_H_
#define DOVETAIL_SERVICES_WORKER_SANDBOX_PROCESS_TREE_H_

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace dovetail::sandbox {

// Every process below `root`, not itself, by /proc; other name spaces' processes are seen by their
// number here.
std::vector<pid_t> Descendants(pid_t root);

// Resident bytes that are no file's, summed over `pids`: what killing them would free. Pages shared
// after a fork count more than once.
int64_t AnonymousBytes(const std::vector<pid_t>& pids);

}  // namespace dovetail::sandbox

#endif  // DOVETAIL_SERVICES_WORKER_SANDBOX_PROCESS_TREE_H_
