// Input artifacts kept on this worker by digest, the least recently used thrown away. Called by the
// attempt runner. Knows no tasks.
#ifndef DOVETAIL_SERVICES_WORKER_LINK_INPUT_CACHE_H_
#define DOVETAIL_SERVICES_WORKER_LINK_INPUT_CACHE_H_

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "common/artifacts/artifact_store.h"
#include "services/worker/link/worker_metrics.h"

namespace dovetail::link {

// Removes the files below `directory` that were used longest ago until at most limit_bytes remain.
// Several processes may do so at once.
void TrimDirectory(const std::string& directory, int64_t limit_bytes);

// Thread-safe; processes may share the directory.
class InputCache {
 public:
  // `remote` and `metrics` must outlive it.
  InputCache(std::string directory, int64_t limit_bytes, ArtifactStore* remote,
             WorkerMetrics* metrics);

  // Puts the artifact's bytes at `file` as a hard link, so that it stays whatever the cache throws
  // away. The same digest is downloaded once however many ask; kept bytes are verified each time.
  // Errors: those of ArtifactStore::GetFile.
  absl::Status LinkTo(const std::string& digest, const std::string& file);

 private:
  absl::Status LinkOnce(const std::string& digest, const std::string& file, bool& downloaded);

  const std::string directory_;
  const int64_t limit_bytes_;
  ArtifactStore* const remote_;
  WorkerMetrics* const metrics_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::string> under_way_;
};

}  // namespace dovetail::link

#endif  // DOVETAIL_SERVICES_WORKER_LINK_INPUT_CACHE_H_
