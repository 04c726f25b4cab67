// The directory of one attempt, and how its files are read after a task that may be hostile: by
// descriptor, never through a link that the task has left. Called by the attempt runner and the
// heartbeat.
#ifndef DOVETAIL_SERVICES_WORKER_LINK_ATTEMPT_FILES_H_
#define DOVETAIL_SERVICES_WORKER_LINK_ATTEMPT_FILES_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace dovetail::link {

// A file below a trusted directory, opened for reading; each part of its name must be what it
// seems. Errors: NotFound; FailedPrecondition: a link, or not a regular file.
class TaskFile {
 public:
  // subdirectory: "" or one name; name: one name.
  static absl::StatusOr<TaskFile> Open(const std::string& directory,
                                       const std::string& subdirectory, const std::string& name);
  TaskFile(TaskFile&& other) noexcept : fd_(other.fd_), size_bytes_(other.size_bytes_) {
    other.fd_ = -1;
  }
  ~TaskFile();
  TaskFile(const TaskFile&) = delete;
  TaskFile& operator=(const TaskFile&) = delete;

  int64_t size_bytes() const { return size_bytes_; }
  // A path that names the open file, however its directory changes.
  std::string path() const;
  // Errors: ResourceExhausted: larger than max_bytes.
  absl::StatusOr<std::string> Read(int64_t max_bytes) const;
  // The last line that is complete, of at most 4 KiB; "" where there is none.
  std::string LastLine() const;

 private:
  TaskFile(int fd, int64_t size_bytes) : fd_(fd), size_bytes_(size_bytes) {}

  int fd_;
  int64_t size_bytes_;
};

}  // namespace dovetail::link

#endif  // DOVETAIL_SERVICES_WORKER_LINK_ATTEMPT_FILES_H_
