// ExplorationService: what users call. Thin; see api_context.h.
#ifndef DOVETAIL_SERVICES_COORDINATOR_API_EXPLORATION_SERVICE_H_
#define DOVETAIL_SERVICES_COORDINATOR_API_EXPLORATION_SERVICE_H_

#include "dovetail/v1/exploration_service.grpc.pb.h"
#include "services/coordinator/api/api_context.h"

namespace dovetail::api {

// Thread-safe.
class ExplorationService : public v1::ExplorationService::CallbackService {
 public:
  explicit ExplorationService(const ApiContext& api) : api_(api) {}

  grpc::ServerUnaryReactor* ValidateJob(grpc::CallbackServerContext* context,
                                        const v1::ValidateJobRequest* request,
                                        v1::ValidateJobResponse* response) override;
  grpc::ServerUnaryReactor* SubmitJob(grpc::CallbackServerContext* context,
                                      const v1::SubmitJobRequest* request,
                                      v1::Job* response) override;
  grpc::ServerUnaryReactor* GetJob(grpc::CallbackServerContext* context,
                                   const v1::GetJobRequest* request, v1::Job* response) override;
  grpc::ServerUnaryReactor* ListJobs(grpc::CallbackServerContext* context,
                                     const v1::ListJobsRequest* request,
                                     v1::ListJobsResponse* response) override;
  grpc::ServerUnaryReactor* CancelJob(grpc::CallbackServerContext* context,
                                      const v1::CancelJobRequest* request,
                                      v1::Job* response) override;
  grpc::ServerWriteReactor<v1::Event>* WatchJob(grpc::CallbackServerContext* context,
                                                const v1::WatchJobRequest* request) override;
  grpc::ServerUnaryReactor* GetTrial(grpc::CallbackServerContext* context,
                                     const v1::GetTrialRequest* request,
                                     v1::Trial* response) override;
  grpc::ServerUnaryReactor* ListTrials(grpc::CallbackServerContext* context,
                                       const v1::ListTrialsRequest* request,
                                       v1::ListTrialsResponse* response) override;
  grpc::ServerUnaryReactor* GetFront(grpc::CallbackServerContext* context,
                                     const v1::GetFrontRequest* request,
                                     v1::GetFrontResponse* response) override;
  grpc::ServerUnaryReactor* ListWorkers(grpc::CallbackServerContext* context,
                                        const v1::ListWorkersRequest* request,
                                        v1::ListWorkersResponse* response) override;

 private:
  const ApiContext api_;
};

}  // namespace dovetail::api

#endif  // DOVETAIL_SERVICES_COORDINATOR_API_EXPLORATION_SERVICE_H_
