#include "services/worker/link/attempt_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/base/file_io.h"
#include "common/base/status_macros.h"

namespace dovetail::link {
namespace {

constexpr int64_t kLineBytes = 4096;

}  // namespace

absl::StatusOr<TaskFile> TaskFile::Open(const std::string& directory,
                                        const std::string& subdirectory, const std::string& name) {
  const std::string shown = absl::StrCat(subdirectory, subdirectory.empty() ? "" : "/", name);
  int parent = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (parent < 0) return ErrnoStatus(errno, absl::StrCat("cannot open ", directory));
  if (!subdirectory.empty()) {
    const int below =
        openat(parent, subdirectory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    const int cause = errno;
    close(parent);
    if (below < 0) return ErrnoStatus(cause, absl::StrCat("cannot open ", shown));
    parent = below;
  }
  const int fd = openat(parent, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  const int cause = errno;
  close(parent);
  if (fd < 0) return ErrnoStatus(cause, absl::StrCat("cannot open ", shown));
  struct stat info;
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    close(fd);
    return absl::FailedPreconditionError(absl::StrCat(shown, " is not a regular file"));
  }
  return TaskFile(fd, info.st_size);
}

TaskFile::~TaskFile() {
  if (fd_ >= 0) close(fd_);
}

std::string TaskFile::path() const { return absl::StrCat("/proc/self/fd/", fd_); }

absl::StatusOr<std::string> TaskFile::Read(int64_t max_bytes) const {
  return ReadFile(path(), max_bytes);
}

std::string TaskFile::LastLine() const {
  const int64_t from = std::max<int64_t>(0, size_bytes_ - kLineBytes);
  std::string text(static_cast<size_t>(size_bytes_ - from), '\0');
  const ssize_t got = pread(fd_, text.data(), text.size(), from);
  if (got <= 0) return "";
  text.resize(static_cast<size_t>(got));
  const size_t end = text.rfind('\n');
  if (end == std::string::npos || end == 0) return "";
  const size_t start = text.rfind('\n', end - 1);
  // Without a line end before it, the line may have lost its start.
  if (start == std::string::npos) return from == 0 ? text.substr(0, end) : "";
  return text.substr(start + 1, end - start - 1);
}

}  // namespace dovetail::link
