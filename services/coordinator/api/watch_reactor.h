// One WatchJob stream: the job's events from the store, then new ones as the leader commits them.
#ifndef DOVETAIL_SERVICES_COORDINATOR_API_WATCH_REACTOR_H_
#define DOVETAIL_SERVICES_COORDINATOR_API_WATCH_REACTOR_H_

#include "absl/status/statusor.h"
#include "dovetail/v1/exploration_service.pb.h"
#include "services/coordinator/api/api_context.h"

namespace dovetail::api {

// The reactor deletes itself when the stream ends: at the job's end, or when the client leaves.
grpc::ServerWriteReactor<v1::Event>* StartWatch(const ApiContext& api,
                                                const absl::StatusOr<rpc::Principal>& principal,
                                                const v1::WatchJobRequest& request);

}  // namespace dovetail::api

#endif  // DOVETAIL_SERVICES_COORDINATOR_API_WATCH_REACTOR_H_
