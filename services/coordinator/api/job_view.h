// Reads of jobs, trials and fronts for the API, as protobuf messages. Blocks on the store.
#ifndef DOVETAIL_SERVICES_COORDINATOR_API_JOB_VIEW_H_
#define DOVETAIL_SERVICES_COORDINATOR_API_JOB_VIEW_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/rpc/server.h"
#include "dovetail/v1/exploration_service.pb.h"
#include "services/coordinator/store/store.h"

namespace dovetail::api {

// A job that `principal` may see. Errors: NotFound: none, or another tenant's.
absl::StatusOr<store::JobRecord> VisibleJob(store::Store& store, const rpc::Principal& principal,
                                            int64_t id);

// Without progress.
absl::Status FillJob(const store::JobRecord& record, v1::Job* job);
// Counts, front size and seconds, from the job's trials.
absl::Status FillProgress(store::Store& store, const store::JobRecord& record,
                          v1::JobProgress* progress);
absl::Status FillFront(store::Store& store, const store::JobRecord& record,
                       v1::GetFrontResponse* response);
absl::Status FillTaskRuns(store::Store& store, int64_t job_id, int trial, v1::Trial* proto);

v1::Event EventToProto(const store::EventRecord& event);

}  // namespace dovetail::api

#endif  // DOVETAIL_SERVICES_COORDINATOR_API_JOB_VIEW_H_
