// Flows in few words, and runs of them, for the tests of this room.
#ifndef DOVETAIL_TESTS_UNIT_COORDINATOR_FLOW_FLOW_TEST_SUPPORT_H_
#define DOVETAIL_TESTS_UNIT_COORDINATOR_FLOW_FLOW_TEST_SUPPORT_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/digest.h"
#include "services/coordinator/flow/flow_plan.h"

namespace dovetail::flow {

inline FlowTask MakeTask(std::string name, std::string type,
                         std::map<std::string, Value> parameters = {}) {
  FlowTask task;
  task.name = std::move(name);
  task.task = std::move(type);
  task.parameters = std::move(parameters);
  return task;
}

inline FlowTask After(FlowTask task, std::vector<std::string> after) {
  task.after = std::move(after);
  return task;
}

inline FlowTask Inputs(FlowTask task, std::map<std::string, std::string> inputs) {
  task.inputs = std::move(inputs);
  return task;
}

inline FlowTask Edges(FlowTask task, std::map<std::string, std::string> edges) {
  task.edges = std::move(edges);
  return task;
}

// Gives the tasks lines 10, 11, ...
inline Flow MakeFlow(std::vector<FlowTask> tasks, std::map<std::string, Value> cfg = {}) {
  Flow flow{"test", std::move(tasks), std::move(cfg)};
  for (size_t i = 0; i < flow.tasks.size(); ++i) flow.tasks[i].line = 10 + static_cast<int>(i);
  return flow;
}

inline Variable MakeVariable(const std::string& name) {
  Variable variable;
  variable.name = name;
  return variable;
}

inline FlowExecution::Start MakeStart(Point point = {}) {
  FlowExecution::Start start;
  start.point = std::move(point);
  start.inputs = {{"network", "network0"}, {"dataset", "dataset0"}};
  return start;
}

// Ok; every output is named after the task run's parameters and inputs, every metric is `value`.
inline ActionResult Succeed(const TaskRequest& request, double value = 1) {
  ActionResult result;
  result.outcome = Outcome::kOk;
  std::string text = absl::StrCat(request.info->name, request.parameters.ToJson());
  for (const auto& [port, digest] : request.inputs) absl::StrAppend(&text, "|", port, "=", digest);
  for (const PortInfo& port : request.info->outputs) {
    result.outputs[port.name] = Sha256Hex(absl::StrCat(text, "|", port.name));
  }
  for (const std::string& metric : request.info->metrics) {
    result.measurement.Put(metric, value, "count", "test");
  }
  return result;
}

inline ActionResult FailWith(Outcome outcome, std::string message) {
  ActionResult result;
  result.outcome = outcome;
  result.message = std::move(message);
  return result;
}

// Answers every request at once, in the order they come; returns them.
inline std::vector<TaskRequest> RunAll(
    FlowExecution& execution, const std::function<ActionResult(const TaskRequest&)>& answer) {
  std::vector<TaskRequest> all;
  while (true) {
    const std::vector<TaskRequest> ready = execution.TakeReady();
    if (ready.empty()) return all;
    for (const TaskRequest& request : ready) {
      all.push_back(request);
      if (!execution.Tell(request.task_run, answer(request)).ok()) return all;
    }
  }
}

inline std::vector<std::string> NodesOf(const std::vector<TaskRequest>& requests) {
  std::vector<std::string> nodes;
  for (const TaskRequest& request : requests) {
    nodes.push_back(request.path.empty() ? request.node
                                         : absl::StrCat(request.path, ":", request.node));
  }
  return nodes;
}

}  // namespace dovetail::flow

#endif  // DOVETAIL_TESTS_UNIT_COORDINATOR_FLOW_FLOW_TEST_SUPPORT_H_
