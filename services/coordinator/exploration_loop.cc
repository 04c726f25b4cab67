#include "services/coordinator/exploration_loop.h"

namespace dovetail {

void ExplorationLoop::Step() {
  for (auto& [id, job] : jobs_) StepJob(*job);
  std::erase_if(jobs_, [](const auto& entry) { return IsTerminal(entry.second->record.state); });
}

void ExplorationLoop::Absorb(const std::vector<dispatch::Finished>& finished) {
  for (const dispatch::Finished& action : finished) {
    for (const dispatch::Waiter& waiter : action.waiters) {
      const auto job = jobs_.find(waiter.job_id);
      if (job == jobs_.end()) continue;
      const auto trial = job->second->trials.find(waiter.trial);
      if (trial == job->second->trials.end()) continue;
      EndTaskRun(*job->second, trial->second, waiter.task_run, action.result, /*cached=*/false);
      AdvanceTrial(*job->second, trial->second);
    }
  }
}

void ExplorationLoop::StepJob(JobRuntime& job) {
  RetryBlocked(job);
  switch (job.record.state) {
    case JobState::kPreparing:  // describe, check_dataset, the float network; then the references
      if (!FinishPreparation(job) || !ReferencesKnown(job)) return;
      if (absl::Status status = StartSearch(job); !status.ok()) {
        return Fail(job, std::string(status.message()));
      }
      return SetState(job, JobState::kRunning, "");

    case JobState::kRunning:  // suggest, prune, retrain, quantise, evaluate, lower, synthesise,
                              // learn
      if (job.CountTrials(TrialState::kAbandoned) > job.spec.budget.abandoned_trials) {
        return Fail(job, "too many trials were abandoned; the last one says why");
      }
      if (!BudgetSpent(job)) return AskForTrials(job);
      if (job.RunningTrials() > 0) return;
      StartVerification(job);
      return SetState(job, JobState::kFinishing, "");

    case JobState::kFinishing:  // the front's designs: every bit in simulation, then the test split
      if (job.RunningTrials() > 0 || !AbsorbVerification(job)) return;
      return SetState(job, JobState::kSucceeded,
                      job.exhausted ? "the search space is exhausted" : "");

    default:
      return;
  }
}

}  // namespace dovetail
