#include "services/worker/nn/atomic_file.h"

#include <unistd.h>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace dovetail::nn {
namespace {

absl::Status FileError(int error, absl::string_view action, const std::string& file) {
  const std::string text = absl::StrCat("cannot ", action, " ", file, ": ", std::strerror(error));
  if (error == ENOSPC || error == EDQUOT) return absl::ResourceExhaustedError(text);
  if (error == ENOENT || error == ENOTDIR) return absl::NotFoundError(text);
  if (error == EACCES || error == EPERM) return absl::PermissionDeniedError(text);
  return absl::InternalError(text);
}

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

}  // namespace

absl::StatusOr<std::string> ReadWholeFile(const std::string& file, size_t max_bytes) {
  std::error_code error;
  if (std::filesystem::is_directory(file, error)) {
    return absl::InvalidArgumentError(absl::StrCat(file, " is a directory, not a file"));
  }
  std::unique_ptr<std::FILE, Close> stream(std::fopen(file.c_str(), "rb"));
  if (stream == nullptr) return FileError(errno, "open", file);
  std::string bytes;
  char block[1 << 16];
  while (const size_t count = std::fread(block, 1, sizeof(block), stream.get())) {
    bytes.append(block, count);
    if (bytes.size() > max_bytes) {
      return absl::InvalidArgumentError(
          absl::StrCat(file, " is larger than ", max_bytes, " bytes"));
    }
  }
  if (std::ferror(stream.get())) return FileError(errno, "read", file);
  return bytes;
}

absl::Status WriteFileAtomically(const std::string& file,
                                 const std::vector<absl::string_view>& pieces) {
  const std::string temporary = absl::StrCat(file, ".tmp.", getpid());
  std::unique_ptr<std::FILE, Close> stream(std::fopen(temporary.c_str(), "wb"));
  if (stream == nullptr) return FileError(errno, "write", file);
  bool written = true;
  for (absl::string_view piece : pieces) {
    written = written && std::fwrite(piece.data(), 1, piece.size(), stream.get()) == piece.size();
  }
  written = written && std::fflush(stream.get()) == 0;
  int error = errno;
  if (written && std::rename(temporary.c_str(), file.c_str()) == 0) return absl::OkStatus();
  if (written) error = errno;
  std::remove(temporary.c_str());
  return FileError(error, "write", file);
}

}  // namespace dovetail::nn
