// ArtifactService over an ArtifactStore. Streams block on the disk, so this service is synchronous:
// gRPC gives it threads of its own, apart from the callback threads.
#ifndef DOVETAIL_SERVICES_COORDINATOR_API_ARTIFACT_SERVICE_H_
#define DOVETAIL_SERVICES_COORDINATOR_API_ARTIFACT_SERVICE_H_

#include <cstdint>
#include <string>

#include "dovetail/v1/artifact_service.grpc.pb.h"
#include "services/coordinator/api/api_context.h"

namespace dovetail::api {

struct ArtifactServiceOptions {
  std::string upload_directory;            // for uploads under way; emptied at start
  int64_t max_artifact_bytes = 4LL << 30;  // ResourceExhausted above
};

// Thread-safe.
class ArtifactService : public v1::ArtifactService::Service {
 public:
  ArtifactService(const ApiContext& api, const ArtifactServiceOptions& options);

  grpc::Status Put(grpc::ServerContext* context, grpc::ServerReader<v1::PutArtifactRequest>* reader,
                   v1::PutArtifactResponse* response) override;
  grpc::Status Get(grpc::ServerContext* context, const v1::GetArtifactRequest* request,
                   grpc::ServerWriter<v1::GetArtifactResponse>* writer) override;
  grpc::Status FindMissing(grpc::ServerContext* context, const v1::FindMissingRequest* request,
                           v1::FindMissingResponse* response) override;

 private:
  absl::Status Receive(grpc::ServerReader<v1::PutArtifactRequest>* reader,
                       v1::PutArtifactResponse* response);

  const ApiContext api_;
  const ArtifactServiceOptions options_;
};

}  // namespace dovetail::api

#endif  // DOVETAIL_SERVICES_COORDINATOR_API_ARTIFACT_SERVICE_H_
