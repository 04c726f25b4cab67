// A trial's way through its flow: task runs become actions, results come back, the trial ends.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/coordinator/exploration_loop.h"

namespace dovetail {
namespace {

// References and preparation before the search's trials: others wait for them.
int PriorityOf(const Trial& trial) { return trial.number <= 0 ? 10 : 0; }

Value MetricsOf(const Measurement& measurement) {
  Value value{Value::Map()};
  for (const auto& [name, metric] : measurement.metrics) value.Set(name, metric.value);
  return value;
}

bool OutputsKept(const ActionResult& result, ArtifactStore& artifacts) {
  std::vector<std::string> digests;
  for (const auto& [port, digest] : result.outputs) digests.push_back(digest);
  if (digests.empty()) return true;
  const auto missing = artifacts.FindMissing(digests);
  return missing.ok() && missing->empty();
}

}  // namespace

absl::Status ExplorationLoop::StartTrial(JobRuntime& job, int number, const std::string& reference,
                                         std::shared_ptr<const flow::FlowPlan> plan,
                                         const flow::FlowExecution::Start& start,
                                         const Value& suggestion_info, int64_t from_event) {
  absl::StatusOr<std::unique_ptr<flow::FlowExecution>> execution =
      flow::FlowExecution::Make(std::move(plan), start);
  if (!execution.ok()) return execution.status();
  TrialRuntime& trial = job.trials[number];
  trial.trial.job_id = job.record.id;
  trial.trial.number = number;
  trial.trial.reference = reference;
  trial.trial.point = start.point;
  trial.trial.suggested_from_event = from_event;
  trial.trial.suggestion_info = suggestion_info;
  trial.trial.created_ms = dependencies_.clock->WallMs();
  trial.execution = *std::move(execution);
  PutTrial(trial);
  Value payload;
  payload.Set("trial", number).Set("point", PointToValue(start.point));
  if (!reference.empty()) payload.Set("reference", reference);
  Emit(job, "trial_created", std::move(payload));
  AdvanceTrial(job, trial);
  return absl::OkStatus();
}

void ExplorationLoop::AdvanceTrial(JobRuntime& job, TrialRuntime& trial) {
  while (trial.execution != nullptr && !trial.execution->finished()) {
    const std::vector<flow::TaskRequest> ready = trial.execution->TakeReady();
    if (ready.empty()) break;
    for (const flow::TaskRequest& request : ready) {
      if (trial.execution != nullptr) StartTaskRun(job, trial, request);
    }
  }
  if (trial.execution == nullptr || !trial.execution->finished()) return;
  const flow::FlowOutcome outcome = trial.execution->outcome();
  trial.trial.designs = outcome.designs;
  trial.trial.realised_cfg = outcome.realised_cfg;
  EndTrial(job, trial, outcome.state, outcome.message);
}

void ExplorationLoop::StartTaskRun(JobRuntime& job, TrialRuntime& trial,
                                   const flow::TaskRequest& request) {
  const TaskInfo& info = *request.info;
  Action action;
  action.tenant = job.record.tenant;
  action.task = info.name;
  action.task_version = info.version;
  action.parameters = request.parameters;
  action.inputs = request.inputs;
  action.seed =
      info.uses_seed && !job.spec.evaluation_seeds.empty() ? job.spec.evaluation_seeds[0] : 0;
  action.capabilities = info.capabilities;
  action.cpu_slots = info.cpu_slots;
  for (const std::string& tool : info.tools) {
    if (!job.tools.contains(tool)) {
      const auto versions = dependencies_.dispatcher->ToolVersions({tool});
      if (!versions.ok()) {
        trial.blocked.push_back(request);
        if (!job.waiting_noted) {
          job.waiting_noted = true;
          Emit(job, "waiting",
               Value(Value::Map{{"message", std::string(versions.status().message())}}));
        }
        return;
      }
      job.tools[tool] = versions->at(tool);
      PutJob(job);
    }
    action.tools[tool] = job.tools[tool];
  }

  store::TaskRunRecord run;
  run.job_id = job.record.id;
  run.trial = trial.trial.number;
  run.task_run = request.task_run;
  run.node = request.node;
  run.path = request.path;
  run.iteration = request.iteration;
  run.action_key = ActionKey(action);
  run.created_ms = dependencies_.clock->WallMs();
  trial.task_runs[request.task_run] = run;
  changes_->push_back(run);

  const auto known = dependencies_.store->FindActions({run.action_key});
  if (known.ok() && !known->empty() &&
      OutputsKept(known->front().result, *dependencies_.artifacts)) {
    EndTaskRun(job, trial, request.task_run, known->front().result, /*cached=*/true);
    return;
  }
  int last_attempt = 0;
  if (const auto attempts = dependencies_.store->ListAttempts(run.action_key); attempts.ok()) {
    for (const auto& attempt : *attempts) last_attempt = std::max(last_attempt, attempt.attempt);
  }
  dependencies_.dispatcher->Submit(action, {job.record.id, trial.trial.number, request.task_run},
                                   PriorityOf(trial.trial), last_attempt, *changes_);
}

void ExplorationLoop::EndTaskRun(JobRuntime& job, TrialRuntime& trial, int task_run,
                                 const ActionResult& result, bool cached) {
  const auto it = trial.task_runs.find(task_run);
  if (it == trial.task_runs.end() || it->second.done || trial.execution == nullptr) return;
  store::TaskRunRecord& run = it->second;
  run.done = true;
  run.cached = cached;
  run.finished_ms = dependencies_.clock->WallMs();
  if (!cached) {
    trial.trial.tool_seconds += result.tool_seconds;
    job.tool_seconds += result.tool_seconds;
  }
  for (const auto& [name, metric] : result.measurement.metrics) {
    trial.measurement.metrics[name] = metric;
  }
  for (const auto& [port, digest] : result.outputs) {
    trial.artifacts[absl::StrCat(run.node, ".", port)] = digest;
  }
  Value payload;
  payload.Set("trial", run.trial).Set("task_run", task_run).Set("node", run.node);
  payload.Set("outcome", OutcomeName(result.outcome)).Set("cached", cached);
  payload.Set("tool_seconds", cached ? 0.0 : result.tool_seconds);
  payload.Set("metrics", MetricsOf(result.measurement));
  if (!result.message.empty()) payload.Set("message", result.message);
  run.finished_event = Emit(job, "task_finished", std::move(payload));
  changes_->push_back(run);

  (void)trial.execution->Tell(task_run, result);
  if (trial.trial.number <= 0 || trial.execution->finished()) return;
  // What the front cannot take never pays for synthesis; a loop may still mend it.
  if (!job.plan->measures_once()) return;
  if (std::string broken = BrokenConstraint(job.constraints, trial.measurement); !broken.empty()) {
    Design design;
    design.measurement = trial.measurement;
    design.artifacts = trial.artifacts;
    trial.trial.designs = {std::move(design)};
    EndTrial(job, trial, TrialState::kInfeasible, broken);
  }
}

void ExplorationLoop::EndTrial(JobRuntime& job, TrialRuntime& trial, TrialState state,
                               const std::string& message) {
  trial.trial.message = message;
  if (state == TrialState::kSucceeded && trial.trial.number != kPreparation) {
    bool any_feasible = false;
    std::string broken;
    for (Design& design : trial.trial.designs) {
      std::string reason = BrokenConstraint(job.constraints, design.measurement);
      if (reason.empty() && dependencies_.fits) {
        reason = dependencies_.fits(job.spec, design.measurement);
      }
      design.feasible = reason.empty();
      any_feasible = any_feasible || design.feasible;
      if (broken.empty()) broken = reason;
    }
    // References are shown whatever they break.
    if (!any_feasible && trial.trial.number > 0) {
      state = TrialState::kInfeasible;
      trial.trial.message = broken;
    }
  }
  trial.trial.state = state;
  trial.trial.finished_ms = dependencies_.clock->WallMs();
  trial.execution.reset();
  trial.blocked.clear();
  for (const auto& [number, run] : trial.task_runs) {
    if (!run.done) {
      dependencies_.dispatcher->Detach({job.record.id, trial.trial.number, number}, *changes_);
    }
  }
  Value payload;
  payload.Set("trial", trial.trial.number).Set("state", TrialStateName(state));
  if (!trial.trial.reference.empty()) payload.Set("reference", trial.trial.reference);
  if (!trial.trial.message.empty()) payload.Set("message", trial.trial.message);
  payload.Set("metrics", MetricsOf(trial.measurement));
  payload.Set("tool_seconds", trial.trial.tool_seconds);
  trial.trial.finished_event = Emit(job, "trial_finished", std::move(payload));
  PutTrial(trial);
  // In fixed-lag order AskForTrials tells it when its turn comes.
  if (trial.trial.number > 0 && job.spec.search.order == SuggestionOrder::kArrival) {
    TeachSearch(job, trial);
  }
}

void ExplorationLoop::RetryBlocked(JobRuntime& job) {
  for (auto& [number, trial] : job.trials) {
    if (trial.blocked.empty()) continue;
    const std::vector<flow::TaskRequest> blocked = std::exchange(trial.blocked, {});
    for (const flow::TaskRequest& request : blocked) {
      if (trial.execution != nullptr) StartTaskRun(job, trial, request);
    }
    AdvanceTrial(job, trial);
  }
}

}  // namespace dovetail
