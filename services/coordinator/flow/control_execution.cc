// The K-tasks of the interpreter, and how paths, forks and the flow end.
#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/coordinator/flow/execution.h"

namespace dovetail::flow {
namespace {

bool IsTrue(const Value& value) {
  return value.is_bool() ? value.AsBool() : value.is_number() && value.AsNumber() != 0;
}

// An answer that rules the configuration out outweighs the lack of one.
int Weight(TrialState state) {
  switch (state) {
    case TrialState::kCancelled:
      return 0;
    case TrialState::kInfeasible:
      return 1;
    case TrialState::kStopped:
      return 2;
    default:
      return 3;
  }
}

bool Dominates(const std::vector<double>& a, const std::vector<double>& b) {
  bool better = false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] > b[i]) return false;
    better |= a[i] < b[i];
  }
  return better;
}

}  // namespace

void Execution::FireBranch(const Activation& activation) {
  const Node& node = plan_->nodes()[activation.node];
  Path& path = *paths_[activation.path];
  const BranchCase* taken = nullptr;
  for (const BranchCase& one : node.control.cases) {
    const auto value = one.condition->Evaluate(Lookup(activation.token));
    if (absl::IsNotFound(value.status()) && !start_.skip.empty()) continue;
    if (!value.ok()) {
      Fail(activation.path, activation.node, TrialState::kAbandoned,
           std::string(value.status().message()), activation.token);
      return;
    }
    if (IsTrue(*value)) {
      taken = &one;
      break;
    }
  }
  const bool is_exhausted = taken != nullptr && taken->edge != node.control.otherwise &&
                            node.control.max_iterations > 0 &&
                            path.cases[activation.node] >= node.control.max_iterations;
  std::string edge = node.control.otherwise;
  auto token = std::make_shared<Metamodel>(*activation.token);
  Value::Map details;
  if (is_exhausted) {
    details["reason"] = absl::StrCat("\"", taken->edge, "\" was taken ",
                                     node.control.max_iterations, " times already");
  } else if (taken != nullptr) {
    edge = taken->edge;
    if (edge != node.control.otherwise) ++path.cases[activation.node];
    const absl::Status status = ApplySettings(taken->settings, activation.token, *token);
    if (!status.ok()) {
      Fail(activation.path, activation.node, TrialState::kAbandoned, std::string(status.message()),
           activation.token);
      return;
    }
    details["reason"] = taken->reason.empty() ? taken->condition->text() : taken->reason;
    Value set;
    for (const auto& [name, binding] : taken->settings) set.Set(name, token->changed[name].value);
    if (!set.is_null()) details["set"] = std::move(set);
  }
  details["edge"] = edge;
  Log(activation.path, activation.node, "branched", std::move(details));
  for (const int e : node.out_edges) {
    if (plan_->edges()[e].label == edge) Deliver(activation.path, e, token);
  }
}

void Execution::FireFork(const Activation& activation, int iteration) {
  const Node& node = plan_->nodes()[activation.node];
  const int instance = static_cast<int>(forks_.size());
  forks_.push_back({activation.path, activation.node, {}, 0});
  ++paths_[activation.path]->busy;
  // The second time round on the same path the names go on: "orders@2/PQ".
  const std::string fork_name =
      iteration == 0 ? node.task->name : absl::StrCat(node.task->name, "@", iteration + 1);
  const std::string& parent_name = paths_[activation.path]->name;
  for (const int e : node.out_edges) {
    auto child = std::make_unique<Path>();
    child->name = absl::StrCat(parent_name, parent_name.empty() ? "" : "/", fork_name, "/",
                               plan_->edges()[e].label);
    child->parent = activation.path;
    child->fork_instance = instance;
    child->busy = 1;  // until all branches have been started
    forks_[instance].children.push_back(static_cast<int>(paths_.size()));
    ++forks_[instance].running;
    paths_.push_back(std::move(child));
  }
  Log(activation.path, activation.node, "forked", {});
  const std::vector<int> children = forks_[instance].children;
  for (size_t i = 0; i < children.size(); ++i) {
    const std::string& label = plan_->edges()[node.out_edges[i]].label;
    auto token = std::make_shared<Metamodel>(*activation.token);
    absl::StrAppend(&token->route, token->route.empty() ? "" : "/", fork_name, "/", label);
    const auto settings = node.control.settings_by_branch.find(label);
    absl::Status status;
    if (settings != node.control.settings_by_branch.end()) {
      status = ApplySettings(settings->second, activation.token, *token);
    }
    if (status.ok()) {
      Deliver(children[i], node.out_edges[i], token);
    } else {
      Fail(children[i], activation.node, TrialState::kAbandoned, std::string(status.message()),
           activation.token);
    }
  }
  for (const int child : children) Release(child);
}

void Execution::FireGate(const Activation& activation) {
  const Node& node = plan_->nodes()[activation.node];
  const auto value = node.control.condition->Evaluate(Lookup(activation.token));
  if (absl::IsNotFound(value.status()) && !start_.skip.empty()) {
    Log(activation.path, activation.node, "passed",
        {{"reason", std::string(value.status().message())}});
    Pass(activation.path, activation.node, activation.token);
  } else if (!value.ok()) {
    Fail(activation.path, activation.node, TrialState::kAbandoned,
         std::string(value.status().message()), activation.token);
  } else if (IsTrue(*value)) {
    Log(activation.path, activation.node, "passed", {});
    Pass(activation.path, activation.node, activation.token);
  } else {
    const std::string& text = node.control.message;
    Fail(activation.path, activation.node, node.control.state,
         text.empty() ? absl::StrCat("not ", node.control.condition->text()) : text,
         activation.token);
  }
}

void Execution::FireStop(const Activation& activation) {
  const Node& node = plan_->nodes()[activation.node];
  if (node.control.state == TrialState::kSucceeded) {
    Log(activation.path, activation.node, "stopped", {});
    paths_[activation.path]->ends.push_back(activation.token);
    return;
  }
  Fail(activation.path, activation.node, node.control.state,
       node.control.message.empty() ? "the flow stops here" : node.control.message,
       activation.token);
}

void Execution::Release(int path) {
  if (--paths_[path]->busy == 0 && !paths_[path]->ended) EndPath(path);
}

void Execution::EndPath(int index) {
  Path& path = *paths_[index];
  path.ended = true;
  if (path.failures.empty() && path.ends.empty() && path.arrived.empty() && path.kept.empty()) {
    bool has_designs = false;
    for (const ForkInstance& fork : forks_) has_designs |= fork.path == index;
    for (const auto& [edge, tokens] : path.waiting) {
      if (has_designs || tokens.empty()) continue;
      Fail(index, plan_->edges()[edge].to, TrialState::kAbandoned,
           "it still waits for a task that a branch has passed by: put a join where they meet",
           tokens.front());
      break;
    }
  }
  if (path.fork_instance == kNone) return;
  ForkInstance& fork = forks_[path.fork_instance];
  if (--fork.running == 0) CloseFork(path.fork_instance);
}

void Execution::CloseFork(int instance) {
  const ForkInstance fork = forks_[instance];
  int reduce = kNone;
  for (size_t i = 0; i < plan_->nodes().size(); ++i) {
    const Node& node = plan_->nodes()[i];
    if (node.kind == NodeKind::kReduce && node.fork == fork.fork) reduce = static_cast<int>(i);
  }
  std::vector<int> survivors;
  std::vector<Failure> failures;
  bool has_designs = false;
  for (const int child : fork.children) {
    const Path& path = *paths_[child];
    if (!path.failures.empty()) {
      failures.push_back(Combine(path.failures));
    } else if (!path.arrived.empty()) {
      survivors.push_back(child);
    } else {
      has_designs = true;
    }
  }
  const bool all_required = reduce != kNone && plan_->nodes()[reduce].control.require_all;
  if (!failures.empty() && (all_required || (survivors.empty() && !has_designs))) {
    paths_[fork.path]->failures.push_back(Combine(failures));
  } else if (!survivors.empty()) {
    Reduce(fork, reduce, survivors);
  }
  Release(fork.path);
}

void Execution::Reduce(const ForkInstance& fork, int reduce, const std::vector<int>& survivors) {
  const Control& control = plan_->nodes()[reduce].control;
  struct Candidate {
    Token token;
    double score;
    std::vector<double> objectives;
  };
  std::vector<Candidate> candidates;
  std::vector<Failure> failures;
  Value scores{Value::Map()};
  for (const int child : survivors) {
    std::vector<Token> tokens = paths_[child]->arrived;
    tokens.insert(tokens.end(), paths_[child]->ends.begin(), paths_[child]->ends.end());
    Candidate candidate{Merge(tokens), 0, {}};
    absl::Status status;
    const auto evaluate = [&](const Expression& expression) {
      const auto value = expression.Evaluate(Lookup(candidate.token));
      if (value.ok() && value->is_number()) return value->AsNumber();
      status.Update(value.ok() ? absl::InvalidArgumentError(
                                     absl::StrCat("\"", expression.text(), "\" gives no number"))
                               : value.status());
      return 0.0;
    };
    candidate.score = evaluate(*control.score);
    for (const auto& one : control.objectives) candidate.objectives.push_back(evaluate(*one));
    if (!status.ok()) {
      failures.push_back(
          {TrialState::kAbandoned, reduce, 0,
           absl::StrCat("task \"", plan_->nodes()[reduce].task->name, "\": ", status.message()),
           candidate.token});
      continue;
    }
    scores.Set(candidate.token->route, candidate.score);
    candidates.push_back(std::move(candidate));
  }
  Path& path = *paths_[fork.path];
  if (candidates.empty() || (control.require_all && !failures.empty())) {
    path.failures.push_back(Combine(failures));
    return;
  }
  const double sign = control.selection == Selection::kMaximize ? -1 : 1;
  // Ties keep the order of the branches.
  std::stable_sort(candidates.begin(), candidates.end(),
                   [&](const auto& a, const auto& b) { return sign * a.score < sign * b.score; });
  if (control.selection != Selection::kPareto) {
    Log(fork.path, reduce, "reduced",
        {{"chosen", candidates[0].token->route}, {"scores", std::move(scores)}});
    Pass(fork.path, reduce, candidates[0].token);
    return;
  }
  Value kept{Value::List()};
  for (const Candidate& candidate : candidates) {
    const bool dominated = std::any_of(
        candidates.begin(), candidates.end(),
        [&](const Candidate& other) { return Dominates(other.objectives, candidate.objectives); });
    if (dominated) continue;
    path.kept.push_back(candidate.token);
    kept.Append(candidate.token->route);
  }
  Log(fork.path, reduce, "reduced", {{"kept", std::move(kept)}, {"scores", std::move(scores)}});
}

Execution::Failure Execution::Combine(const std::vector<Failure>& failures) const {
  // Within a path by state, then place in the flow: not by who came first.
  const Failure* chosen = &failures[0];
  for (const Failure& one : failures) {
    const auto key = [](const Failure& f) {
      return std::make_tuple(Weight(f.state), f.node, f.iteration);
    };
    if (key(one) < key(*chosen)) chosen = &one;
  }
  return *chosen;
}

FlowOutcome Execution::outcome() const {
  FlowOutcome outcome;
  if (!finished()) return outcome;
  std::vector<std::pair<std::string, Token>> survivors, partial;  // path, what it ended with
  for (const auto& path : paths_) {
    if (!path->failures.empty()) {
      partial.emplace_back(path->name, Combine(path->failures).token);
      continue;
    }
    if (!path->arrived.empty()) continue;  // its reduce has decided
    if (!path->ends.empty()) survivors.emplace_back(path->name, Merge(path->ends));
    for (const Token& token : path->kept) survivors.emplace_back(path->name, token);
  }
  const Path& root = *paths_[0];
  if (!root.failures.empty()) {
    const Failure failure = Combine(root.failures);
    outcome.state = failure.state;
    outcome.message = failure.message;
    // What was measured until then, so that a broken constraint teaches by its values.
    survivors.clear();
    if (failure.state == TrialState::kInfeasible || failure.state == TrialState::kStopped) {
      survivors.emplace_back("", failure.token);
    }
  } else if (survivors.empty()) {
    outcome.state = TrialState::kAbandoned;
    outcome.message = "the flow ended without a design";
  } else {
    outcome.state = TrialState::kSucceeded;
  }
  std::stable_sort(survivors.begin(), survivors.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [name, token] : survivors) {
    Design design = token->ToDesign();
    if (outcome.state != TrialState::kSucceeded && design.measurement.metrics.empty()) continue;
    design.index = static_cast<int>(outcome.designs.size());
    outcome.designs.push_back(std::move(design));
    Value changed = token->ChangedCfg();
    if (changed.is_null()) continue;
    if (survivors.size() == 1) {
      outcome.realised_cfg = std::move(changed);
    } else {
      outcome.realised_cfg.Set(token->route, std::move(changed));
    }
  }
  return outcome;
}

}  // namespace dovetail::flow
