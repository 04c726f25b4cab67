// The process between RunCaged and the command: adopts whatever the command leaves behind, kills
// the whole tree when its parent says so or dies, and reports how the command ended. Called by
// run_caged.cc only.
//
// It runs in a fork of a process with threads and never executes another program itself, so it must
// keep to async-signal-safe calls: no allocation, no locks, no stdio.
#ifndef DOVETAIL_SERVICES_WORKER_SANDBOX_SUPERVISOR_H_
#define DOVETAIL_SERVICES_WORKER_SANDBOX_SUPERVISOR_H_

#include <cstdint>

namespace dovetail::sandbox {

// All that the supervisor needs, prepared before the fork.
struct SupervisorPlan {
  const char* program;  // absolute path
  char* const* argv;
  char* const* envp;
  const char* working_directory;  // null: as the parent's
  int stdin_fd;
  int stdout_fd;
  int stderr_fd;
  int control_fd;               // read end; end of file there means: kill everything
  int report_fd;                // write end, close-on-exec
  uint64_t memory_limit_bytes;  // 0: none
  uint64_t file_limit_bytes;    // 0: none
  bool forbid_new_privileges;
};

// Written once to report_fd.
struct SupervisorReport {
  int32_t exec_errno;   // not 0: the command never started
  int32_t wait_status;  // of waitpid
  double cpu_seconds;
  int64_t peak_rss_bytes;
};

// In the forked child. Never returns.
[[noreturn]] void Supervise(const SupervisorPlan& plan);

}  // namespace dovetail::sandbox

#endif  // DOVETAIL_SERVICES_WORKER_SANDBOX_SUPERVISOR_H_
