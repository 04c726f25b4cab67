#include "services/coordinator/job_runtime.h"

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
  std::vector<const Trial*> trials;
  for (const auto& [number, trial] : job.trials) trials.push_back(&trial.trial);
  return Front(job.spec.objectives, trials);
}

}  // namespace dovetail
