#include "services/cli/local/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"
#include "services/cli/output_files.h"

extern char** environ;

namespace dovetail::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kKeptOutputBytes = 64 << 10;

// Attributes and file actions of one spawn.
class Spawn {
 public:
  Spawn() {
    posix_spawnattr_init(&attributes_);
    posix_spawn_file_actions_init(&actions_);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setflags(&attributes_,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addchdir_np(&actions_, "/");
  }
  ~Spawn() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  void OutputTo(int fd) {
    posix_spawn_file_actions_adddup2(&actions_, fd, 1);
    posix_spawn_file_actions_adddup2(&actions_, fd, 2);
  }
  absl::StatusOr<pid_t> Run(const std::vector<std::string>& command) {
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    pid_t pid = 0;
    const int error =
        posix_spawnp(&pid, arguments[0], &actions_, &attributes_, arguments.data(), environ);
    if (error == 0) return pid;
    const std::string message =
        absl::StrCat("cannot start ", command[0], ": ", std::strerror(error));
    return error == ENOENT ? absl::NotFoundError(message) : absl::InternalError(message);
  }

 private:
  posix_spawnattr_t attributes_;
  posix_spawn_file_actions_t actions_;
};

std::string LastLineOf(const std::string& text) {
  std::string last;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const absl::string_view trimmed = absl::StripAsciiWhitespace(line);
    if (!trimmed.empty()) last = std::string(trimmed);
  }
  return last;
}

// Clock ticks after boot at which the process began; 0 where it is gone or a zombie.
// Source: proc(5), /proc/pid/stat, fields 3 and 22; the name in field 2 may hold blanks.
uint64_t StartTicks(pid_t pid) {
  std::ifstream stream(absl::StrCat("/proc/", pid, "/stat"));
  std::ostringstream text;
  if (stream) text << stream.rdbuf();
  const std::string all = text.str();
  const size_t name_end = all.rfind(')');
  if (name_end == std::string::npos) return 0;
  const std::vector<std::string> fields =
      absl::StrSplit(all.substr(name_end + 1), ' ', absl::SkipEmpty());
  uint64_t ticks = 0;
  if (fields.size() < 20 || fields[0] == "Z" || fields[0] == "X") return 0;
  return absl::SimpleAtoi(fields[19], &ticks) ? ticks : 0;
}

}  // namespace

absl::StatusOr<std::string> RunProgram(const std::vector<std::string>& command) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return absl::ResourceExhaustedError(absl::StrCat("no pipe: ", std::strerror(errno)));
  }
  Spawn spawn;
  spawn.OutputTo(ends[1]);
  const absl::StatusOr<pid_t> pid = spawn.Run(command);
  close(ends[1]);
  if (!pid.ok()) {
    close(ends[0]);
    return pid.status();
  }
  // A daemon that the program starts may keep the pipe open: its own end ends the reading.
  std::string output;
  int status = 0;
  bool ended = false;
  char buffer[4096];
  while (true) {
    pollfd ready{ends[0], POLLIN, 0};
    const int some = poll(&ready, 1, ended ? 0 : 20);
    if (some > 0) {
      const ssize_t count = read(ends[0], buffer, sizeof(buffer));
      if (count > 0) output.append(buffer, static_cast<size_t>(count));
      if (output.size() > 2 * kKeptOutputBytes) output.erase(0, output.size() - kKeptOutputBytes);
      if (count > 0) continue;
    }
    if (ended) break;
    ended = waitpid(*pid, &status, some > 0 ? 0 : WNOHANG) == *pid;
  }
  close(ends[0]);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return output;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127 && output.empty()) {
    return absl::NotFoundError(absl::StrCat("cannot start ", command[0]));
  }
  std::string why = LastLineOf(output);
  if (why.empty()) why = absl::StrCat("status ", status);
  return absl::InternalError(absl::StrCat(fs::path(command[0]).filename().string(), ": ", why));
}

absl::Status StartDaemon(const std::vector<std::string>& command, const std::string& log_file,
                         const std::string& pid_file) {
  const int log = open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log < 0) {
    return absl::PermissionDeniedError(
        absl::StrCat("cannot write ", log_file, ": ", std::strerror(errno)));
  }
  Spawn spawn;
  spawn.OutputTo(log);
  const absl::StatusOr<pid_t> pid = spawn.Run(command);
  close(log);
  if (!pid.ok()) return pid.status();
  return WriteFileWhole(pid_file, absl::StrCat(*pid, " ", StartTicks(*pid), "\n"));
}

pid_t LivingProcess(const std::string& pid_file) {
  std::ifstream stream(pid_file);
  pid_t pid = 0;
  uint64_t ticks = 0;
  if (!(stream >> pid >> ticks) || pid <= 1) return 0;
  waitpid(pid, nullptr, WNOHANG);  // where it is our child, and has ended
  return ticks != 0 && StartTicks(pid) == ticks ? pid : 0;
}

void StopDaemon(const std::string& pid_file, int64_t grace_ms) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(grace_ms);
  bool asked = false;
  while (const pid_t pid = LivingProcess(pid_file)) {
    if (!asked) kill(pid, SIGTERM);
    asked = true;
    if (std::chrono::steady_clock::now() >= end) kill(-pid, SIGKILL);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  unlink(pid_file.c_str());
}

std::string LastLine(const std::string& file) {
  std::ifstream stream(file, std::ios::binary | std::ios::ate);
  if (!stream) return "";
  const auto size = static_cast<int64_t>(stream.tellg());
  const int64_t from = std::max<int64_t>(0, size - 8192);
  stream.seekg(from);
  std::string tail(static_cast<size_t>(size - from), '\0');
  stream.read(tail.data(), static_cast<std::streamsize>(tail.size()));
  return LastLineOf(tail);
}

std::string FindOnPath(const std::string& name) {
  const char* path = std::getenv("PATH");
  for (const absl::string_view directory :
       absl::StrSplit(path == nullptr ? "/usr/bin:/bin" : path, ':', absl::SkipEmpty())) {
    const std::string file = absl::StrCat(directory, "/", name);
    if (access(file.c_str(), X_OK) == 0 && fs::is_regular_file(file)) return file;
  }
  return "";
}

std::string OwnDirectory() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path().string();
}

}  // namespace dovetail::cli
