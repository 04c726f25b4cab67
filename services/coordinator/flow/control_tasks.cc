#include "services/coordinator/flow/control_tasks.h"

#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/nearest.h"
#include "common/base/status_macros.h"

namespace dovetail::flow {
namespace {

absl::Status CheckNames(const Value::Map& given, const std::vector<std::string>& known,
                        absl::string_view what) {
  for (const auto& [name, value] : given) {
    bool found = false;
    for (const std::string& one : known) found |= one == name;
    if (found) continue;
    if (known.empty()) return absl::InvalidArgumentError(absl::StrCat(what, " takes no ", name));
    return absl::InvalidArgumentError(absl::StrCat(what, " has no \"", name, "\"; did you mean \"",
                                                   NearestName(name, known),
                                                   "\"? Known: ", absl::StrJoin(known, ", ")));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const Expression>> ParseExpression(const Value& value,
                                                                  absl::string_view name) {
  if (value.is_bool()) return Expression::Compile(value.AsBool() ? "1" : "0");
  if (!value.is_string() || value.AsString().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", name, "\" is an expression in a string, not ", value.ToJson()));
  }
  absl::string_view text = value.AsString();
  if (absl::StartsWith(text, "=")) text.remove_prefix(1);
  return Expression::Compile(text);
}

absl::StatusOr<std::map<std::string, Binding>> ParseSettings(const Value& value) {
  if (!value.is_null() && !value.is_map()) {
    return absl::InvalidArgumentError("\"set\" is a map: CFG name -> value or \"= expression\"");
  }
  std::map<std::string, Binding> settings;
  for (const auto& [name, setting] : value.AsMap()) {
    ASSIGN_OR_RETURN(settings[name], Binding::Compile(setting));
  }
  return settings;
}

absl::Status CheckEdge(const FlowTask& task, const std::string& edge) {
  if (task.edges.contains(edge)) return absl::OkStatus();
  std::vector<std::string> known;
  for (const auto& [name, target] : task.edges) known.push_back(name);
  return absl::InvalidArgumentError(
      absl::StrCat("it has no edge \"", edge, "\"; its edges: ", absl::StrJoin(known, ", ")));
}

absl::Status ParseCase(const FlowTask& task, const Value& value, Control& control) {
  if (!value.is_map()) {
    return absl::InvalidArgumentError("each of \"cases\" is a map {edge, if, set, reason}");
  }
  RETURN_IF_ERROR(CheckNames(value.AsMap(), {"edge", "if", "set", "reason"}, "a case"));
  BranchCase one;
  one.edge = value["edge"].AsString();
  RETURN_IF_ERROR(CheckEdge(task, one.edge));
  ASSIGN_OR_RETURN(one.condition, ParseExpression(value["if"], "if"));
  ASSIGN_OR_RETURN(one.settings, ParseSettings(value["set"]));
  one.reason = value["reason"].AsString();
  control.cases.push_back(std::move(one));
  return absl::OkStatus();
}

absl::Status ParseBranch(const FlowTask& task, const Value& given, Control& control) {
  RETURN_IF_ERROR(CheckNames(given.AsMap(), {"cases", "otherwise", "max_iterations"}, "branch"));
  if (given["cases"].AsList().empty()) {
    return absl::InvalidArgumentError("branch needs \"cases\": a list of {edge, if, set, reason}");
  }
  for (const Value& one : given["cases"].AsList()) RETURN_IF_ERROR(ParseCase(task, one, control));
  control.otherwise = given["otherwise"].AsString();
  if (control.otherwise.empty()) {
    return absl::InvalidArgumentError("branch needs \"otherwise\": the edge where no case holds");
  }
  RETURN_IF_ERROR(CheckEdge(task, control.otherwise));
  const Value& bound = given["max_iterations"];
  if (bound.is_null()) return absl::OkStatus();
  if (!bound.is_number() || bound.AsNumber() < 1 || bound.AsNumber() > 1000 ||
      bound.AsNumber() != std::floor(bound.AsNumber())) {
    return absl::InvalidArgumentError("\"max_iterations\" is an integer from 1 to 1000");
  }
  control.max_iterations = static_cast<int>(bound.AsNumber());
  return absl::OkStatus();
}

absl::Status ParseFork(const FlowTask& task, const Value& given, Control& control) {
  RETURN_IF_ERROR(CheckNames(given.AsMap(), {"set"}, "fork"));
  if (task.edges.empty()) {
    return absl::InvalidArgumentError("fork needs \"edges\": branch -> the task it starts with");
  }
  if (!given["set"].is_null() && !given["set"].is_map()) {
    return absl::InvalidArgumentError("\"set\" is a map: branch -> map of CFG settings");
  }
  for (const auto& [branch, settings] : given["set"].AsMap()) {
    RETURN_IF_ERROR(CheckEdge(task, branch));
    ASSIGN_OR_RETURN(control.settings_by_branch[branch], ParseSettings(settings));
  }
  return absl::OkStatus();
}

absl::Status ParseReduce(const Value& given, Control& control) {
  RETURN_IF_ERROR(
      CheckNames(given.AsMap(), {"require", "minimize", "maximize", "pareto"}, "reduce"));
  const std::string require = given.Has("require") ? given["require"].AsString() : "any";
  if (require != "any" && require != "all") {
    return absl::InvalidArgumentError(
        "\"require\" is any (a branch that fails is left out) or all (it fails the path)");
  }
  control.require_all = require == "all";
  if (given.Has("minimize") == given.Has("maximize")) {
    return absl::InvalidArgumentError(
        "reduce needs one of \"minimize\" and \"maximize\": an expression that scores a branch");
  }
  const bool minimize = given.Has("minimize");
  control.selection = minimize ? Selection::kMinimize : Selection::kMaximize;
  ASSIGN_OR_RETURN(control.score, ParseExpression(given[minimize ? "minimize" : "maximize"],
                                                  minimize ? "minimize" : "maximize"));
  if (!given.Has("pareto")) return absl::OkStatus();
  if (given["pareto"].AsList().empty()) {
    return absl::InvalidArgumentError("\"pareto\" is a list of expressions, each minimised");
  }
  for (const Value& one : given["pareto"].AsList()) {
    ASSIGN_OR_RETURN(auto objective, ParseExpression(one, "pareto"));
    control.objectives.push_back(std::move(objective));
  }
  if (!minimize) {
    ASSIGN_OR_RETURN(control.score,
                     Expression::Compile(absl::StrCat("-(", control.score->text(), ")")));
  }
  control.selection = Selection::kPareto;
  return absl::OkStatus();
}

absl::Status ParseEndState(const Value& given, absl::string_view name, Control& control) {
  if (!given.Has(std::string(name))) return absl::OkStatus();
  const std::string& state = given[std::string(name)].AsString();
  if (state == "succeeded" && name == "state") {
    control.state = TrialState::kSucceeded;
  } else if (state == "stopped") {
    control.state = TrialState::kStopped;
  } else if (state == "infeasible") {
    control.state = TrialState::kInfeasible;
  } else {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", name, "\" is stopped", name == "state" ? ", succeeded" : "",
                     " or infeasible, not ", given[std::string(name)].ToJson()));
  }
  return absl::OkStatus();
}

absl::Status ParseGate(const Value& given, Control& control) {
  RETURN_IF_ERROR(CheckNames(given.AsMap(), {"pass", "otherwise", "message"}, "gate"));
  ASSIGN_OR_RETURN(control.condition, ParseExpression(given["pass"], "pass"));
  control.state = TrialState::kInfeasible;
  control.message = given["message"].AsString();
  return ParseEndState(given, "otherwise", control);
}

}  // namespace

absl::StatusOr<Control> ParseControl(NodeKind kind, const FlowTask& task) {
  Control control;
  const Value given{Value::Map(task.parameters.begin(), task.parameters.end())};
  if (!task.edges.empty() && kind != NodeKind::kBranch && kind != NodeKind::kFork) {
    return absl::InvalidArgumentError("only branch and fork have \"edges\"; use \"after\"");
  }
  switch (kind) {
    case NodeKind::kBranch:
      RETURN_IF_ERROR(ParseBranch(task, given, control));
      break;
    case NodeKind::kFork:
      RETURN_IF_ERROR(ParseFork(task, given, control));
      break;
    case NodeKind::kReduce:
      RETURN_IF_ERROR(ParseReduce(given, control));
      break;
    case NodeKind::kGate:
      RETURN_IF_ERROR(ParseGate(given, control));
      break;
    case NodeKind::kStop:
      RETURN_IF_ERROR(CheckNames(given.AsMap(), {"state", "message"}, "stop"));
      control.state = TrialState::kStopped;
      control.message = given["message"].AsString();
      RETURN_IF_ERROR(ParseEndState(given, "state", control));
      break;
    case NodeKind::kJoin:
      RETURN_IF_ERROR(CheckNames(given.AsMap(), {}, "join"));
      break;
    case NodeKind::kWork:
      break;
  }
  return control;
}

std::vector<std::shared_ptr<const Expression>> ExpressionsOf(const Control& control) {
  std::vector<std::shared_ptr<const Expression>> all;
  for (const BranchCase& one : control.cases) all.push_back(one.condition);
  if (control.score != nullptr) all.push_back(control.score);
  if (control.condition != nullptr) all.push_back(control.condition);
  all.insert(all.end(), control.objectives.begin(), control.objectives.end());
  return all;
}

std::vector<std::pair<std::string, const Binding*>> SettingsOf(const Control& control) {
  std::vector<std::pair<std::string, const Binding*>> all;
  for (const BranchCase& one : control.cases) {
    for (const auto& [name, binding] : one.settings) all.emplace_back(name, &binding);
  }
  for (const auto& [branch, settings] : control.settings_by_branch) {
    for (const auto& [name, binding] : settings) all.emplace_back(name, &binding);
  }
  return all;
}

}  // namespace dovetail::flow
