#include "services/worker/link/capabilities.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "common/domain/task_info.h"
#include "common/telemetry/log.h"
#include "services/worker/sandbox/run_caged.h"

namespace dovetail::link {
namespace {

struct KnownTool {
  const char* name;  // the capability and the program
  const char* version_flag;
};
constexpr KnownTool kTools[] = {{"yosys", "-V"}, {"verilator", "--version"}};
constexpr char kTrain[] = "train";

std::string ToolVersion(const KnownTool& tool) {
  sandbox::CommandSpec command;
  command.argv = {tool.name, tool.version_flag};
  command.timeout_ms = 10'000;
  const absl::StatusOr<sandbox::CommandResult> result = sandbox::RunCaged(command);
  if (!result.ok() || !result->ok()) {
    const absl::Status why =
        result.ok() ? sandbox::CommandStatus(tool.name, command, *result) : result.status();
    LogInfo("tool not offered", {{"tool", tool.name}, {"why", std::string(why.message())}});
    return "";
  }
  return VersionIn(result->stdout_text);
}

bool CarriesTraining(const std::vector<std::string>& carried) {
  return std::any_of(carried.begin(), carried.end(), [](const std::string& name) {
    const absl::StatusOr<const TaskInfo*> info = FindTaskInfo(name);
    return info.ok() &&
           std::count((*info)->capabilities.begin(), (*info)->capabilities.end(), kTrain) > 0;
  });
}

}  // namespace

Capabilities ProbeCapabilities(const std::vector<std::string>& carried) {
  Capabilities found;
  if (CarriesTraining(carried)) found.names.push_back(kTrain);
  for (const KnownTool& tool : kTools) {
    const std::string version = ToolVersion(tool);
    if (version.empty()) continue;
    found.names.push_back(tool.name);
    found.tools[tool.name] = version;
  }
  return found;
}

std::string VersionIn(absl::string_view text) {
  for (const absl::string_view word : absl::StrSplit(text, absl::ByAnyChar(" \t\n,"))) {
    if (!word.empty() && absl::ascii_isdigit(word[0]) &&
        word.find('.') != absl::string_view::npos) {
      return std::string(word);
    }
  }
  return "";
}

std::map<std::string, int> TaskVersions(const std::vector<std::string>& carried) {
  std::map<std::string, int> versions;
  for (const std::string& name : carried) {
    const absl::StatusOr<const TaskInfo*> info = FindTaskInfo(name);
    if (info.ok()) versions[name] = (*info)->version;
  }
  return versions;
}

}  // namespace dovetail::link
