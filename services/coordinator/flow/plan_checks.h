// The checks of a flow that follow its data: ports, parameters, names in expressions, search
// variables, wanted metrics. Called when a plan is made, after its graph is built.
#ifndef DOVETAIL_SERVICES_COORDINATOR_FLOW_PLAN_CHECKS_H_
#define DOVETAIL_SERVICES_COORDINATOR_FLOW_PLAN_CHECKS_H_

#include "absl/status/status.h"
#include "services/coordinator/flow/plan.h"

namespace dovetail::flow {

// Errors: InvalidArgument naming the task and its line.
absl::Status CheckPlan(const Plan& plan);

// `value` for the parameter `name` of the node's task: known, and of its type.
// Errors: InvalidArgument.
absl::Status CheckParameter(const Node& node, const std::string& name, const Value& value);

}  // namespace dovetail::flow

#endif  // DOVETAIL_SERVICES_COORDINATOR_FLOW_PLAN_CHECKS_H_
