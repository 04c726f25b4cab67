// Immutable bytes named by their SHA-256. Called by the coordinator's ArtifactService, the worker's
// link and the CLI. Implementations: a directory (below), and the coordinator over gRPC
// (remote_store.h).
#ifndef DOVETAIL_COMMON_ARTIFACTS_ARTIFACT_STORE_H_
#define DOVETAIL_COMMON_ARTIFACTS_ARTIFACT_STORE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace dovetail {

// Thread-safe.
class ArtifactStore {
 public:
  virtual ~ArtifactStore() = default;

  // Returns the digest. Putting the same bytes again is OK and writes nothing.
  // Errors: ResourceExhausted: the disk is full or a limit is reached.
  virtual absl::StatusOr<std::string> Put(absl::string_view bytes) = 0;
  virtual absl::StatusOr<std::string> PutFile(const std::string& file) = 0;
  // Errors: NotFound; DataLoss: the stored bytes do not have this digest;
  // InvalidArgument: not a digest.
  virtual absl::StatusOr<std::string> Get(const std::string& digest) = 0;
  // Writes to `file` by way of a temporary and a rename.
  virtual absl::Status GetFile(const std::string& digest, const std::string& file) = 0;
  // Those of `digests` that are not here, in order.
  virtual absl::StatusOr<std::vector<std::string>> FindMissing(
      const std::vector<std::string>& digests) = 0;
};

// Files under `directory`, fanned out by the first two characters; written to a temporary, synced,
// renamed; compressed with zstd where that helps; verified on read. Several processes may share the
// directory. Bytes that fail verification are set aside, so that the next Put heals the store.
// Errors: Unavailable / PermissionDenied: the directory cannot be made or written.
absl::StatusOr<std::unique_ptr<ArtifactStore>> OpenDirectoryStore(const std::string& directory);

}  // namespace dovetail

#endif  // DOVETAIL_COMMON_ARTIFACTS_ARTIFACT_STORE_H_
