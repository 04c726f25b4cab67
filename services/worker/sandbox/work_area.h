// Directories that live no longer than their process, even when it is killed -9: the next process
// that opens the area removes what the dead have left. Called by the daemon.
#ifndef DOVETAIL_SERVICES_WORKER_SANDBOX_WORK_AREA_H_
#define DOVETAIL_SERVICES_WORKER_SANDBOX_WORK_AREA_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace dovetail::sandbox {

// Removes `directory` and all below it, read-only directories too. Absence is OK.
absl::Status RemoveTree(const std::string& directory);

// What the files below `directory` take on the disk.
int64_t TreeBytes(const std::string& directory);

// A directory of this process under a root that processes share; held by a lock on a file in it.
// Thread-safe.
class WorkArea {
 public:
  // Makes root (and its parents) where needed, removes the areas whose process is gone.
  // Errors: those of making directories and locks.
  static absl::StatusOr<std::unique_ptr<WorkArea>> Open(const std::string& root);
  ~WorkArea();
  WorkArea(const WorkArea&) = delete;
  WorkArea& operator=(const WorkArea&) = delete;

  const std::string& directory() const { return directory_; }
  // A new, empty directory with `name` in its name.
  absl::StatusOr<std::string> MakeDirectory(const std::string& name);

 private:
  WorkArea(std::string directory, int lock_fd)
      : directory_(std::move(directory)), lock_fd_(lock_fd) {}

  const std::string directory_;
  const int lock_fd_;
};

}  // namespace dovetail::sandbox

#endif  // DOVETAIL_SERVICES_WORKER_SANDBOX_WORK_AREA_H_
