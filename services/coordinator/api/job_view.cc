#include "services/coordinator/api/job_view.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/convert/job_convert.h"
#include "common/convert/trial_convert.h"
#include "common/convert/value_convert.h"
#include "services/coordinator/job_plan.h"

namespace dovetail::api {
namespace {

absl::StatusOr<JobSpec> SpecOf(const store::JobRecord& record) {
  ASSIGN_OR_RETURN(const v1::JobSpec proto, convert::JobSpecFromJson(record.spec_json));
  return convert::JobSpecFromProto(proto);
}

absl::Status CountTaskRuns(store::Store& store, int64_t job_id, v1::JobProgress* progress) {
  constexpr int kPage = 1000;
  int64_t after = 0;
  while (true) {
    ASSIGN_OR_RETURN(const auto events, store.ListEvents(job_id, after, kPage));
    for (const store::EventRecord& event : events) {
      after = event.sequence;
      if (event.type != "task_finished") continue;
      progress->set_task_runs(progress->task_runs() + 1);
      if (event.payload["cached"].AsBool()) {
        progress->set_cached_task_runs(progress->cached_task_runs() + 1);
      }
    }
    progress->set_last_event(after);
    if (events.size() < kPage) return absl::OkStatus();
  }
}

std::vector<const Trial*> Pointers(const std::vector<Trial>& trials) {
  std::vector<const Trial*> pointers;
  for (const Trial& trial : trials) pointers.push_back(&trial);
  return pointers;
}

}  // namespace

absl::StatusOr<store::JobRecord> VisibleJob(store::Store& store, const rpc::Principal& principal,
                                            int64_t id) {
  absl::StatusOr<store::JobRecord> record = store.GetJob(id);
  if (absl::IsNotFound(record.status()) ||
      (record.ok() && !principal.is_admin && record->tenant != principal.tenant)) {
    return absl::NotFoundError(absl::StrCat("there is no job ", id));
  }
  return record;
}

absl::Status FillJob(const store::JobRecord& record, v1::Job* job) {
  job->set_id(record.id);
  job->set_tenant(record.tenant);
  ASSIGN_OR_RETURN(*job->mutable_spec(), convert::JobSpecFromJson(record.spec_json));
  job->set_state(convert::JobStateToProto(record.state));
  job->set_message(record.message);
  *job->mutable_create_time() = convert::TimestampFromMs(record.created_ms);
  if (record.finished_ms > 0) {
    *job->mutable_finish_time() = convert::TimestampFromMs(record.finished_ms);
  }
  *job->mutable_summary() = convert::ValueToStruct(record.summary);
  return absl::OkStatus();
}

absl::Status FillProgress(store::Store& store, const store::JobRecord& record,
                          v1::JobProgress* progress) {
  ASSIGN_OR_RETURN(const JobSpec spec, SpecOf(record));
  ASSIGN_OR_RETURN(const std::vector<Trial> trials, store.ListTrials({.job_id = record.id}));
  int created = 0, finished = 0, feasible = 0, infeasible = 0, abandoned = 0;
  double tool_seconds = 0;
  int64_t last_event = 0;
  for (const Trial& trial : trials) {
    tool_seconds += trial.tool_seconds;
    last_event = std::max(last_event, trial.finished_event);
    if (trial.number <= 0) continue;
    ++created;
    finished += IsTerminal(trial.state) ? 1 : 0;
    feasible += trial.state == TrialState::kSucceeded ? 1 : 0;
    infeasible += trial.state == TrialState::kInfeasible ? 1 : 0;
    abandoned += trial.state == TrialState::kAbandoned ? 1 : 0;
  }
  progress->set_trials_created(created);
  progress->set_trials_finished(finished);
  progress->set_trials_feasible(feasible);
  progress->set_trials_infeasible(infeasible);
  progress->set_trials_abandoned(abandoned);
  progress->set_front_size(static_cast<int>(Front(spec.objectives, Pointers(trials)).size()));
  progress->set_tool_seconds(tool_seconds);
  progress->set_last_event(last_event);
  // Counting task runs reads the whole log: once the job has ended, for its report.
  return IsTerminal(record.state) ? CountTaskRuns(store, record.id, progress) : absl::OkStatus();
}

absl::Status FillFront(store::Store& store, const store::JobRecord& record,
                       v1::GetFrontResponse* response) {
  ASSIGN_OR_RETURN(const JobSpec spec, SpecOf(record));
  ASSIGN_OR_RETURN(const std::vector<Trial> trials, store.ListTrials({.job_id = record.id}));
  for (const FrontEntry& entry : Front(spec.objectives, Pointers(trials))) {
    for (const Trial& trial : trials) {
      if (trial.number != entry.trial) continue;
      for (const Design& design : trial.designs) {
        if (design.index != entry.design) continue;
        *response->add_designs() = convert::DesignToProto(design, record.id, trial.number);
      }
    }
  }
  // In the order of the job file.
  for (const Reference& reference : spec.references) {
    for (const Trial& trial : trials) {
      if (trial.number < 0 && trial.reference == reference.name) {
        *response->add_references() = convert::TrialToProto(trial);
      }
    }
  }
  return absl::OkStatus();
}

absl::Status FillTaskRuns(store::Store& store, int64_t job_id, int trial, v1::Trial* proto) {
  ASSIGN_OR_RETURN(const auto runs, store.ListTaskRuns(job_id, trial));
  for (const store::TaskRunRecord& run : runs) {
    v1::TaskRun* out = proto->add_task_runs();
    out->set_task_run(run.task_run);
    out->set_node(run.node);
    out->set_path(run.path);
    out->set_iteration(run.iteration);
    out->set_action_key(run.action_key);
    out->set_done(run.done);
    out->set_cached(run.cached);
    *out->mutable_create_time() = convert::TimestampFromMs(run.created_ms);
    if (run.done) *out->mutable_finish_time() = convert::TimestampFromMs(run.finished_ms);
    ASSIGN_OR_RETURN(const auto attempts, store.ListAttempts(run.action_key));
    for (const store::AttemptRecord& attempt : attempts) {
      v1::Attempt* one = out->add_attempts();
      one->set_attempt(attempt.attempt);
      one->set_worker(attempt.worker);
      one->set_state(attempt.state);
      one->set_message(attempt.message);
      *one->mutable_start_time() = convert::TimestampFromMs(attempt.started_ms);
      if (attempt.finished_ms > 0) {
        one->set_outcome(std::string(OutcomeName(attempt.outcome)));
        *one->mutable_finish_time() = convert::TimestampFromMs(attempt.finished_ms);
      }
    }
  }
  return absl::OkStatus();
}

v1::Event EventToProto(const store::EventRecord& event) {
  v1::Event proto;
  proto.set_job_id(event.job_id);
  proto.set_sequence(event.sequence);
  proto.set_type(event.type);
  *proto.mutable_payload() = convert::ValueToStruct(event.payload);
  *proto.mutable_time() = convert::TimestampFromMs(event.created_ms);
  return proto;
}

}  // namespace dovetail::api
