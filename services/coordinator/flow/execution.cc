#include "services/coordinator/flow/execution.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/nearest.h"
#include "common/base/status_macros.h"
#include "services/coordinator/flow/plan_checks.h"

namespace dovetail::flow {
namespace {

TrialState StateOf(Outcome outcome) {
  switch (outcome) {
    case Outcome::kOk:
      return TrialState::kSucceeded;
    case Outcome::kConstraint:
    case Outcome::kInfeasible:
    case Outcome::kTimeout:
      return TrialState::kInfeasible;
    case Outcome::kCancelled:
      return TrialState::kCancelled;
    case Outcome::kOutOfMemory:
    case Outcome::kLicence:
    case Outcome::kInfrastructure:
    case Outcome::kBug:
      return TrialState::kAbandoned;
  }
  return TrialState::kAbandoned;
}

// What expressions give as numbers, as the type the task asks for.
Value Adapt(const Value& value, const std::string& type) {
  if (type == "boolean" && value.is_number() && (value.AsNumber() == 0 || value.AsNumber() == 1)) {
    return value.AsNumber() == 1;
  }
  if (type == "integer" && value.is_number()) {
    const double rounded = std::round(value.AsNumber());
    if (std::abs(value.AsNumber() - rounded) < 1e-9 * std::max(1.0, std::abs(rounded))) {
      return rounded;
    }
  }
  return value;
}

}  // namespace

absl::StatusOr<std::unique_ptr<FlowExecution>> FlowExecution::Make(
    std::shared_ptr<const FlowPlan> plan, const Start& start) {
  auto concrete = std::dynamic_pointer_cast<const Plan>(plan);
  if (concrete == nullptr) return absl::InternalError("the plan was not made by FlowPlan::Make");
  auto execution = std::make_unique<Execution>(std::move(concrete), start);
  RETURN_IF_ERROR(execution->Begin());
  return execution;
}

absl::Status Execution::Begin() {
  RETURN_IF_ERROR(CheckStart());
  RETURN_IF_ERROR(EvaluateCfg());
  paths_.push_back(std::make_unique<Path>());
  auto token = std::make_shared<Metamodel>();
  for (const auto& [port, digest] : start_.inputs) token->models[port] = {digest, 0};
  ++paths_[0]->busy;
  for (size_t e = 0; e < plan_->edges().size(); ++e) {
    if (plan_->edges()[e].from == kStart) Deliver(0, static_cast<int>(e), token);
  }
  Run();
  Release(0);
  Run();
  return absl::OkStatus();
}

absl::Status Execution::CheckStart() const {
  for (const std::string& name : start_.skip) {
    const int index = plan_->FindNode(name);
    if (index == kNone || plan_->nodes()[index].kind != NodeKind::kWork) {
      return absl::InvalidArgumentError(
          absl::StrCat("skip names \"", name,
                       "\", which is no task of the flow that can be left "
                       "out"));
    }
  }
  for (const auto& [key, value] : start_.cfg) {
    const std::vector<std::string> parts = absl::StrSplit(key, absl::MaxSplits('.', 1));
    const int index = plan_->FindNode(parts[0]);
    if (parts.size() != 2 || index == kNone || plan_->nodes()[index].kind != NodeKind::kWork) {
      return absl::InvalidArgumentError(
          absl::StrCat("cfg override \"", key,
                       "\": write \"task.parameter\" with a task of the "
                       "flow"));
    }
    RETURN_IF_ERROR_WITH(CheckParameter(plan_->nodes()[index], parts[1], value),
                         absl::StrCat("cfg override \"", key, "\""));
  }
  for (const std::string& port : plan_->context().input_ports) {
    if (!start_.inputs.contains(port)) {
      return absl::InvalidArgumentError(absl::StrCat("the flow's input \"", port, "\" is missing"));
    }
  }
  return absl::OkStatus();
}

absl::Status Execution::EvaluateCfg() {
  cfg_ = plan_->context().cfg;
  const std::map<std::string, Value> outer = cfg_;
  const NameLookup lookup = [&](const std::string& name) -> std::optional<Value> {
    if (const auto it = start_.point.find(name); it != start_.point.end()) return it->second;
    if (const auto it = outer.find(name); it != outer.end()) return it->second;
    return std::nullopt;
  };
  for (const auto& [name, binding] : plan_->cfg()) {
    auto value = binding.Evaluate(lookup);
    if (absl::IsNotFound(value.status())) continue;  // of a variable that is not active
    if (!value.ok()) return Annotate(value.status(), absl::StrCat("flow cfg \"", name, "\""));
    cfg_[name] = *std::move(value);
  }
  return absl::OkStatus();
}

// What a branch has set goes over the point, the point over the initial CFG.
NameLookup Execution::Lookup(const Token& token) const {
  return [this, token](const std::string& name) -> std::optional<Value> {
    if (const auto it = token->changed.find(name); it != token->changed.end()) {
      return it->second.value;
    }
    if (const auto it = start_.point.find(name); it != start_.point.end()) return it->second;
    if (const auto it = cfg_.find(name); it != cfg_.end()) return it->second;
    if (const auto it = token->task_metrics.find(name); it != token->task_metrics.end()) {
      return Value(it->second.value);
    }
    if (const auto it = token->metrics.find(name); it != token->metrics.end()) {
      return Value(it->second.value.value);
    }
    return std::nullopt;
  };
}

std::vector<TaskRequest> Execution::TakeReady() { return std::exchange(ready_, {}); }

absl::Status Execution::Tell(int task_run, const ActionResult& result) {
  if (task_run < 1 || task_run > static_cast<int>(task_runs_.size())) {
    return absl::NotFoundError(absl::StrCat("there is no task run ", task_run));
  }
  TaskRun& run = task_runs_[task_run - 1];
  if (run.ended) {
    return absl::FailedPreconditionError(absl::StrCat("task run ", task_run, " has ended already"));
  }
  run.ended = true;
  const Node& node = plan_->nodes()[run.node];
  Value metrics{Value::Map()};
  for (const auto& [name, metric] : result.measurement.metrics) metrics.Set(name, metric.value);
  Value::Map details = {{"task_run", task_run},
                        {"iteration", run.iteration},
                        {"outcome", OutcomeName(result.outcome)},
                        {"metrics", std::move(metrics)}};
  if (!result.message.empty()) details["message"] = result.message;
  Log(run.path, run.node, "ended", std::move(details));

  auto token = std::make_shared<Metamodel>(*run.token);
  if (result.outcome == Outcome::kOk || result.outcome == Outcome::kConstraint) {
    token->Add(node.task->name, result);
  }
  if (result.outcome == Outcome::kOk) {
    Pass(run.path, run.node, token);
  } else {
    Fail(run.path, run.node, StateOf(result.outcome),
         result.message.empty() ? std::string(OutcomeName(result.outcome)) : result.message, token);
  }
  const int path = run.path;
  Run();
  Release(path);
  Run();
  return absl::OkStatus();
}

void Execution::Deliver(int path, int edge, const Token& token) {
  const Plan& plan = *plan_;
  const int to = plan.edges()[edge].to;
  const Node& node = plan.nodes()[to];
  if (node.rule == FiringRule::kAny || node.in_edges.size() == 1) {
    Activate(path, to, token);
    return;
  }
  Path& state = *paths_[path];
  state.waiting[edge].push_back(token);
  std::vector<Token> tokens;
  for (const int e : node.in_edges) {
    const auto it = state.waiting.find(e);
    if (it == state.waiting.end() || it->second.empty()) return;
    tokens.push_back(it->second.front());
  }
  for (const int e : node.in_edges) state.waiting[e].pop_front();
  Activate(path, to, Merge(tokens));
}

void Execution::Activate(int path, int node, Token token) {
  ++paths_[path]->busy;
  activations_.push_back({path, node, std::move(token)});
}

void Execution::Pass(int path, int node, const Token& token) {
  const std::vector<int>& out = plan_->nodes()[node].out_edges;
  if (out.empty()) paths_[path]->ends.push_back(token);
  for (const int edge : out) Deliver(path, edge, token);
}

void Execution::Run() {
  while (!activations_.empty()) {
    const Activation activation = std::move(activations_.front());
    activations_.pop_front();
    Fire(activation);
    Release(activation.path);
  }
}

void Execution::Fire(const Activation& activation) {
  if (++steps_ > kMaxSteps || task_runs_.size() >= kMaxTaskRuns) {
    Fail(activation.path, activation.node, TrialState::kAbandoned,
         absl::StrCat("the flow went on for ", steps_, " steps and ", task_runs_.size(),
                      " task runs: bound its cycles more tightly"),
         activation.token);
    return;
  }
  const Node& node = plan_->nodes()[activation.node];
  const int iteration = paths_[activation.path]->fired[activation.node]++;
  switch (node.kind) {
    case NodeKind::kWork:
      return FireWork(activation, iteration);
    case NodeKind::kBranch:
      return FireBranch(activation);
    case NodeKind::kJoin:
      return Pass(activation.path, activation.node, activation.token);
    case NodeKind::kFork:
      return FireFork(activation, iteration);
    case NodeKind::kReduce:
      paths_[activation.path]->arrived.push_back(activation.token);
      return;
    case NodeKind::kGate:
      return FireGate(activation);
    case NodeKind::kStop:
      return FireStop(activation);
  }
}

void Execution::FireWork(const Activation& activation, int iteration) {
  const Node& node = plan_->nodes()[activation.node];
  if (start_.skip.contains(node.task->name)) {
    Log(activation.path, activation.node, "skipped", {});
    Pass(activation.path, activation.node, activation.token);
    return;
  }
  auto parameters = Parameters(node, activation.token);
  auto inputs = Inputs(node, activation.token);
  const absl::Status status = parameters.ok() ? inputs.status() : parameters.status();
  if (!status.ok()) {
    Fail(activation.path, activation.node, TrialState::kAbandoned, std::string(status.message()),
         activation.token);
    return;
  }
  task_runs_.push_back({activation.path, activation.node, iteration, activation.token});
  ++paths_[activation.path]->busy;
  TaskRequest request;
  request.task_run = static_cast<int>(task_runs_.size());
  request.node = node.task->name;
  request.path = paths_[activation.path]->name;
  request.iteration = iteration;
  request.info = node.info;
  request.parameters = *std::move(parameters);
  request.inputs = *std::move(inputs);
  ready_.push_back(std::move(request));
}

absl::StatusOr<Value> Execution::Parameters(const Node& node, const Token& token) const {
  Value given{Value::Map()};
  for (const ParameterInfo& parameter : node.info->parameters) {
    ASSIGN_OR_RETURN(Value value, ParameterValue(node, parameter, token));
    if (!value.is_null()) given.Set(parameter.name, Adapt(value, parameter.type));
  }
  return CanonicalParameters(*node.info, given);
}

// Null where only the default is left.
absl::StatusOr<Value> Execution::ParameterValue(const Node& node, const ParameterInfo& parameter,
                                                const Token& token) const {
  const auto override_it = start_.cfg.find(absl::StrCat(node.task->name, ".", parameter.name));
  if (override_it != start_.cfg.end()) return override_it->second;
  const auto it = node.parameters.find(parameter.name);
  if (it != node.parameters.end()) {
    auto value = it->second.Evaluate(Lookup(token));
    if (value.ok()) return value;
    // A variable that is not active here, or a metric of a task left out: as if not given.
    bool is_absent = absl::IsNotFound(value.status()) && !start_.skip.empty();
    for (const Variable& variable : plan_->context().variables) {
      for (const std::string& name : it->second.names()) {
        is_absent |= name == variable.name && !start_.point.contains(name);
      }
    }
    if (!is_absent) {
      return Annotate(value.status(), absl::StrCat("parameter \"", parameter.name, "\""));
    }
  }
  // A search variable acts only where an expression names it, also after a branch has set it.
  const std::vector<Variable>& variables = plan_->context().variables;
  const bool is_variable =
      std::any_of(variables.begin(), variables.end(),
                  [&](const Variable& variable) { return variable.name == parameter.name; });
  if (const auto set = token->changed.find(parameter.name);
      set != token->changed.end() && !is_variable) {
    return set->second.value;
  }
  if (const auto set = cfg_.find(parameter.name); set != cfg_.end()) return set->second;
  return Value();
}

absl::StatusOr<std::map<std::string, std::string>> Execution::Inputs(const Node& node,
                                                                     const Token& token) const {
  std::map<std::string, std::string> inputs;
  for (const PortInfo& port : node.info->inputs) {
    const auto named = node.inputs.find(port.name);
    std::string source = port.name;
    if (named != node.inputs.end()) {
      const ExplicitInput& input = named->second;
      source = input.port;
      if (!input.task.empty()) {
        const auto it = token->outputs.find(absl::StrCat(input.task, ".", input.port));
        if (it != token->outputs.end()) {
          inputs[port.name] = it->second.value;
          continue;
        }
      } else if (const auto it = start_.inputs.find(source); it != start_.inputs.end()) {
        inputs[port.name] = it->second;
        continue;
      }
    }
    // Also where the task that is named was left out: from the one before it.
    const auto it = token->models.find(source);
    if (it != token->models.end()) {
      inputs[port.name] = it->second.value;
    } else if (!port.optional) {
      return absl::FailedPreconditionError(
          absl::StrCat("input \"", port.name, "\": no task before it has made a \"", source, "\""));
    }
  }
  return inputs;
}

absl::Status Execution::ApplySettings(const std::map<std::string, Binding>& settings,
                                      const Token& token, Metamodel& metamodel) const {
  if (settings.empty()) return absl::OkStatus();
  ++metamodel.version;
  for (const auto& [name, binding] : settings) {
    ASSIGN_OR_RETURN_WITH(Value value, binding.Evaluate(Lookup(token)),
                          absl::StrCat("setting \"", name, "\""));
    metamodel.Set(name, std::move(value));
  }
  return absl::OkStatus();
}

void Execution::Fail(int path, int node, TrialState state, const std::string& message,
                     const Token& token) {
  const std::string& name = plan_->nodes()[node].task->name;
  const int iteration = std::max(0, paths_[path]->fired[node] - 1);
  Log(path, node, "failed", {{"state", TrialStateName(state)}, {"message", message}});
  paths_[path]->failures.push_back(
      {state, node, iteration, absl::StrCat("task \"", name, "\": ", message), token});
}

void Execution::Log(int path, int node, const std::string& event, Value::Map details) {
  details["event"] = event;
  details["task"] = plan_->nodes()[node].task->name;
  if (!paths_[path]->name.empty()) details["path"] = paths_[path]->name;
  log_.Append(std::move(details));
}

}  // namespace dovetail::flow
