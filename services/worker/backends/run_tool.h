// Runs a tool and tells its failure by its own error line. Called by all backends.
#ifndef DOVETAIL_SERVICES_WORKER_BACKENDS_RUN_TOOL_H_
#define DOVETAIL_SERVICES_WORKER_BACKENDS_RUN_TOOL_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/worker/sandbox/run_caged.h"

namespace dovetail::backends {

// Errors: those of RunCaged and CommandStatus; an exit code that is not 0 is Internal with the
// first line of the output that says "error" (any case), else the last.
absl::StatusOr<sandbox::CommandResult> RunTool(absl::string_view name,
                                               const sandbox::CommandSpec& spec);

// The first line `program version_flag` prints.
// Errors: FailedPrecondition "... cannot be run ...: install <what>".
absl::StatusOr<std::string> ToolVersion(const std::string& program, const std::string& version_flag,
                                        absl::string_view what);

}  // namespace dovetail::backends

#endif  // DOVETAIL_SERVICES_WORKER_BACKENDS_RUN_TOOL_H_
