// What every servicer stands on, and how a call becomes a piece of the leader's mail. Servicers
// validate, convert, call one use case, convert; they keep no state of their own.
#ifndef DOVETAIL_SERVICES_COORDINATOR_API_API_CONTEXT_H_
#define DOVETAIL_SERVICES_COORDINATOR_API_API_CONTEXT_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "common/artifacts/artifact_store.h"
#include "common/base/clock.h"
#include "common/base/worker_pool.h"
#include "common/rpc/server.h"
#include "common/rpc/status_conversion.h"
#include "services/coordinator/leader.h"
#include "services/coordinator/store/store.h"

namespace dovetail::api {

struct ApiContext {
  Leader* leader = nullptr;
  store::Store* store = nullptr;
  ArtifactStore* artifacts = nullptr;
  WorkerPool* readers = nullptr;  // threads that may block on the database
  const Clock* clock = nullptr;
  rpc::TokenCheck token_check;  // null: everyone is the default principal
};

// The reactor of a call that was answered at once.
inline grpc::ServerUnaryReactor* FinishNow(grpc::CallbackServerContext* context,
                                           const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(rpc::ToGrpc(status));
  return reactor;
}

// Runs `read` on a thread that may block; its status ends the call.
inline grpc::ServerUnaryReactor* Read(const ApiContext& api, grpc::CallbackServerContext* context,
                                      std::function<absl::Status()> read) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  api.readers->Run([reactor, read = std::move(read)] { reactor->Finish(rpc::ToGrpc(read())); });
  return reactor;
}

// Runs `work` on the leader's thread; the call ends when its changes are committed.
inline grpc::ServerUnaryReactor* Lead(const ApiContext& api, grpc::CallbackServerContext* context,
                                      Leader::Work work) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  api.leader->Post(std::move(work),
                   [reactor](absl::Status status) { reactor->Finish(rpc::ToGrpc(status)); });
  return reactor;
}

}  // namespace dovetail::api

#endif  // DOVETAIL_SERVICES_COORDINATOR_API_API_CONTEXT_H_
