// Small texts kept on disk by the digest of what they were made from; shared by processes.
// Called by backends. Losing it costs time, never a result.
#ifndef DOVETAIL_SERVICES_WORKER_BACKENDS_CONTENT_CACHE_H_
#define DOVETAIL_SERVICES_WORKER_BACKENDS_CONTENT_CACHE_H_

#include <optional>
#include <string>

namespace dovetail::backends {

// Thread-safe, also between processes: written to a temporary, then renamed. Each entry carries
// the digest of its text, so a damaged one reads as absent.
class ContentCache {
 public:
  // `directory` "": keeps nothing. Made when first written.
  explicit ContentCache(std::string directory) : directory_(std::move(directory)) {}

  std::optional<std::string> Get(const std::string& key) const;
  // Failures (a full disk) are silent.
  void Put(const std::string& key, const std::string& text) const;

 private:
  std::string FileOf(const std::string& key) const;

  std::string directory_;
};

}  // namespace dovetail::backends

#endif  // DOVETAIL_SERVICES_WORKER_BACKENDS_CONTENT_CACHE_H_
