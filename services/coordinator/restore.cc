// Taking over: jobs that had not ended are built again from the store and go on where they were.
#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/coordinator/exploration_loop.h"

namespace dovetail {

absl::Status ExplorationLoop::Restore(const store::LeaderState& state) {
  for (const store::JobRecord& record : state.jobs) {
    if (IsTerminal(record.state)) continue;
    auto job = std::make_unique<JobRuntime>();
    job->record = record;
    JobRuntime& reference = *job;
    jobs_[record.id] = std::move(job);
    const absl::Status status = RestoreJob(reference, state);
    if (!status.ok()) {
      Fail(reference, absl::StrCat("the job could not be taken over: ", status.message()));
    }
  }
  return absl::OkStatus();
}

absl::Status ExplorationLoop::RestoreJob(JobRuntime& job, const store::LeaderState& state) {
  ASSIGN_OR_RETURN(job.spec, dependencies_.parse_spec(job.record.spec_json));
  if (const auto it = state.last_event.find(job.record.id); it != state.last_event.end()) {
    job.last_event = it->second;
  }
  const Value& summary = job.record.summary;
  for (const auto& [port, digest] : summary["inputs"].AsMap()) job.inputs[port] = digest.AsString();
  for (const auto& [name, value] : summary["references"].AsMap()) {
    ASSIGN_OR_RETURN(job.references[name], Measurement::FromValue(value));
  }
  for (const auto& [tool, version] : summary["tools"].AsMap()) job.tools[tool] = version.AsString();
  if (summary["network"].is_map()) {
    ASSIGN_OR_RETURN(job.network, NetworkSummary::FromValue(summary["network"]));
    for (Variable& variable : job.spec.space.variables) {
      if (variable.length_of == "layers") {
        variable.length = static_cast<int>(job.network.WeightLayerNames().size());
      }
    }
    ASSIGN_OR_RETURN(job.plan, MakeJobPlan(job.spec));
  }

  std::map<std::string, store::ActionRecord> actions;
  for (const store::ActionRecord& action : state.actions) actions[action.key] = action;
  std::map<int, std::vector<store::TaskRunRecord>> task_runs;
  for (const store::TaskRunRecord& run : state.task_runs) {
    if (run.job_id == job.record.id) task_runs[run.trial].push_back(run);
  }
  std::vector<const Trial*> trials;
  for (const Trial& trial : state.trials) {
    if (trial.job_id == job.record.id) trials.push_back(&trial);
  }
  std::sort(trials.begin(), trials.end(),
            [](const Trial* a, const Trial* b) { return a->number < b->number; });
  for (const Trial* trial : trials) {
    job.next_trial = std::max(job.next_trial, trial->number + 1);
    job.next_verification = std::min(job.next_verification, trial->number - 1);
    RETURN_IF_ERROR(RestoreTrial(job, *trial, actions, task_runs[trial->number]));
    job.tool_seconds += job.trials.at(trial->number).trial.tool_seconds;
  }
  if (job.record.state == JobState::kRunning || job.record.state == JobState::kFinishing) {
    RETURN_IF_ERROR(StartSearch(job));
    RestoreSearch(job, state);
  }
  return absl::OkStatus();
}

absl::Status ExplorationLoop::RestoreTrial(
    JobRuntime& job, const Trial& trial, const std::map<std::string, store::ActionRecord>& actions,
    const std::vector<store::TaskRunRecord>& task_runs) {
  TrialRuntime& runtime = job.trials[trial.number];
  runtime.trial = trial;
  std::vector<store::TaskRunRecord> done;
  for (const store::TaskRunRecord& run : task_runs) {
    runtime.task_runs[run.task_run] = run;
    if (run.done) done.push_back(run);
  }
  std::sort(done.begin(), done.end(),
            [](const auto& a, const auto& b) { return a.finished_event < b.finished_event; });
  if (!IsTerminal(trial.state)) {
    ASSIGN_OR_RETURN(runtime.execution,
                     flow::FlowExecution::Make(PlanOf(job, trial), StartOf(job, trial)));
    runtime.trial.tool_seconds = 0;
  }

  std::map<int, flow::TaskRequest> open;
  const auto take_ready = [&] {
    if (runtime.execution == nullptr) return;
    for (const flow::TaskRequest& request : runtime.execution->TakeReady()) {
      open[request.task_run] = request;
    }
  };
  take_ready();
  for (const store::TaskRunRecord& run : done) {
    const auto action = actions.find(run.action_key);
    if (action == actions.end() || !action->second.finished) {
      return absl::DataLossError(
          absl::StrCat("trial ", trial.number, ": the result of ", run.node, " is missing"));
    }
    const ActionResult& result = action->second.result;
    for (const auto& [name, metric] : result.measurement.metrics) {
      runtime.measurement.metrics[name] = metric;
    }
    for (const auto& [port, digest] : result.outputs) {
      runtime.artifacts[absl::StrCat(run.node, ".", port)] = digest;
    }
    if (runtime.execution == nullptr) continue;
    if (!run.cached) runtime.trial.tool_seconds += result.tool_seconds;
    RETURN_IF_ERROR(runtime.execution->Tell(run.task_run, result));
    open.erase(run.task_run);
    take_ready();
  }
  for (const auto& [number, request] : open) {
    const auto run = runtime.task_runs.find(number);
    const auto action =
        run == runtime.task_runs.end() ? actions.end() : actions.find(run->second.action_key);
    if (action == actions.end() || action->second.finished) {
      StartTaskRun(job, runtime, request);
    } else {
      dependencies_.dispatcher->Restore(action->second, {job.record.id, trial.number, number},
                                        trial.number <= 0 ? 10 : 0);
    }
  }
  AdvanceTrial(job, runtime);
  return absl::OkStatus();
}

// Tells the strategy again what it knew, in the order of the log: results by the event at which
// they came, suggestions by the event they were made from, refits by the event of their
// installation.
void ExplorationLoop::RestoreSearch(JobRuntime& job, const store::LeaderState& state) {
  struct Step {
    int64_t event;
    int kind;  // within an event: results, then refits, then suggestions
    const TrialRuntime* trial;
    const Value* refit;
  };
  const bool fixed_lag = job.spec.search.order == SuggestionOrder::kFixedLag;
  std::vector<Step> steps;
  for (const auto& [number, trial] : job.trials) {
    if (number <= 0) continue;
    if (fixed_lag) {
      // Trial k was suggested when exactly the trials up to k - q had been told.
      steps.push_back({number, 2, &trial, nullptr});
      if (number + ParallelTrials(job) < job.next_trial) {
        steps.push_back({number + ParallelTrials(job), 0, &trial, nullptr});
      }
      continue;
    }
    steps.push_back({trial.trial.suggested_from_event, 2, &trial, nullptr});
    if (IsTerminal(trial.trial.state)) {
      steps.push_back({trial.trial.finished_event, 0, &trial, nullptr});
    }
  }
  if (!fixed_lag) {
    for (const store::SearchStateRecord& record : state.search_states) {
      if (record.job_id == job.record.id) {
        steps.push_back({record.installed_event, 1, nullptr, &record.state});
      }
    }
  }
  std::sort(steps.begin(), steps.end(), [](const Step& a, const Step& b) {
    return std::tie(a.event, a.kind) < std::tie(b.event, b.kind);
  });
  job.search->SetReplaying(true);
  for (const Step& step : steps) {
    if (step.kind == 0) {
      TeachSearch(job, *step.trial);
    } else if (step.kind == 1) {
      job.search->Restore(*step.refit);
    } else {
      if (fixed_lag) job.search->RefitInLine();
      job.search->AddPending(step.trial->trial.number, step.trial->trial.point);
    }
  }
  job.search->SetReplaying(false);
}

}  // namespace dovetail
