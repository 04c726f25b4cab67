#include "services/worker/link/input_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/base/digest.h"
#include "common/base/file_io.h"
#include "common/base/status_macros.h"
#include "common/telemetry/log.h"

namespace dovetail::link {
namespace {

namespace fs = std::filesystem;

struct CachedFile {
  std::string path;
  int64_t used_ns = 0;
  int64_t size_bytes = 0;
};

int64_t Nanoseconds(const timespec& time) { return time.tv_sec * 1'000'000'000 + time.tv_nsec; }

std::vector<CachedFile> FilesBelow(const std::string& directory) {
  std::vector<CachedFile> files;
  std::error_code error;
  fs::recursive_directory_iterator it(directory, fs::directory_options::skip_permission_denied,
                                      error);
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    struct stat info;
    const std::string path = it->path().string();
    if (lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    files.push_back({path, std::max(Nanoseconds(info.st_atim), Nanoseconds(info.st_mtim)),
                     static_cast<int64_t>(info.st_blocks) * 512});
  }
  return files;
}

// The disk may have rotted, and a task without a cage may have written where it should not.
bool HasDigest(const std::string& file, const std::string& digest) {
  std::ifstream in(file, std::ios::binary);
  std::string block(1 << 20, '\0');
  Sha256Hasher hasher;
  while (in.read(block.data(), static_cast<std::streamsize>(block.size())) || in.gcount() > 0) {
    hasher.Update(block.data(), static_cast<size_t>(in.gcount()));
  }
  return hasher.FinishHex() == digest;
}

}  // namespace

void TrimDirectory(const std::string& directory, int64_t limit_bytes) {
  std::vector<CachedFile> files = FilesBelow(directory);
  int64_t total_bytes = 0;
  for (const CachedFile& file : files) total_bytes += file.size_bytes;
  if (total_bytes <= limit_bytes) return;
  std::sort(files.begin(), files.end(), [](const CachedFile& a, const CachedFile& b) {
    return std::tie(a.used_ns, a.path) < std::tie(b.used_ns, b.path);
  });
  for (const CachedFile& file : files) {
    if (total_bytes <= limit_bytes) return;
    if (unlink(file.path.c_str()) == 0) total_bytes -= file.size_bytes;
  }
}

InputCache::InputCache(std::string directory, int64_t limit_bytes, ArtifactStore* remote,
                       WorkerMetrics* metrics)
    : directory_(std::move(directory)),
      limit_bytes_(limit_bytes),
      remote_(remote),
      metrics_(metrics) {}

absl::Status InputCache::LinkTo(const std::string& digest, const std::string& file) {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !under_way_.contains(digest); });
    under_way_.insert(digest);
  }
  const auto release = absl::MakeCleanup([&] {
    std::lock_guard lock(mutex_);
    under_way_.erase(digest);
    changed_.notify_all();
  });
  bool downloaded = false;
  RETURN_IF_ERROR(LinkOnce(digest, file, downloaded));
  (downloaded ? metrics_->cache_misses : metrics_->cache_hits).Increment();
  if (downloaded) {
    std::error_code ignored;
    metrics_->download_bytes.Increment(static_cast<double>(fs::file_size(file, ignored)));
    TrimDirectory(directory_, limit_bytes_);
  }
  return absl::OkStatus();
}

absl::Status InputCache::LinkOnce(const std::string& digest, const std::string& file,
                                  bool& downloaded) {
  const std::string parent = absl::StrCat(directory_, "/", digest.substr(0, 2));
  const std::string cached = absl::StrCat(parent, "/", digest);
  std::error_code error;
  fs::create_directories(parent, error);
  if (error) return ErrnoStatus(error.value(), absl::StrCat("cannot make ", parent));
  // Another process may throw a file away between its download and the link: once more then.
  for (int round = 0; round < 3; ++round) {
    if (::link(cached.c_str(), file.c_str()) == 0) {
      if (!downloaded && !HasDigest(file, digest)) {
        LogError("a cached input is corrupt and fetched again", {{"digest", digest}});
        unlink(file.c_str());
        unlink(cached.c_str());
        continue;
      }
      // Explicit, because the kernel's own "now" moves in steps of milliseconds.
      timespec now[2];
      clock_gettime(CLOCK_REALTIME, &now[0]);
      now[1] = now[0];
      utimensat(AT_FDCWD, cached.c_str(), now, 0);
      return absl::OkStatus();
    }
    if (errno != ENOENT) return ErrnoStatus(errno, absl::StrCat("cannot link ", cached));
    RETURN_IF_ERROR(remote_->GetFile(digest, cached));
    chmod(cached.c_str(), 0444);
    downloaded = true;
  }
  return absl::UnavailableError(absl::StrCat("input ", digest, " is thrown away at once: the ",
                                             "cache limit is too small for this task"));
}

}  // namespace dovetail::link
