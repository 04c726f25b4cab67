#include "services/coordinator/job_plan.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/coordinator/search/pareto_front.h"

namespace dovetail {

absl::StatusOr<std::shared_ptr<const flow::FlowPlan>> MakeJobPlan(const JobSpec& spec) {
  flow::FlowContext context;
  context.variables = spec.space.variables;
  for (const auto& [name, value] : spec.hls_config["Model"].AsMap()) context.cfg[name] = value;
  context.cfg["Part"] = spec.part;
  context.cfg["ClockPeriod"] = spec.clock_period_ns;
  context.cfg["IOType"] = spec.io_type;
  context.cfg["Backend"] = spec.backend;
  for (const Objective& objective : spec.objectives) {
    context.wanted_metrics.push_back(objective.metric);
  }
  for (const Constraint& constraint : spec.constraints) {
    context.wanted_metrics.push_back(constraint.metric);
  }
  return flow::FlowPlan::Make(spec.flow, context);
}

search::Problem MakeProblem(const JobSpec& spec, const std::vector<Constraint>& constraints) {
  search::Problem problem;
  problem.space = spec.space;
  problem.objectives = spec.objectives;
  problem.constraints = constraints;
  problem.enqueued = spec.points;
  problem.seed = spec.search.seed;
  problem.initial_count = spec.search.initial_count;
  problem.budget_trials = spec.budget.trials;
  problem.options = Value(Value::Map(spec.search.options));
  return problem;
}

absl::StatusOr<std::string> CheckJob(const JobSpec& spec) {
  JobSpec resolved = spec;
  bool vectors = false;
  for (Variable& variable : resolved.space.variables) {
    if (variable.length_of.empty()) continue;
    if (variable.length_of != "layers") {
      return absl::InvalidArgumentError(absl::StrCat("space.variables: \"", variable.name,
                                                     "\": length_of is \"", variable.length_of,
                                                     "\"; only \"layers\" is known"));
    }
    variable.length = 1;
    vectors = true;
  }
  ASSIGN_OR_RETURN(const auto plan, MakeJobPlan(resolved));
  if (vectors) resolved.points.clear();  // their lengths are known once the network is
  ASSIGN_OR_RETURN(
      const auto strategy,
      search::MakeStrategy(spec.search.strategy, MakeProblem(resolved, spec.constraints)));
  return plan->ToDot();
}

std::vector<FrontEntry> Front(const std::vector<Objective>& objectives,
                              const std::vector<const Trial*>& trials) {
  std::vector<FrontEntry> entries;
  std::vector<std::vector<double>> values;
  std::vector<Goal> goals;
  for (const Objective& objective : objectives) goals.push_back(objective.goal);
  for (const Trial* trial : trials) {
    if (trial->number <= 0) continue;
    for (const Design& design : trial->designs) {
      if (!design.feasible) continue;
      std::vector<double> value;
      for (const Objective& objective : objectives) {
        if (design.measurement.Has(objective.metric)) {
          value.push_back(design.measurement.Get(objective.metric));
        }
      }
      if (value.size() != goals.size()) continue;
      entries.push_back({trial->number, design.index});
      values.push_back(std::move(value));
    }
  }
  std::vector<FrontEntry> front;
  for (int index : search::ParetoFront(values, goals)) front.push_back(entries[index]);
  std::sort(front.begin(), front.end(), [](const FrontEntry& a, const FrontEntry& b) {
    return std::pair(a.trial, a.design) < std::pair(b.trial, b.design);
  });
  return front;
}

std::string BrokenConstraint(const std::vector<Constraint>& constraints,
                             const Measurement& measurement) {
  for (const Constraint& constraint : constraints) {
    if (!measurement.Has(constraint.metric)) continue;
    const double value = measurement.Get(constraint.metric);
    if (constraint.at_least && !(value >= *constraint.at_least)) {
      return absl::StrCat(constraint.metric, " is ", value, ", at least ", *constraint.at_least,
                          " is asked for");
    }
    if (constraint.at_most && !(value <= *constraint.at_most)) {
      return absl::StrCat(constraint.metric, " is ", value, ", at most ", *constraint.at_most,
                          " is asked for");
    }
  }
  return "";
}

}  // namespace dovetail
