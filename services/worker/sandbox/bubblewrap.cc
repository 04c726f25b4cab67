#include "services/worker/sandbox/bubblewrap.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace dovetail::sandbox {
namespace {

// What programs, compilers and vendor tools are made of. Of /etc only the harmless: a hostile
// project must not read the node's keys even where the worker runs as root.
constexpr const char* kSystem[] = {
    "/usr",       "/opt",           "/nix/store",         "/etc/alternatives", "/etc/ld.so.cache",
    "/etc/fonts", "/etc/localtime", "/etc/nsswitch.conf", "/etc/passwd",       "/etc/group"};
constexpr const char* kMerged[] = {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};
// Writable to user 0 whatever its capabilities; /proc/sys/kernel/core_pattern names a program that
// the kernel runs outside of every cage.
constexpr const char* kKernelSettings[] = {"/proc/sys",  "/proc/sysrq-trigger", "/proc/fs",
                                           "/proc/acpi", "/proc/scsi",          "/proc/asound",
                                           "/proc/mtrr"};
constexpr const char* kTmpBytes = "1073741824";

// A relative link on merged-/usr systems, a directory elsewhere.
void AddMerged(std::vector<std::string>& arguments, const std::string& path) {
  struct stat info;
  if (lstat(path.c_str(), &info) != 0) return;
  if (S_ISLNK(info.st_mode)) {
    char target[256];
    const ssize_t length = readlink(path.c_str(), target, sizeof(target));
    if (length <= 0) return;
    arguments.insert(arguments.end(),
                     {"--symlink", std::string(target, static_cast<size_t>(length)), path});
  } else {
    arguments.insert(arguments.end(), {"--ro-bind", path, path});
  }
}

bool IsBelow(absl::string_view path, absl::string_view directory) {
  return absl::StartsWith(path, directory) &&
         (path.size() == directory.size() || path[directory.size()] == '/');
}

}  // namespace

bool VisibleInCage(const CommandSpec& spec, const std::string& path) {
  for (const char* shown : kSystem) {
    if (IsBelow(path, shown)) return true;
  }
  for (const char* shown : kMerged) {
    if (IsBelow(path, shown)) return true;
  }
  for (const auto* shown : {&spec.readable, &spec.writable}) {
    for (const std::string& directory : *shown) {
      if (IsBelow(path, directory)) return true;
    }
  }
  return false;
}

std::vector<std::string> BubblewrapArguments(const CommandSpec& spec,
                                             const std::string& working_directory, bool own_users) {
  std::vector<std::string> arguments = {"bwrap",         "--unshare-net", "--unshare-pid",
                                        "--unshare-ipc", "--unshare-uts", "--die-with-parent",
                                        "--new-session", "--proc",        "/proc",
                                        "--dev",         "/dev",          "--size",
                                        kTmpBytes,       "--tmpfs",       "/tmp"};
  // Root keeps its capabilities in a cage unless told otherwise.
  arguments.insert(arguments.end(), {"--cap-drop", "ALL"});
  if (own_users) arguments.insert(arguments.end(), {"--unshare-user", "--disable-userns"});
  for (const char* path : kKernelSettings) {
    arguments.insert(arguments.end(), {"--ro-bind-try", path, path});
  }
  for (const char* path : kSystem) {
    arguments.insert(arguments.end(), {"--ro-bind-try", path, path});
  }
  for (const char* path : kMerged) AddMerged(arguments, path);
  arguments.insert(arguments.end(),
                   {"--ro-bind-try", "/sys/devices/system/cpu", "/sys/devices/system/cpu"});
  for (const std::string& path : spec.readable) {
    arguments.insert(arguments.end(), {"--ro-bind", path, path});
  }
  for (const std::string& path : spec.writable) {
    arguments.insert(arguments.end(), {"--bind", path, path});
  }
  arguments.insert(arguments.end(), {"--setenv", "DOVETAIL_CAGED", "1"});
  if (!working_directory.empty()) {
    arguments.insert(arguments.end(), {"--chdir", working_directory});
  }
  arguments.push_back("--");
  return arguments;
}

}  // namespace dovetail::sandbox
