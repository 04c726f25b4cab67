#include "services/coordinator/job_runtime.h"

#include "absl/strings/str_cat.h"
#include "services/coordinator/search/pareto_front.h"

namespace dovetail {

int JobRuntime::RunningTrials() const {
  int count = 0;
  for (const auto& [number, trial] : trials) count += IsTerminal(trial.trial.state) ? 0 : 1;
  return count;
}

int JobRuntime::CountTrials(TrialState state) const {
  int count = 0;
  for (const auto& [number, trial] : trials) count += number > 0 && trial.trial.state == state;
  return count;
}

int JobRuntime::CountedTrials() const {
  int count = 0;
  for (const auto& [number, trial] : trials) {
    count += number > 0 && trial.trial.state != TrialState::kAbandoned;
  }
  return count;
}

std::vector<FrontEntry> Front(const JobRuntime& job) {
  std::vector<FrontEntry> entries;
  std::vector<std::vector<double>> values;
  std::vector<Goal> goals;
  for (const Objective& objective : job.spec.objectives) goals.push_back(objective.goal);
  for (const auto& [number, trial] : job.trials) {
    if (number <= 0) continue;
    for (const Design& design : trial.trial.designs) {
      if (!design.feasible) continue;
      std::vector<double> value;
      for (const Objective& objective : job.spec.objectives) {
        if (design.measurement.Has(objective.metric)) {
          value.push_back(design.measurement.Get(objective.metric));
        }
      }
      if (value.size() != goals.size()) continue;
      entries.push_back({number, design.index});
      values.push_back(std::move(value));
    }
  }
  std::vector<FrontEntry> front;
  for (int index : search::ParetoFront(values, goals)) front.push_back(entries[index]);
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
