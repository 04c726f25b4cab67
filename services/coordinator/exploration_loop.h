// The exploration loop: how a job goes from its submission to its front. This pair and
// services/worker/run_task.{h,cc} tell the story of a trial; the steps' details are in
// job_steps.cc and trial_runner.cc.
//
// Lives on the leader's thread. Every method appends what must be kept to `changes`; the leader
// commits them together with all else of the turn before anyone is answered.
#ifndef DOVETAIL_SERVICES_COORDINATOR_EXPLORATION_LOOP_H_
#define DOVETAIL_SERVICES_COORDINATOR_EXPLORATION_LOOP_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/artifacts/artifact_store.h"
#include "common/base/clock.h"
#include "common/base/worker_pool.h"
#include "services/coordinator/dispatch/dispatcher.h"
#include "services/coordinator/job_runtime.h"
#include "services/coordinator/store/store.h"

namespace dovetail {

struct ExplorationDependencies {
  store::Store* store = nullptr;
  ArtifactStore* artifacts = nullptr;
  dispatch::Dispatcher* dispatcher = nullptr;
  const Clock* clock = nullptr;
  WorkerPool* pool = nullptr;  // suggestions and refits
  // A job's spec from the text that the store keeps.
  std::function<absl::StatusOr<JobSpec>(const std::string& spec_json)> parse_spec;
  // The surrogate's prior mean for a job whose network is known; may be null.
  std::function<search::PriorMean(const JobRuntime& job)> prior_mean;
  // Whether the measured design fits the part with the job's margin: "" or a line for the user. May
  // be null.
  std::function<std::string(const JobSpec& spec, const Measurement& measurement)> fits;
  // Runs work on the leader's thread, in a turn of its own. Thread-safe.
  std::function<void(std::function<void()>)> post;
};

class ExplorationLoop {
 public:
  explicit ExplorationLoop(ExplorationDependencies dependencies);
  ~ExplorationLoop();

  // Where the turn's changes go; set by the leader before each turn.
  void set_changes(std::vector<store::Change>* changes) { changes_ = changes; }

  // Everything that had not ended goes on.
  absl::Status Restore(const store::LeaderState& state);

  // `record` has its id. Errors: InvalidArgument: the flow or the space is malformed.
  absl::Status Submit(const store::JobRecord& record, const JobSpec& spec);
  // Errors: NotFound; FailedPrecondition: it has ended.
  absl::Status Cancel(int64_t job_id);
  // The actions that ended, to all who waited for them.
  void Absorb(const std::vector<dispatch::Finished>& finished);
  // Moves every job that can go on.
  void Step();

  const std::map<int64_t, std::unique_ptr<JobRuntime>>& jobs() const { return jobs_; }

 private:
  // --- the story (exploration_loop.cc)
  void StepJob(JobRuntime& job);

  // --- steps of a job (job_steps.cc)
  void StartPreparation(JobRuntime& job);
  bool FinishPreparation(JobRuntime& job);
  bool ReferencesKnown(const JobRuntime& job) const;
  void StartReferences(JobRuntime& job);
  absl::Status StartSearch(JobRuntime& job);
  bool BudgetSpent(const JobRuntime& job) const;
  void AskForTrials(JobRuntime& job);
  void AddTrial(JobRuntime& job, int number, const search::Suggestion& suggestion,
                int64_t from_event);
  void TeachSearch(JobRuntime& job, const TrialRuntime& trial);
  void StartVerification(JobRuntime& job);
  void StartCheck(JobRuntime& job, const std::string& reference,
                  std::shared_ptr<const flow::FlowPlan> plan,
                  const std::map<std::string, std::string>& inputs);
  bool AbsorbVerification(JobRuntime& job);
  void AbsorbCheck(JobRuntime& job, const TrialRuntime& check);
  void SetState(JobRuntime& job, JobState state, const std::string& message);
  void Fail(JobRuntime& job, const std::string& message);
  void StopTrials(JobRuntime& job, const std::string& message);
  void InstallRefit(int64_t job_id, const SearchRunner::RefitDone& refit);

  // --- a trial's way through its flow (trial_runner.cc)
  absl::Status StartTrial(JobRuntime& job, int number, const std::string& reference,
                          std::shared_ptr<const flow::FlowPlan> plan,
                          const flow::FlowExecution::Start& start, const Value& suggestion_info,
                          int64_t from_event);
  void AdvanceTrial(JobRuntime& job, TrialRuntime& trial);
  void StartTaskRun(JobRuntime& job, TrialRuntime& trial, const flow::TaskRequest& request);
  void EndTaskRun(JobRuntime& job, TrialRuntime& trial, int task_run, const ActionResult& result,
                  bool cached);
  void EndTrial(JobRuntime& job, TrialRuntime& trial, TrialState state, const std::string& message);
  void RetryBlocked(JobRuntime& job);

  // --- taking over (restore.cc)
  absl::Status RestoreJob(JobRuntime& job, const store::LeaderState& state);
  absl::Status RestoreTrial(JobRuntime& job, const Trial& trial,
                            const std::map<std::string, store::ActionRecord>& actions,
                            const std::vector<store::TaskRunRecord>& task_runs);
  void RestoreSearch(JobRuntime& job, const store::LeaderState& state);

  std::shared_ptr<const flow::FlowPlan> PlanOf(const JobRuntime& job, const Trial& trial) const;
  flow::FlowExecution::Start StartOf(const JobRuntime& job, const Trial& trial) const;
  void PutTrial(const TrialRuntime& trial);
  void PutJob(const JobRuntime& job);
  int64_t Emit(JobRuntime& job, const std::string& type, Value payload);
  int ParallelTrials(const JobRuntime& job) const;

  ExplorationDependencies dependencies_;
  std::vector<store::Change>* changes_ = nullptr;
  std::map<int64_t, std::unique_ptr<JobRuntime>> jobs_;
  std::shared_ptr<const flow::FlowPlan> preparation_plan_;
  std::shared_ptr<const flow::FlowPlan> simulation_plan_;
  std::shared_ptr<const flow::FlowPlan> test_plan_;
};

}  // namespace dovetail

#endif  // DOVETAIL_SERVICES_COORDINATOR_EXPLORATION_LOOP_H_
