// What a task type is: ports, parameters, version, what it needs. The worker registers these beside
// the implementations; the coordinator checks flows against the same catalogue; the reference pages
// are generated from it.
#ifndef DOVETAIL_COMMON_DOMAIN_TASK_INFO_H_
#define DOVETAIL_COMMON_DOMAIN_TASK_INFO_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/domain/value.h"

namespace dovetail {

enum class TaskKind { kOptimize, kTransform, kControl };  // O, lambda, K

struct PortInfo {
  std::string name;  // "network"
  std::string type;  // "network", "dataset", "rtl", "design", "report", "onnx", "npz", "summary"
  bool optional = false;
};

struct ParameterInfo {
  std::string name;
  std::string type;     // "number", "integer", "boolean", "string", "list", "map"
  Value default_value;  // null: required
  std::string unit;
  std::string description;
};

struct TaskInfo {
  std::string name;
  TaskKind kind = TaskKind::kTransform;
  int version = 1;
  std::string purpose;  // one line
  std::vector<PortInfo> inputs;
  std::vector<PortInfo> outputs;
  std::vector<ParameterInfo> parameters;
  std::vector<std::string> metrics;       // names it measures
  std::vector<std::string> capabilities;  // "train", "yosys", ...
  std::vector<std::string> tools;         // whose versions belong to the action key
  bool uses_seed = false;                 // the evaluation seed belongs to the key
  int cpu_slots = 1;
};

// All O- and lambda-tasks, by name, and the K-tasks. One explicit list.
const std::vector<TaskInfo>& TaskCatalogue();

// Errors: NotFound with the nearest name and the list.
absl::StatusOr<const TaskInfo*> FindTaskInfo(absl::string_view name);

// `given` with defaults filled in.
// Errors: InvalidArgument: unknown parameter (names the nearest), wrong type, missing.
absl::StatusOr<Value> CanonicalParameters(const TaskInfo& info, const Value& given);

}  // namespace dovetail

#endif  // DOVETAIL_COMMON_DOMAIN_TASK_INFO_H_
