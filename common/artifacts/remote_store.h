// The artifact store behind a coordinator's ArtifactService. Called by the worker's link and the
// CLI. Knows nothing of tokens: the channel carries them.
#ifndef DOVETAIL_COMMON_ARTIFACTS_REMOTE_STORE_H_
#define DOVETAIL_COMMON_ARTIFACTS_REMOTE_STORE_H_

#include <memory>

#include "common/artifacts/artifact_store.h"

namespace grpc {
class Channel;
}

namespace dovetail {

// Streams in pieces of 256 KiB; asks FindMissing before it uploads; verifies what it downloads
// (DataLoss). Calls fail with the server's code and are not retried: Unavailable is the caller's to
// retry, and repeating is always safe.
std::unique_ptr<ArtifactStore> MakeRemoteStore(std::shared_ptr<grpc::Channel> channel);

}  // namespace dovetail

#endif  // DOVETAIL_COMMON_ARTIFACTS_REMOTE_STORE_H_
