#include "services/coordinator/api/exploration_service.h"

#include <algorithm>
#include <limits>
#include <map>
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/convert/job_convert.h"
#include "common/convert/trial_convert.h"
#include "common/convert/value_convert.h"
#include "services/coordinator/api/job_view.h"
#include "services/coordinator/api/watch_reactor.h"
#include "services/coordinator/job_plan.h"

namespace dovetail::api {
namespace {

constexpr int kDefaultPage = 100;
constexpr int kLargestPage = 1000;
constexpr size_t kLongestRequestId = 200;

absl::StatusOr<rpc::Principal> User(const ApiContext& api, grpc::CallbackServerContext* context) {
  ASSIGN_OR_RETURN(rpc::Principal principal, rpc::Authenticate(*context, api.token_check));
  if (!principal.may_submit) {
    return absl::PermissionDeniedError("this token may not use ExplorationService");
  }
  return principal;
}

int PageSize(int asked) { return asked <= 0 ? kDefaultPage : std::min(asked, kLargestPage); }

absl::StatusOr<int64_t> ParsePageToken(const std::string& token, int64_t first) {
  if (token.empty()) return first;
  int64_t value = 0;
  if (!absl::SimpleAtoi(token, &value)) {
    return absl::InvalidArgumentError(absl::StrCat("\"", token, "\" is no page token"));
  }
  return value;
}

// Both artifacts a job names are here.
absl::Status CheckArtifacts(ArtifactStore& artifacts, const JobSpec& spec) {
  const std::map<std::string, std::string> wanted = {{"network", spec.network_digest},
                                                     {"dataset", spec.dataset_digest}};
  for (const auto& [field, digest] : wanted) {
    ASSIGN_OR_RETURN(const auto missing, artifacts.FindMissing({digest}));
    if (!missing.empty()) {
      return absl::FailedPreconditionError(
          absl::StrCat(field, ": artifact ", digest, " is not in the store; upload it first"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

grpc::ServerUnaryReactor* ExplorationService::ValidateJob(grpc::CallbackServerContext* context,
                                                          const v1::ValidateJobRequest* request,
                                                          v1::ValidateJobResponse* response) {
  const auto principal = User(api_, context);
  if (!principal.ok()) return FinishNow(context, principal.status());
  return Read(api_, context, [request, response]() -> absl::Status {
    ASSIGN_OR_RETURN(const JobSpec spec, convert::JobSpecFromProto(request->spec()));
    ASSIGN_OR_RETURN(*response->mutable_flow_dot(), CheckJob(spec));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* ExplorationService::SubmitJob(grpc::CallbackServerContext* context,
                                                        const v1::SubmitJobRequest* request,
                                                        v1::Job* response) {
  const auto principal = User(api_, context);
  if (!principal.ok()) return FinishNow(context, principal.status());
  if (request->request_id().size() > kLongestRequestId) {
    return FinishNow(context, absl::InvalidArgumentError("request_id is longer than 200 bytes"));
  }
  const absl::StatusOr<JobSpec> spec = convert::JobSpecFromProto(request->spec());
  if (!spec.ok()) return FinishNow(context, spec.status());
  if (const auto checked = CheckJob(*spec); !checked.ok()) {
    return FinishNow(context, checked.status());
  }
  if (const auto found = CheckArtifacts(*api_.artifacts, *spec); !found.ok()) {
    return FinishNow(context, found);
  }
  auto record = std::make_shared<store::JobRecord>();
  record->tenant = principal->tenant;
  record->name = spec->name;
  record->request_id = request->request_id();
  record->spec_json = convert::JobSpecToJson(convert::JobSpecToProto(*spec));
  record->created_ms = api_.clock->WallMs();
  store::Store* store = api_.store;
  return Lead(api_, context, [record, spec = *spec, store, response](Turn& turn) -> absl::Status {
    if (!record->request_id.empty()) {
      for (const auto& [id, job] : turn.exploration.jobs()) {
        if (job->record.tenant == record->tenant && job->record.request_id == record->request_id) {
          return FillJob(job->record, response);
        }
      }
      ASSIGN_OR_RETURN(const auto known,
                       store->FindJobByRequest(record->tenant, record->request_id));
      if (known.has_value()) return FillJob(*known, response);
    }
    record->id = turn.next_job_id++;
    RETURN_IF_ERROR(turn.exploration.Submit(*record, spec));
    return FillJob(*record, response);
  });
}

grpc::ServerUnaryReactor* ExplorationService::GetJob(grpc::CallbackServerContext* context,
                                                     const v1::GetJobRequest* request,
                                                     v1::Job* response) {
  const auto principal = User(api_, context);
  if (!principal.ok()) return FinishNow(context, principal.status());
  return Read(api_, context, [this, principal = *principal, request, response]() -> absl::Status {
    ASSIGN_OR_RETURN(const auto record, VisibleJob(*api_.store, principal, request->id()));
    RETURN_IF_ERROR(FillJob(record, response));
    return FillProgress(*api_.store, record, response->mutable_progress());
  });
}

grpc::ServerUnaryReactor* ExplorationService::ListJobs(grpc::CallbackServerContext* context,
                                                       const v1::ListJobsRequest* request,
                                                       v1::ListJobsResponse* response) {
  const auto principal = User(api_, context);
  if (!principal.ok()) return FinishNow(context, principal.status());
  return Read(api_, context, [this, principal = *principal, request, response]() -> absl::Status {
    ASSIGN_OR_RETURN(const int64_t before, ParsePageToken(request->page_token(), 0));
    const int size = PageSize(request->page_size());
    ASSIGN_OR_RETURN(
        const auto jobs,
        api_.store->ListJobs(principal.is_admin ? "" : principal.tenant, before, size + 1));
    for (size_t i = 0; i < jobs.size() && i < static_cast<size_t>(size); ++i) {
      RETURN_IF_ERROR(FillJob(jobs[i], response->add_jobs()));
    }
    if (jobs.size() > static_cast<size_t>(size)) {
      response->set_next_page_token(absl::StrCat(jobs[size - 1].id));
    }
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* ExplorationService::CancelJob(grpc::CallbackServerContext* context,
                                                        const v1::CancelJobRequest* request,
                                                        v1::Job* response) {
  const auto principal = User(api_, context);
  if (!principal.ok()) return FinishNow(context, principal.status());
  return Lead(api_, context,
              [this, principal = *principal, request, response](Turn& turn) -> absl::Status {
                RETURN_IF_ERROR(VisibleJob(*api_.store, principal, request->id()).status());
                RETURN_IF_ERROR(turn.exploration.Cancel(request->id()));
                return FillJob(turn.exploration.jobs().at(request->id())->record, response);
              });
}

grpc::ServerWriteReactor<v1::Event>* ExplorationService::WatchJob(
    grpc::CallbackServerContext* context, const v1::WatchJobRequest* request) {
  return StartWatch(api_, User(api_, context), *request);
}

grpc::ServerUnaryReactor* ExplorationService::GetTrial(grpc::CallbackServerContext* context,
                                                       const v1::GetTrialRequest* request,
                                                       v1::Trial* response) {
  const auto principal = User(api_, context);
  if (!principal.ok()) return FinishNow(context, principal.status());
  return Read(api_, context, [this, principal = *principal, request, response]() -> absl::Status {
    RETURN_IF_ERROR(VisibleJob(*api_.store, principal, request->job_id()).status());
    ASSIGN_OR_RETURN(const Trial trial, api_.store->GetTrial(request->job_id(), request->number()));
    *response = convert::TrialToProto(trial);
    return FillTaskRuns(*api_.store, request->job_id(), request->number(), response);
  });
}

grpc::ServerUnaryReactor* ExplorationService::ListTrials(grpc::CallbackServerContext* context,
                                                         const v1::ListTrialsRequest* request,
                                                         v1::ListTrialsResponse* response) {
  const auto principal = User(api_, context);
  if (!principal.ok()) return FinishNow(context, principal.status());
  return Read(api_, context, [this, principal = *principal, request, response]() -> absl::Status {
    RETURN_IF_ERROR(VisibleJob(*api_.store, principal, request->job_id()).status());
    store::TrialFilter filter;
    filter.job_id = request->job_id();
    ASSIGN_OR_RETURN(const int64_t after,
                     ParsePageToken(request->page_token(), filter.after_number));
    filter.after_number = static_cast<int>(std::clamp<int64_t>(
        after, std::numeric_limits<int>::min(), std::numeric_limits<int>::max()));
    if (request->state() != v1::TRIAL_STATE_UNSPECIFIED) {
      ASSIGN_OR_RETURN(filter.state, convert::TrialStateFromProto(request->state()));
    }
    const int size = PageSize(request->page_size());
    filter.limit = size + 1;
    ASSIGN_OR_RETURN(const auto trials, api_.store->ListTrials(filter));
    for (size_t i = 0; i < trials.size() && i < static_cast<size_t>(size); ++i) {
      *response->add_trials() = convert::TrialToProto(trials[i]);
    }
    if (trials.size() > static_cast<size_t>(size)) {
      response->set_next_page_token(absl::StrCat(trials[size - 1].number));
    }
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* ExplorationService::GetFront(grpc::CallbackServerContext* context,
                                                       const v1::GetFrontRequest* request,
                                                       v1::GetFrontResponse* response) {
  const auto principal = User(api_, context);
  if (!principal.ok()) return FinishNow(context, principal.status());
  return Read(api_, context, [this, principal = *principal, request, response]() -> absl::Status {
    ASSIGN_OR_RETURN(const auto record, VisibleJob(*api_.store, principal, request->job_id()));
    return FillFront(*api_.store, record, response);
  });
}

grpc::ServerUnaryReactor* ExplorationService::ListWorkers(grpc::CallbackServerContext* context,
                                                          const v1::ListWorkersRequest*,
                                                          v1::ListWorkersResponse* response) {
  const auto principal = User(api_, context);
  if (!principal.ok()) return FinishNow(context, principal.status());
  store::Store* store = api_.store;
  const bool all = principal->is_admin;
  const std::string tenant = principal->tenant;
  return Lead(api_, context, [store, response, all, tenant](Turn& turn) -> absl::Status {
    const std::map<std::string, int> busy = turn.dispatcher.BusySlots();
    ASSIGN_OR_RETURN(const auto workers, store->ListWorkers());
    for (const store::WorkerRecord& worker : workers) {
      if (!all && !worker.tenant.empty() && worker.tenant != tenant) continue;
      v1::Worker* out = response->add_workers();
      out->set_id(worker.id);
      out->set_host(worker.host);
      for (const std::string& capability : worker.capabilities) out->add_capabilities(capability);
      out->set_slots(worker.slots);
      const auto it = busy.find(worker.id);
      out->set_busy_slots(it == busy.end() ? 0 : it->second);
      out->set_state(worker.state);
      out->set_version(worker.version);
      *out->mutable_register_time() = convert::TimestampFromMs(worker.registered_ms);
      *out->mutable_last_seen_time() = convert::TimestampFromMs(worker.last_seen_ms);
    }
    return absl::OkStatus();
  });
}

}  // namespace dovetail::api
