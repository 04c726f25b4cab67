#include "services/worker/backends/run_tool.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"

namespace dovetail::backends {

absl::StatusOr<sandbox::CommandResult> RunTool(absl::string_view name,
                                               const sandbox::CommandSpec& spec) {
  ASSIGN_OR_RETURN(sandbox::CommandResult result, sandbox::RunCaged(spec));
  const absl::Status status = sandbox::CommandStatus(name, spec, result);
  if (!absl::IsInternal(status)) {
    RETURN_IF_ERROR(status);
    return result;
  }
  for (const std::string& text : {result.stderr_text, result.stdout_text}) {
    for (absl::string_view line : absl::StrSplit(text, '\n')) {
      if (absl::StrContains(absl::AsciiStrToLower(line), "error")) {
        return absl::InternalError(absl::StrCat(name, ": exit code ", result.exit_code, ": ",
                                                absl::StripAsciiWhitespace(line)));
      }
    }
  }
  return status;
}

absl::StatusOr<std::string> ToolVersion(const std::string& program, const std::string& version_flag,
                                        absl::string_view what) {
  const absl::StatusOr<sandbox::CommandResult> result =
      sandbox::RunCaged({.argv = {program, version_flag}, .timeout_ms = 30'000});
  if (!result.ok() || !result->ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat("the program \"", program, "\" cannot be run (",
                     result.ok() ? absl::StrCat("exit code ", result->exit_code)
                                 : std::string(result.status().message()),
                     "): install ", what));
  }
  const absl::string_view text = result->stdout_text;
  return std::string(absl::StripAsciiWhitespace(text.substr(0, text.find('\n'))));
}

}  // namespace dovetail::backends
