// Runs one command in a cage: no shell, a known environment, limits, and a tree of processes that
// dies as a whole, with its parent or at the end of its time. Called by the worker's daemon for
// tasks and by tasks for tools. This room alone forks and executes; it knows nothing of tasks.
#ifndef DOVETAIL_SERVICES_WORKER_SANDBOX_RUN_CAGED_H_
#define DOVETAIL_SERVICES_WORKER_SANDBOX_RUN_CAGED_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace dovetail::sandbox {

enum class CageKind {
  // Bubblewrap where it works; plain inside a cage (once is enough), and plain with one warning
  // where there is no bubblewrap.
  kAuto,
  // Fails with FailedPrecondition where bubblewrap does not work.
  kBubblewrap,
  // No name spaces: limits and whole-tree kill only.
  kPlain,
};

struct CommandSpec {
  // argv[0] is a path or a name looked up in PATH. Never goes through a shell.
  std::vector<std::string> argv;
  // All that the command gets beside PATH, HOME, TMPDIR and LANG=C.UTF-8, which may be set here.
  std::map<std::string, std::string> environment;
  std::string working_directory;  // must be visible in the cage; "": the first writable directory
  std::string stdin_file;         // "": empty input
  std::string stdout_file;        // "": captured in the result, clipped
  std::string stderr_file;        // "": captured in the result, clipped
  int64_t captured_bytes = 1024;  // kept of the start and of the end of each captured stream

  // Bubblewrap only: what the cage shows beside the system's /usr, read-only and writable. /tmp is
  // private, there is no network.
  std::vector<std::string> readable;
  std::vector<std::string> writable;
  CageKind cage = CageKind::kAuto;

  int64_t timeout_ms = 0;                     // wall time; 0: none
  const std::atomic<bool>* cancel = nullptr;  // set by another thread: the tree is killed
  int64_t memory_limit_bytes = 0;             // of the whole tree, and of each process; 0: none
  int64_t file_limit_bytes = 0;               // of each file written; 0: none
  // Of all files below the first writable directory, looked at every two seconds; 0: none.
  int64_t disk_limit_bytes = 0;
};

struct CommandResult {
  int exit_code = 0;  // 128 + signal where a signal ended it
  int signal = 0;
  bool timed_out = false;
  bool cancelled = false;
  bool memory_exceeded = false;
  bool disk_exceeded = false;
  std::string stdout_text;  // clipped
  std::string stderr_text;  // clipped
  double wall_seconds = 0;
  double cpu_seconds = 0;      // of all processes of the tree that were waited for
  int64_t peak_rss_bytes = 0;  // of the largest process, or of the tree where that was seen larger

  bool ok() const {
    return exit_code == 0 && signal == 0 && !timed_out && !cancelled && !memory_exceeded &&
           !disk_exceeded;
  }
};

// Blocks until every process of the command's tree is gone. A command that fails is a result, not
// an error. Thread-safe.
// Errors: InvalidArgument: no argv; NotFound: no such program or stdin file; PermissionDenied: may
// not be executed; FailedPrecondition: no bubblewrap where it was asked for; ResourceExhausted: no
// processes or descriptors left; Unavailable: the supervisor was killed from outside.
absl::StatusOr<CommandResult> RunCaged(const CommandSpec& spec);

// How a finished command is told: OK; Aborted cancelled; DeadlineExceeded with the limit;
// ResourceExhausted out of memory or disk; Internal "name: exit code 3: <last line of its output>".
absl::Status CommandStatus(absl::string_view name, const CommandSpec& spec,
                           const CommandResult& result);

// Whether RunCaged with kAuto uses bubblewrap in this process; probed once.
bool BubblewrapWorks();

// True inside a cage of bubblewrap made by RunCaged.
bool InsideCage();

// PATH of this process.
std::string DefaultPath();

// The program's file by a PATH (a name with a slash is its own file); "" where there is none.
std::string FindProgram(const std::string& name, const std::string& path = DefaultPath());

// Becomes another program; returns only on failure.
absl::Status ReplaceProcess(const std::string& program, const std::vector<std::string>& argv);

}  // namespace dovetail::sandbox

#endif  // DOVETAIL_SERVICES_WORKER_SANDBOX_RUN_CAGED_H_
