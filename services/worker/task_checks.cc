#include "services/worker/task_checks.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <exception>
#include <new>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/file_io.h"
#include "common/base/nearest.h"

namespace dovetail {

absl::StatusOr<std::unique_ptr<Task>> MakeTask(const TaskRegistry& registry, const TaskInfo& info) {
  if (info.kind == TaskKind::kControl) {
    return absl::InvalidArgumentError(
        absl::StrCat("task ", info.name, " controls the flow and runs in the coordinator only"));
  }
  std::unique_ptr<Task> task = registry.Make(info.name);
  if (task != nullptr) return task;
  return absl::UnavailableError(absl::StrCat("this worker does not carry the task ", info.name,
                                             "; it has: ", absl::StrJoin(registry.Names(), ", ")));
}

absl::Status CheckInputs(const TaskInfo& info, const std::map<std::string, std::string>& files) {
  std::vector<std::string> names;
  for (const PortInfo& port : info.inputs) {
    names.push_back(port.name);
    if (!port.optional && !files.contains(port.name)) {
      return absl::InvalidArgumentError(absl::StrCat("task ", info.name, ": input \"", port.name,
                                                     "\" (", port.type, ") is missing"));
    }
  }
  for (const auto& [name, file] : files) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("task ", info.name, " has no input \"", name, "\"; did you mean \"",
                       NearestName(name, names), "\"? Known: ", absl::StrJoin(names, ", ")));
    }
    if (access(file.c_str(), R_OK) != 0) {
      return ErrnoStatus(errno, absl::StrCat("task ", info.name, ": input \"", name, "\": ", file));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Measurement> RunWithoutThrowing(Task& task, const TaskContext& context) {
  try {
    return task.Run(context);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of memory");
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("exception: ", error.what()));
  }
}

absl::Status CheckMetrics(const TaskInfo& info, const Measurement& measurement) {
  for (const auto& [name, metric] : measurement.metrics) {
    if (!std::isfinite(metric.value) || !std::isfinite(metric.standard_error)) {
      return absl::InternalError(absl::StrCat("task ", info.name, " measured ", name, " = ",
                                              metric.value, " +- ", metric.standard_error,
                                              ", which is no number"));
    }
  }
  return absl::OkStatus();
}

}  // namespace dovetail
