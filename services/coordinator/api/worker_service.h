// WorkerService: the workers' end of the conversation. Thin; see api_context.h.
#ifndef DOVETAIL_SERVICES_COORDINATOR_API_WORKER_SERVICE_H_
#define DOVETAIL_SERVICES_COORDINATOR_API_WORKER_SERVICE_H_

#include "dovetail/v1/worker_service.grpc.pb.h"
#include "services/coordinator/api/api_context.h"

namespace dovetail::api {

// Thread-safe.
class WorkerService : public v1::WorkerService::CallbackService {
 public:
  explicit WorkerService(const ApiContext& api) : api_(api) {}

  grpc::ServerUnaryReactor* Lease(grpc::CallbackServerContext* context,
                                  const v1::LeaseRequest* request,
                                  v1::LeaseResponse* response) override;
  grpc::ServerUnaryReactor* Heartbeat(grpc::CallbackServerContext* context,
                                      const v1::HeartbeatRequest* request,
                                      v1::HeartbeatResponse* response) override;
  grpc::ServerUnaryReactor* Complete(grpc::CallbackServerContext* context,
                                     const v1::CompleteRequest* request,
                                     v1::CompleteResponse* response) override;

 private:
  const ApiContext api_;
};

}  // namespace dovetail::api

#endif  // DOVETAIL_SERVICES_COORDINATOR_API_WORKER_SERVICE_H_
