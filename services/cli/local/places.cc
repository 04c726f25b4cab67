#include "services/cli/local/places.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/base/digest.h"
#include "common/base/status_macros.h"

namespace dovetail::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxRuntimeBytes = 70;  // leaves room for names under it within 107

absl::Status CannotMake(const std::string& directory, int error) {
  const std::string message =
      absl::StrCat("cannot make the directory ", directory, ": ", std::strerror(error));
  if (error == EACCES || error == EPERM || error == EROFS) {
    return absl::PermissionDeniedError(absl::StrCat(message, "; choose another with --state"));
  }
  if (error == ENOSPC) return absl::ResourceExhaustedError(message);
  return absl::FailedPreconditionError(message);
}

absl::Status MakeDirectory(const std::string& directory, mode_t mode) {
  std::error_code error;
  fs::create_directories(fs::path(directory).parent_path(), error);
  if (error) return CannotMake(directory, error.value());
  if (mkdir(directory.c_str(), mode) != 0 && errno != EEXIST) return CannotMake(directory, errno);
  struct stat info {};
  if (lstat(directory.c_str(), &info) != 0) return CannotMake(directory, errno);
  if (!S_ISDIR(info.st_mode)) return CannotMake(directory, ENOTDIR);
  return absl::OkStatus();
}

// Under /tmp anybody may have made it before us.
absl::Status MakeOwnDirectory(const std::string& directory, mode_t mode) {
  RETURN_IF_ERROR(MakeDirectory(directory, mode));
  struct stat info {};
  if (lstat(directory.c_str(), &info) != 0) return CannotMake(directory, errno);
  if (info.st_uid != geteuid()) {
    return absl::FailedPreconditionError(
        absl::StrCat(directory, " belongs to another user; remove it"));
  }
  if (chmod(directory.c_str(), mode) != 0) return CannotMake(directory, errno);
  return absl::OkStatus();
}

std::string RuntimeBase() {
  if (geteuid() == 0 && access("/run", W_OK) == 0) return "/run/dovetail";
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  if (geteuid() != 0 && runtime != nullptr && runtime[0] == '/' && access(runtime, W_OK) == 0 &&
      std::strlen(runtime) < kMaxRuntimeBytes - 20) {
    return absl::StrCat(runtime, "/dovetail");
  }
  return absl::StrCat("/tmp/dovetail-", geteuid());
}

}  // namespace

absl::StatusOr<Places> FindPlaces(const std::string& state) {
  Places places;
  if (!state.empty()) {
    std::error_code error;
    places.state = fs::absolute(state, error).lexically_normal().string();
    while (places.state.size() > 1 && places.state.back() == '/') places.state.pop_back();
  } else if (geteuid() == 0) {
    places.state = "/var/lib/dovetail";
  } else if (const char* xdg = std::getenv("XDG_STATE_HOME"); xdg != nullptr && xdg[0] == '/') {
    places.state = absl::StrCat(xdg, "/dovetail");
  } else if (const char* home = std::getenv("HOME"); home != nullptr && home[0] == '/') {
    places.state = absl::StrCat(home, "/.local/state/dovetail");
  } else {
    return absl::FailedPreconditionError("no home directory is set; name one with --state DIR");
  }
  places.runtime = absl::StrCat(RuntimeBase(), "/", Sha256Hex(places.state).substr(0, 8));
  return places;
}

absl::Status MakePlaces(const Places& places) {
  // The postgres user must be able to pass through where root runs the service.
  const mode_t mode = geteuid() == 0 ? 0755 : 0700;
  RETURN_IF_ERROR(MakeOwnDirectory(places.state, mode));
  for (const std::string& directory : {places.artifacts(), places.logs(), places.requests()}) {
    RETURN_IF_ERROR(MakeOwnDirectory(directory, 0700));
  }
  RETURN_IF_ERROR(MakeOwnDirectory(fs::path(places.runtime).parent_path().string(), mode));
  return MakeOwnDirectory(places.runtime, mode);
}

}  // namespace dovetail::cli
