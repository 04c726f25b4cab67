#include "services/coordinator/flow/plan.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/nearest.h"
#include "common/base/status_macros.h"
#include "common/domain/flow_library.h"
#include "services/coordinator/flow/control_tasks.h"
#include "services/coordinator/flow/graph.h"
#include "services/coordinator/flow/plan_checks.h"

namespace dovetail::flow {
namespace {

constexpr size_t kMaxTasks = 500;

bool IsIdentifier(const std::string& name) {
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0]))) return false;
  return std::all_of(name.begin(), name.end(),
                     [](unsigned char c) { return std::isalnum(c) || c == '_'; });
}

NodeKind KindOf(const TaskInfo& info) {
  if (info.kind != TaskKind::kControl) return NodeKind::kWork;
  if (info.name == "branch") return NodeKind::kBranch;
  if (info.name == "fork") return NodeKind::kFork;
  if (info.name == "reduce") return NodeKind::kReduce;
  if (info.name == "gate") return NodeKind::kGate;
  if (info.name == "stop") return NodeKind::kStop;
  return NodeKind::kJoin;
}

absl::Status At(const FlowTask& task, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::InvalidArgumentError(absl::StrCat(Where(task), ": ", status.message()));
}

}  // namespace

std::string Where(const FlowTask& task) {
  if (task.line > 0) return absl::StrCat("task \"", task.name, "\" (line ", task.line, ")");
  return absl::StrCat("task \"", task.name, "\"");
}

int Plan::FindNode(const std::string& name) const {
  const auto it = index_.find(name);
  return it == index_.end() ? kNone : it->second;
}

bool Plan::measures_once() const {
  return std::none_of(nodes_.begin(), nodes_.end(), [](const Node& node) {
    return node.kind == NodeKind::kBranch || node.kind == NodeKind::kFork;
  });
}

class PlanBuilder {
 public:
  explicit PlanBuilder(Plan& plan) : plan_(plan) {}

  absl::Status Build() {
    if (plan_.flow_.tasks.empty()) return absl::InvalidArgumentError("the flow has no tasks");
    if (plan_.flow_.tasks.size() > kMaxTasks) {
      return absl::InvalidArgumentError(
          absl::StrCat("the flow has more than ", kMaxTasks, " tasks"));
    }
    for (const auto& [name, value] : plan_.flow_.cfg) {
      auto binding = Binding::Compile(value);
      if (!binding.ok()) return Annotate(binding.status(), absl::StrCat("flow cfg \"", name, "\""));
      plan_.cfg_[name] = *std::move(binding);
    }
    for (FlowTask& task : plan_.flow_.tasks) RETURN_IF_ERROR(AddNode(task));
    for (Node& node : plan_.nodes_) {
      for (const auto& [port, source] : node.task->inputs) {
        RETURN_IF_ERROR(At(*node.task, AddInput(node, port, source)));
      }
    }
    RETURN_IF_ERROR(BuildGraph(plan_.index_, plan_.nodes_, plan_.edges_));
    return CheckPlan(plan_);
  }

 private:
  absl::Status AddNode(FlowTask& task) {
    if (task.name.empty()) task.name = task.task;
    if (!IsIdentifier(task.name)) {
      return absl::InvalidArgumentError(
          absl::StrCat(Where(task),
                       ": a task's name has letters, digits and underscores, and begins with none "
                       "of the digits: expressions speak of it"));
    }
    const auto info = FindTaskInfo(task.task);
    if (!info.ok()) return At(task, info.status());
    const int position = static_cast<int>(plan_.nodes_.size());
    const auto [it, inserted] = plan_.index_.try_emplace(task.name, position);
    if (!inserted) {
      const FlowTask& first = *plan_.nodes_[it->second].task;
      return absl::InvalidArgumentError(
          absl::StrCat(Where(task), ": the name is taken",
                       first.line > 0 ? absl::StrCat(" by the task in line ", first.line) : "",
                       "; give one of them another name"));
    }
    Node node;
    node.task = &task;
    node.info = *info;
    node.kind = KindOf(**info);
    if (node.kind == NodeKind::kWork) {
      for (const auto& [name, value] : task.parameters) {
        auto binding = Binding::Compile(value);
        if (!binding.ok()) {
          return At(task, Annotate(binding.status(), absl::StrCat("parameter \"", name, "\"")));
        }
        node.parameters[name] = *std::move(binding);
      }
    }
    auto control = ParseControl(node.kind, task);
    if (!control.ok()) return At(task, control.status());
    node.control = *std::move(control);
    plan_.nodes_.push_back(std::move(node));
    return absl::OkStatus();
  }

  absl::Status AddInput(Node& node, const std::string& port, const std::string& source) {
    if (node.kind != NodeKind::kWork) {
      return absl::InvalidArgumentError("a control task has no input ports; use \"after\"");
    }
    std::vector<std::string> ports;
    const PortInfo* wanted = nullptr;
    for (const PortInfo& one : node.info->inputs) {
      ports.push_back(one.name);
      if (one.name == port) wanted = &one;
    }
    if (wanted == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat(node.info->name, " has no input port \"", port,
                                                     "\"; it has: ", absl::StrJoin(ports, ", ")));
    }
    const std::vector<std::string> parts = absl::StrSplit(source, absl::MaxSplits('.', 1));
    const int from = plan_.FindNode(parts[0]);
    const std::string& from_port = parts.size() > 1 ? parts[1] : port;
    if (from == kNone) {
      if (parts.size() == 1 && plan_.context_.input_ports.contains(source)) {
        return AddFlowInput(node, *wanted, source);
      }
      std::vector<std::string> known;
      for (const auto& [name, index] : plan_.index_) known.push_back(name);
      return absl::InvalidArgumentError(absl::StrCat("input \"", port, "\" comes from \"", source,
                                                     "\", which is no task; did you mean \"",
                                                     NearestName(parts[0], known), "\"?"));
    }
    const Node& producer = plan_.nodes_[from];
    if (producer.kind != NodeKind::kWork) {
      return absl::InvalidArgumentError(
          absl::StrCat("input \"", port, "\" comes from the control task \"", parts[0],
                       "\", which makes nothing: write after: [", parts[0], "]"));
    }
    for (const PortInfo& output : producer.info->outputs) {
      if (output.name != from_port) continue;
      if (output.type != wanted->type) {
        return absl::InvalidArgumentError(absl::StrCat("input \"", port, "\" takes a ",
                                                       wanted->type, ", and \"", parts[0], ".",
                                                       from_port, "\" is a ", output.type));
      }
      node.inputs[port] = {parts[0], from_port};
      return absl::OkStatus();
    }
    std::vector<std::string> outputs;
    for (const PortInfo& output : producer.info->outputs) outputs.push_back(output.name);
    return absl::InvalidArgumentError(absl::StrCat("input \"", port, "\": ", producer.info->name,
                                                   " has no output port \"", from_port,
                                                   "\"; it has: ", absl::StrJoin(outputs, ", ")));
  }

  static absl::Status AddFlowInput(Node& node, const PortInfo& wanted, const std::string& source) {
    if (wanted.type != source) {
      return absl::InvalidArgumentError(absl::StrCat("input \"", wanted.name, "\" takes a ",
                                                     wanted.type, ", and the flow's own \"", source,
                                                     "\" is a ", source));
    }
    node.inputs[wanted.name] = {"", source};
    return absl::OkStatus();
  }

  Plan& plan_;
};

absl::StatusOr<std::shared_ptr<const FlowPlan>> FlowPlan::Make(const Flow& flow,
                                                               const FlowContext& context) {
  auto plan = std::make_shared<Plan>();
  plan->flow_ = flow;
  if (flow.tasks.empty() && !flow.name.empty()) {
    auto named = NamedFlow(flow.name);
    if (!named.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("the flow has no tasks, and ", named.status().message()));
    }
    plan->flow_ = *std::move(named);
    for (const auto& [name, value] : flow.cfg) plan->flow_.cfg[name] = value;
  }
  plan->context_ = context;
  RETURN_IF_ERROR(PlanBuilder(*plan).Build());
  return plan;
}

}  // namespace dovetail::flow
