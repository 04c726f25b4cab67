#include "common/base/file_io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace dovetail {

absl::Status ErrnoStatus(int error_number, absl::string_view context) {
  const std::string message = absl::StrCat(context, ": ", std::strerror(error_number));
  switch (error_number) {
    case ENOENT:
      return absl::NotFoundError(message);
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return absl::ResourceExhaustedError(message);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(message);
    case ENOTDIR:
    case EISDIR:
    case EEXIST:
    case ENOTEMPTY:
    case ENAMETOOLONG:
    case ELOOP:
      return absl::FailedPreconditionError(message);
    default:
      return absl::UnavailableError(message);
  }
}

absl::StatusOr<std::string> ReadFile(const std::string& file, int64_t max_bytes) {
  const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, absl::StrCat("cannot read ", file));
  const auto closer = absl::MakeCleanup([fd] { close(fd); });
  std::string bytes;
  struct stat info;
  if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
    if (max_bytes > 0 && info.st_size > max_bytes) {
      return absl::ResourceExhaustedError(
          absl::StrCat(file, " has ", info.st_size, " bytes, more than the limit of ", max_bytes));
    }
    bytes.reserve(static_cast<size_t>(info.st_size));
  }
  char block[1 << 16];
  while (true) {
    const ssize_t got = read(fd, block, sizeof(block));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, absl::StrCat("cannot read ", file));
    if (got == 0) return bytes;
    bytes.append(block, static_cast<size_t>(got));
    if (max_bytes > 0 && static_cast<int64_t>(bytes.size()) > max_bytes) {
      return absl::ResourceExhaustedError(
          absl::StrCat(file, " has more bytes than the limit of ", max_bytes));
    }
  }
}

absl::Status WriteAll(int descriptor, absl::string_view bytes, absl::string_view context) {
  while (!bytes.empty()) {
    const ssize_t written = write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus(errno, context);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status WriteFileAtomically(const std::string& file, absl::string_view bytes,
                                 Durability durability) {
  const std::string context = absl::StrCat("cannot write ", file);
  const std::string temporary = absl::StrCat(file, ".", UniqueName(), ".tmp");
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) return ErrnoStatus(errno, context);
  absl::Status status = WriteAll(fd, bytes, context);
  if (status.ok() && durability == Durability::kSynced && fsync(fd) != 0)
    status = ErrnoStatus(errno, context);
  if (close(fd) != 0 && status.ok()) status = ErrnoStatus(errno, context);
  if (status.ok() && rename(temporary.c_str(), file.c_str()) != 0) {
    status = ErrnoStatus(errno, context);
  }
  if (!status.ok()) unlink(temporary.c_str());
  return status;
}

std::string UniqueName() {
  static std::atomic<uint64_t> count{0};
  static const int64_t start = std::chrono::system_clock::now().time_since_epoch().count();
  char host[256] = "host";
  gethostname(host, sizeof(host) - 1);
  return absl::StrCat(host, "-", getpid(), "-", start, "-", count.fetch_add(1));
}

}  // namespace dovetail
