// Processes that outlive a command: started in a session of their own (so that Ctrl-C misses them),
// known by pid files, stopped with their whole group. The command line's only spawn.
#ifndef DOVETAIL_SERVICES_CLI_LOCAL_PROCESS_H_
#define DOVETAIL_SERVICES_CLI_LOCAL_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace dovetail::cli {

// Runs to its end, standard input empty. Its output (both streams, at most the last 64 KiB) is
// returned.
// Errors: NotFound: no such program; Internal: it failed, with its last line.
absl::StatusOr<std::string> RunProgram(const std::vector<std::string>& command);

// Starts `command` in the background with its output appended to `log_file`, and writes `pid_file`.
// Errors: NotFound: no such program; PermissionDenied / ResourceExhausted of the files.
absl::Status StartDaemon(const std::vector<std::string>& command, const std::string& log_file,
                         const std::string& pid_file);

// The process that `pid_file` names, 0 where it has ended (a number taken by another process since
// is told apart by the time it began).
pid_t LivingProcess(const std::string& pid_file);

// SIGTERM, then after `grace_ms` SIGKILL to its group; removes the pid file. OK where it has ended.
void StopDaemon(const std::string& pid_file, int64_t grace_ms);

// The last line of a log that is not empty, "" where there is none.
std::string LastLine(const std::string& file);

// `name` in the directories of PATH, as an absolute path; "" where there is none.
std::string FindOnPath(const std::string& name);
// The directory of this very binary.
std::string OwnDirectory();

}  // namespace dovetail::cli

#endif  // DOVETAIL_SERVICES_CLI_LOCAL_PROCESS_H_
