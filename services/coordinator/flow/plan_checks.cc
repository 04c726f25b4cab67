#include "services/coordinator/flow/plan_checks.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/nearest.h"
#include "common/base/status_macros.h"
#include "services/coordinator/flow/control_tasks.h"
#include "services/coordinator/flow/graph.h"

namespace dovetail::flow {
namespace {

// Facts: what is known to be there when a task starts, whichever way led to it.
std::string PortFact(const std::string& port, const std::string& type) {
  return absl::StrCat("port ", port, ":", type);
}
std::string OutputFact(const std::string& task, const std::string& port) {
  return absl::StrCat("output ", task, ".", port);
}
std::string MetricFact(const std::string& name) { return absl::StrCat("metric ", name); }

std::vector<std::string> ParameterNames(const TaskInfo& info) {
  std::vector<std::string> names;
  for (const ParameterInfo& parameter : info.parameters) names.push_back(parameter.name);
  return names;
}

const ParameterInfo* FindParameter(const TaskInfo& info, const std::string& name) {
  for (const ParameterInfo& parameter : info.parameters) {
    if (parameter.name == name) return &parameter;
  }
  return nullptr;
}

class Checker {
 public:
  explicit Checker(const Plan& plan) : plan_(plan) {
    for (const Variable& variable : plan.context().variables) known_.insert(variable.name);
    for (const auto& [name, value] : plan.context().cfg) known_.insert(name);
    initial_ = known_;
    for (const auto& [name, binding] : plan.cfg()) known_.insert(name);
  }

  absl::Status Check() {
    RETURN_IF_ERROR(CheckCfg());
    GatherFacts();
    for (size_t i = 0; i < plan_.nodes().size(); ++i) {
      const Node& node = plan_.nodes()[i];
      const absl::Status status = CheckNode(node, before_[i]);
      if (!status.ok()) {
        return absl::InvalidArgumentError(absl::StrCat(Where(*node.task), ": ", status.message()));
      }
    }
    RETURN_IF_ERROR(CheckWantedMetrics());
    return CheckVariablesAreUsed();
  }

 private:
  void GatherFacts() {
    std::set<std::string> at_start;
    for (const std::string& port : plan_.context().input_ports) {
      at_start.insert(PortFact(port, port));
    }
    std::vector<std::set<std::string>> added(plan_.nodes().size());
    for (size_t i = 0; i < plan_.nodes().size(); ++i) {
      const Node& node = plan_.nodes()[i];
      if (node.kind != NodeKind::kWork) continue;
      for (const PortInfo& output : node.info->outputs) {
        added[i].insert(PortFact(output.name, output.type));
        added[i].insert(OutputFact(node.task->name, output.name));
      }
      for (const std::string& metric : node.info->metrics) {
        added[i].insert(MetricFact(metric));
        added[i].insert(MetricFact(absl::StrCat(node.task->name, ".", metric)));
      }
    }
    before_ = FactsBefore(plan_.nodes(), plan_.edges(), at_start, added);
  }

  absl::Status CheckCfg() {
    for (const auto& [name, binding] : plan_.cfg()) {
      for (const std::string& used : binding.names()) {
        used_.insert(used);
        if (initial_.contains(used)) continue;
        return absl::InvalidArgumentError(
            absl::StrCat("flow cfg \"", name, "\": \"", used,
                         "\" is neither a search variable nor set for the "
                         "job; known: ",
                         absl::StrJoin(initial_, ", ")));
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckNode(const Node& node, const std::set<std::string>& facts) {
    if (node.kind == NodeKind::kWork) {
      RETURN_IF_ERROR(CheckPorts(node, facts));
      RETURN_IF_ERROR(CheckParameters(node, facts));
    }
    for (const auto& expression : ExpressionsOf(node.control)) {
      RETURN_IF_ERROR(CheckNames(expression->names(), facts));
    }
    for (const auto& [name, binding] : SettingsOf(node.control)) {
      RETURN_IF_ERROR(CheckNames(binding->names(), facts));
      RETURN_IF_ERROR(CheckSetting(name));
    }
    if (node.control.selection == Selection::kPareto && !node.out_edges.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "a reduce with \"pareto\" ends the flow, but \"",
          plan_.nodes()[plan_.edges()[node.out_edges[0]].to].task->name, "\" follows it"));
    }
    if (node.kind == NodeKind::kBranch) return CheckEdgesAreUsed(node);
    return absl::OkStatus();
  }

  absl::Status CheckPorts(const Node& node, const std::set<std::string>& facts) const {
    for (const PortInfo& port : node.info->inputs) {
      const auto it = node.inputs.find(port.name);
      if (it != node.inputs.end()) {
        const ExplicitInput& input = it->second;
        if (!input.task.empty() && !facts.contains(OutputFact(input.task, input.port))) {
          return absl::InvalidArgumentError(
              absl::StrCat("input \"", port.name, "\" comes from \"", input.task,
                           "\", which does not run before it on every way"));
        }
        continue;
      }
      if (port.optional || facts.contains(PortFact(port.name, port.type))) continue;
      const std::string prefix = PortFact(port.name, "");
      for (const std::string& fact : facts) {
        if (absl::StartsWith(fact, prefix)) {
          return absl::InvalidArgumentError(absl::StrCat("input \"", port.name, "\" takes a ",
                                                         port.type, ", and what comes is a ",
                                                         fact.substr(prefix.size())));
        }
      }
      return absl::InvalidArgumentError(
          absl::StrCat("input \"", port.name, "\" (", port.type,
                       ") comes from nowhere: no task before it makes "
                       "it on every way, and the flow starts with ",
                       absl::StrJoin(plan_.context().input_ports, ", ")));
    }
    return absl::OkStatus();
  }

  absl::Status CheckParameters(const Node& node, const std::set<std::string>& facts) {
    for (const auto& [name, binding] : node.parameters) {
      if (binding.is_literal()) {
        RETURN_IF_ERROR(CheckParameter(node, name, binding.source()));
      } else if (FindParameter(*node.info, name) == nullptr) {
        RETURN_IF_ERROR(CheckParameter(node, name, binding.source()));  // names the nearest
      }
      RETURN_IF_ERROR_WITH(CheckNames(binding.names(), facts),
                           absl::StrCat("parameter \"", name, "\""));
    }
    for (const ParameterInfo& parameter : node.info->parameters) {
      if (node.parameters.contains(parameter.name)) continue;
      const auto flow_cfg = plan_.cfg().find(parameter.name);
      const auto context_cfg = plan_.context().cfg.find(parameter.name);
      if (flow_cfg != plan_.cfg().end()) {
        if (!flow_cfg->second.is_literal()) continue;
        RETURN_IF_ERROR_WITH(CheckParameter(node, parameter.name, flow_cfg->second.source()),
                             "from the flow's cfg");
      } else if (context_cfg != plan_.context().cfg.end()) {
        RETURN_IF_ERROR_WITH(CheckParameter(node, parameter.name, context_cfg->second),
                             "from the job's cfg");
      } else if (parameter.default_value.is_null()) {
        return absl::InvalidArgumentError(absl::StrCat("parameter \"", parameter.name, "\" (",
                                                       parameter.type,
                                                       ") is missing: ", parameter.description));
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckNames(const std::vector<std::string>& names,
                          const std::set<std::string>& facts) {
    for (const std::string& name : names) {
      used_.insert(name);
      if (known_.contains(name) || facts.contains(MetricFact(name))) continue;
      RETURN_IF_ERROR(UnknownName(name, facts));
    }
    return absl::OkStatus();
  }

  absl::Status UnknownName(const std::string& name, const std::set<std::string>& facts) const {
    const std::vector<std::string> parts = absl::StrSplit(name, absl::MaxSplits('.', 1));
    const int index = parts.size() > 1 ? plan_.FindNode(parts[0]) : kNone;
    if (index != kNone) {
      const TaskInfo& info = *plan_.nodes()[index].info;
      if (std::find(info.metrics.begin(), info.metrics.end(), parts[1]) != info.metrics.end()) {
        return absl::InvalidArgumentError(
            absl::StrCat("\"", name, "\" is not known here: task \"", parts[0],
                         "\" does not run before this one on every way"));
      }
      return absl::InvalidArgumentError(
          absl::StrCat("\"", name, "\" is unknown: ", info.name, " measures ",
                       info.metrics.empty() ? "nothing" : absl::StrJoin(info.metrics, ", ")));
    }
    std::vector<std::string> known(known_.begin(), known_.end());
    for (const std::string& fact : facts) {
      if (absl::StartsWith(fact, "metric ")) known.push_back(fact.substr(7));
    }
    return absl::InvalidArgumentError(
        absl::StrCat("\"", name,
                     "\" is no search variable, CFG name or metric measured before; did "
                     "you mean \"",
                     NearestName(name, known), "\"?"));
  }

  // A setting nobody can read is a slip of the pen.
  absl::Status CheckSetting(const std::string& name) const {
    if (known_.contains(name)) return absl::OkStatus();
    std::vector<std::string> readable(known_.begin(), known_.end());
    for (const Node& node : plan_.nodes()) {
      if (node.kind != NodeKind::kWork) continue;
      for (const ParameterInfo& parameter : node.info->parameters) {
        if (parameter.name == name) return absl::OkStatus();
        readable.push_back(parameter.name);
      }
    }
    return absl::InvalidArgumentError(
        absl::StrCat("it sets \"", name, "\", which no task reads; did you mean \"",
                     NearestName(name, readable), "\"? A new name is declared in the flow's cfg"));
  }

  static absl::Status CheckEdgesAreUsed(const Node& node) {
    std::set<std::string> used = {node.control.otherwise};
    for (const BranchCase& one : node.control.cases) used.insert(one.edge);
    for (const auto& [label, target] : node.task->edges) {
      if (used.contains(label)) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("edge \"", label, "\" is taken by no case and is not otherwise"));
    }
    return absl::OkStatus();
  }

  absl::Status CheckWantedMetrics() const {
    std::set<std::string> measured;
    for (const Node& node : plan_.nodes()) {
      if (node.kind != NodeKind::kWork) continue;
      measured.insert(node.info->metrics.begin(), node.info->metrics.end());
    }
    for (const std::string& metric : plan_.context().wanted_metrics) {
      if (measured.contains(metric)) continue;
      const std::vector<std::string> known(measured.begin(), measured.end());
      return absl::InvalidArgumentError(
          absl::StrCat("metric \"", metric,
                       "\" is asked for, and no task of the flow measures it; "
                       "did you mean \"",
                       NearestName(metric, known), "\"? Measured: ", absl::StrJoin(known, ", ")));
    }
    return absl::OkStatus();
  }

  // A variable is used in an expression, or as the condition of one that is.
  absl::Status CheckVariablesAreUsed() {
    const std::vector<Variable>& variables = plan_.context().variables;
    for (bool grown = true; grown;) {
      grown = false;
      for (const Variable& variable : variables) {
        if (!used_.contains(variable.name) || !variable.condition.has_value()) continue;
        grown |= used_.insert(variable.condition->variable).second;
      }
    }
    for (const Variable& variable : variables) {
      if (used_.contains(variable.name)) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          "search variable \"", variable.name, "\" is used by no task: write \"= ", variable.name,
          "\" as the parameter it should set, or leave it out"));
    }
    return absl::OkStatus();
  }

  const Plan& plan_;
  std::set<std::string> initial_;  // search variables and the job's CFG
  std::set<std::string> known_;    // and the flow's CFG
  std::set<std::string> used_;
  std::vector<std::set<std::string>> before_;
};

}  // namespace

absl::Status CheckPlan(const Plan& plan) { return Checker(plan).Check(); }

absl::Status CheckParameter(const Node& node, const std::string& name, const Value& value) {
  const ParameterInfo* parameter = FindParameter(*node.info, name);
  if (parameter == nullptr) {
    const std::vector<std::string> names = ParameterNames(*node.info);
    if (names.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(node.info->name, " takes no parameters"));
    }
    return absl::InvalidArgumentError(absl::StrCat(node.info->name, " has no parameter \"", name,
                                                   "\"; did you mean \"", NearestName(name, names),
                                                   "\"? Known: ", absl::StrJoin(names, ", ")));
  }
  TaskInfo only = *node.info;
  only.parameters = {*parameter};
  return CanonicalParameters(only, Value(Value::Map{{name, value}})).status();
}

}  // namespace dovetail::flow
