#include "services/worker/sandbox/work_area.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/file_io.h"
#include "common/base/status_macros.h"

namespace dovetail::sandbox {
namespace {

namespace fs = std::filesystem;
constexpr const char* kPrefix = "process-";

// A descriptor that holds the lock of an area, or -1 where another process has it.
int TryLock(const std::string& area, int flags) {
  const int fd = open((area + "/lock").c_str(), O_RDWR | O_CLOEXEC | flags, 0644);
  if (fd < 0) return -1;
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
  close(fd);
  return -1;
}

void RemoveDeadAreas(const std::string& root) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(root, ignored)) {
    const std::string area = entry.path().string();
    if (!absl::StartsWith(entry.path().filename().string(), kPrefix)) continue;
    const int fd = TryLock(area, 0);
    if (fd < 0) continue;
    RemoveTree(area).IgnoreError();
    close(fd);
  }
}

}  // namespace

absl::Status RemoveTree(const std::string& directory) {
  std::error_code error;
  fs::remove_all(directory, error);
  if (!error) return absl::OkStatus();
  // A tool may have left directories without write permission.
  std::error_code ignored;
  fs::recursive_directory_iterator it(directory, ignored);
  for (; !ignored && it != fs::recursive_directory_iterator(); it.increment(ignored)) {
    std::error_code unchanged;
    if (it->is_directory(unchanged) && !it->is_symlink(unchanged)) {
      fs::permissions(it->path(), fs::perms::owner_all, fs::perm_options::add, unchanged);
    }
  }
  fs::remove_all(directory, error);
  if (!error) return absl::OkStatus();
  return ErrnoStatus(error.value(), absl::StrCat("cannot remove ", directory));
}

int64_t TreeBytes(const std::string& directory) {
  int64_t bytes = 0;
  std::error_code error;
  fs::recursive_directory_iterator it(directory, fs::directory_options::skip_permission_denied,
                                      error);
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    struct stat info;
    if (lstat(it->path().c_str(), &info) == 0) bytes += static_cast<int64_t>(info.st_blocks) * 512;
  }
  return bytes;
}

absl::StatusOr<std::unique_ptr<WorkArea>> WorkArea::Open(const std::string& root) {
  std::error_code error;
  fs::create_directories(root, error);
  if (error) return ErrnoStatus(error.value(), absl::StrCat("cannot make ", root));
  RemoveDeadAreas(root);
  const std::string area = absl::StrCat(root, "/", kPrefix, UniqueName());
  // Made under another name and locked before it gets its own, so that nobody takes it for dead.
  const std::string young = absl::StrCat(root, "/new-", UniqueName());
  if (mkdir(young.c_str(), 0755) != 0) {
    return ErrnoStatus(errno, absl::StrCat("cannot make ", young));
  }
  const int fd = TryLock(young, O_CREAT);
  if (fd < 0) return ErrnoStatus(errno, absl::StrCat("cannot lock ", young));
  if (rename(young.c_str(), area.c_str()) != 0) {
    const int cause = errno;
    close(fd);
    return ErrnoStatus(cause, absl::StrCat("cannot make ", area));
  }
  return std::unique_ptr<WorkArea>(new WorkArea(area, fd));
}

WorkArea::~WorkArea() {
  RemoveTree(directory_).IgnoreError();
  close(lock_fd_);
}

absl::StatusOr<std::string> WorkArea::MakeDirectory(const std::string& name) {
  const std::string made = absl::StrCat(directory_, "/", name, "-", UniqueName());
  if (mkdir(made.c_str(), 0755) != 0) return ErrnoStatus(errno, absl::StrCat("cannot make ", made));
  return made;
}

}  // namespace dovetail::sandbox
