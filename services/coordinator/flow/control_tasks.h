// What users write in a K-task, read into Control. Called when a plan is made.
#ifndef DOVETAIL_SERVICES_COORDINATOR_FLOW_CONTROL_TASKS_H_
#define DOVETAIL_SERVICES_COORDINATOR_FLOW_CONTROL_TASKS_H_

#include "absl/status/statusor.h"
#include "services/coordinator/flow/plan.h"

namespace dovetail::flow {

// Errors: InvalidArgument: an unknown or missing parameter, an edge that is not among the task's
// edges, an expression that does not parse.
absl::StatusOr<Control> ParseControl(NodeKind kind, const FlowTask& task);

// Every expression in it.
std::vector<std::shared_ptr<const Expression>> ExpressionsOf(const Control& control);
// Every CFG setting in it.
std::vector<std::pair<std::string, const Binding*>> SettingsOf(const Control& control);

}  // namespace dovetail::flow

#endif  // DOVETAIL_SERVICES_COORDINATOR_FLOW_CONTROL_TASKS_H_
