#include "services/worker/sandbox/run_caged.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/file_io.h"
#include "common/base/status_macros.h"
#include "common/telemetry/log.h"
#include "services/worker/sandbox/bubblewrap.h"
#include "services/worker/sandbox/clipped_text.h"
#include "services/worker/sandbox/process_tree.h"
#include "services/worker/sandbox/supervisor.h"
#include "services/worker/sandbox/work_area.h"

namespace dovetail::sandbox {
namespace {

constexpr const char* kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr int kPollMs = 50;  // how soon a cancel flag is seen
constexpr int64_t kMemorySampleMs = 250;
constexpr int64_t kDiskSampleMs = 2'000;
// Shadow memory of the sanitizers is data beyond any limit: there only the sampled sum holds.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
using SteadyTime = std::chrono::steady_clock::time_point;

int64_t MsSince(SteadyTime start) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                               start)
      .count();
}

// Owns a descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() { Close(); }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  int get() const { return fd_; }
  bool open() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

struct Pipe {
  Descriptor read;
  Descriptor write;
};

enum class Strength { kNone, kShared, kOwnUsers };

// The strongest cage that works here; tried once.
Strength ProbeBubblewrap() {
  static const Strength strength = [] {
    if (FindProgram("bwrap", DefaultPath()).empty()) return Strength::kNone;
    for (const bool own_users : {true, false}) {
      CommandSpec probe;
      probe.cage = CageKind::kPlain;
      probe.argv = BubblewrapArguments(CommandSpec(), "", own_users);
      probe.argv.push_back("/bin/true");
      probe.timeout_ms = 10'000;
      const absl::StatusOr<CommandResult> result = RunCaged(probe);
      if (result.ok() && result->ok()) return own_users ? Strength::kOwnUsers : Strength::kShared;
    }
    return Strength::kNone;
  }();
  return strength;
}

// Above 2, so that redirecting onto 0, 1, 2 never overwrites one that is still needed.
absl::StatusOr<Descriptor> AboveStandard(int fd, absl::string_view context) {
  if (fd < 0) return ErrnoStatus(errno, context);
  if (fd > 2) return Descriptor(fd);
  const Descriptor low(fd);
  const int high = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (high < 0) return ErrnoStatus(errno, context);
  return Descriptor(high);
}

absl::StatusOr<Pipe> MakePipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus(errno, "cannot make a pipe");
  Pipe made;
  auto read = AboveStandard(ends[0], "cannot make a pipe");
  auto write = AboveStandard(ends[1], "cannot make a pipe");
  RETURN_IF_ERROR(read.status());
  RETURN_IF_ERROR(write.status());
  made.read = *std::move(read);
  made.write = *std::move(write);
  return made;
}

absl::StatusOr<Descriptor> OpenInput(const std::string& file) {
  const std::string path = file.empty() ? "/dev/null" : file;
  return AboveStandard(open(path.c_str(), O_RDONLY | O_CLOEXEC),
                       absl::StrCat("cannot read ", path));
}

absl::StatusOr<Descriptor> OpenOutput(const std::string& file) {
  return AboveStandard(open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644),
                       absl::StrCat("cannot write ", file));
}

// One of the command's output streams: a file, or a pipe that is read here.
struct OutputStream {
  explicit OutputStream(size_t keep_bytes) : text(keep_bytes) {}

  absl::Status Open(const std::string& file) {
    if (!file.empty()) {
      ASSIGN_OR_RETURN(child_end, OpenOutput(file));
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(Pipe pipe, MakePipe());
    read_end = std::move(pipe.read);
    child_end = std::move(pipe.write);
    fcntl(read_end.get(), F_SETFL, O_NONBLOCK);
    return absl::OkStatus();
  }
  void Read() {
    char block[1 << 15];
    while (read_end.open()) {
      const ssize_t got = read(read_end.get(), block, sizeof(block));
      if (got > 0) {
        text.Append(absl::string_view(block, static_cast<size_t>(got)));
      } else if (got == 0) {
        read_end.Close();
      } else if (errno != EINTR) {
        return;
      }
    }
  }

  Descriptor read_end;
  Descriptor child_end;
  ClippedText text;
};

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Where programs are looked for: of this process's PATH, in a cage only what the cage shows.
std::string SearchPath(const CommandSpec& spec, bool in_bubblewrap) {
  if (const auto it = spec.environment.find("PATH"); it != spec.environment.end()) {
    return it->second;
  }
  const std::string path = DefaultPath();
  if (!in_bubblewrap) return path;
  std::vector<std::string> visible;
  for (const absl::string_view directory : absl::StrSplit(path, ':')) {
    if (VisibleInCage(spec, std::string(directory))) visible.emplace_back(directory);
  }
  return visible.empty() ? kDefaultPath : absl::StrJoin(visible, ":");
}

std::vector<std::string> Environment(const CommandSpec& spec, const std::string& path,
                                     const std::string& directory) {
  std::map<std::string, std::string> all = {
      {"PATH", path}, {"LANG", "C.UTF-8"}, {"HOME", directory}, {"TMPDIR", "/tmp"}};
  if (directory.empty()) all["HOME"] = "/tmp";
  if (InsideCage()) all["DOVETAIL_CAGED"] = "1";
  for (const auto& [key, value] : spec.environment) all[key] = value;
  std::vector<std::string> lines;
  for (const auto& [key, value] : all) lines.push_back(absl::StrCat(key, "=", value));
  return lines;
}

// What a run holds while its command lives.
struct Run {
  Run(const CommandSpec& s)
      : spec(s),
        out(static_cast<size_t>(s.captured_bytes)),
        err(static_cast<size_t>(s.captured_bytes)) {}

  const CommandSpec& spec;
  OutputStream out;
  OutputStream err;
  Descriptor input;
  Pipe control;
  Pipe report;
  pid_t supervisor = -1;
  SteadyTime start = std::chrono::steady_clock::now();
  int64_t next_memory_ms = kMemorySampleMs;
  int64_t next_disk_ms = kDiskSampleMs;
  CommandResult result;
};

absl::StatusOr<bool> UseBubblewrap(CageKind cage) {
  if (cage == CageKind::kPlain) return false;
  if (cage == CageKind::kAuto && InsideCage()) return false;
  if (BubblewrapWorks()) return true;
  if (cage == CageKind::kBubblewrap) {
    return absl::FailedPreconditionError(
        "bubblewrap does not work here: install the package bubblewrap, or allow user name spaces");
  }
  static std::once_flag warned;
  std::call_once(warned, [] {
    LogWarning(
        "bubblewrap does not work here: tasks and tools run without a cage, with network and all "
        "files of this user; install the package bubblewrap or allow user name spaces");
  });
  return false;
}

absl::Status Start(Run& run) {
  const CommandSpec& spec = run.spec;
  ASSIGN_OR_RETURN(const bool in_bubblewrap, UseBubblewrap(spec.cage));
  const std::string path = SearchPath(spec, in_bubblewrap);
  const std::string program = FindProgram(spec.argv[0], path);
  if (program.empty()) {
    return absl::NotFoundError(absl::StrCat("no program '", spec.argv[0], "' in ", path,
                                            ": install it or correct the name"));
  }
  std::string directory = spec.working_directory;
  if (directory.empty() && !spec.writable.empty()) directory = spec.writable.front();
  std::vector<std::string> arguments;
  if (in_bubblewrap) {
    arguments = BubblewrapArguments(spec, directory, ProbeBubblewrap() == Strength::kOwnUsers);
    arguments.push_back(program);
  } else {
    arguments.push_back(spec.argv[0]);
  }
  arguments.insert(arguments.end(), spec.argv.begin() + 1, spec.argv.end());
  std::vector<std::string> environment = Environment(spec, path, directory);
  const std::vector<char*> argv = Pointers(arguments);
  const std::vector<char*> envp = Pointers(environment);
  const std::string executable = in_bubblewrap ? FindProgram("bwrap", DefaultPath()) : program;

  ASSIGN_OR_RETURN(run.input, OpenInput(spec.stdin_file));
  RETURN_IF_ERROR(run.out.Open(spec.stdout_file));
  RETURN_IF_ERROR(run.err.Open(spec.stderr_file));
  ASSIGN_OR_RETURN(run.control, MakePipe());
  ASSIGN_OR_RETURN(run.report, MakePipe());
  SupervisorPlan plan = {};
  plan.program = executable.c_str();
  plan.argv = argv.data();
  plan.envp = envp.data();
  plan.working_directory = in_bubblewrap || directory.empty() ? nullptr : directory.c_str();
  plan.stdin_fd = run.input.get();
  plan.stdout_fd = run.out.child_end.get();
  plan.stderr_fd = run.err.child_end.get();
  plan.control_fd = run.control.read.get();
  plan.report_fd = run.report.write.get();
  plan.memory_limit_bytes =
      kSanitized ? 0 : static_cast<uint64_t>(std::max<int64_t>(0, spec.memory_limit_bytes));
  plan.file_limit_bytes = static_cast<uint64_t>(std::max<int64_t>(0, spec.file_limit_bytes));
  plan.forbid_new_privileges = !in_bubblewrap;
  run.start = std::chrono::steady_clock::now();
  run.supervisor = fork();
  if (run.supervisor == 0) Supervise(plan);
  if (run.supervisor < 0) return ErrnoStatus(errno, "cannot start a process");
  run.input.Close();
  run.out.child_end.Close();
  run.err.child_end.Close();
  run.control.read.Close();
  run.report.write.Close();
  return absl::OkStatus();
}

void SampleMemory(Run& run, int64_t elapsed_ms) {
  if (run.spec.memory_limit_bytes == 0 || elapsed_ms < run.next_memory_ms) return;
  const int64_t used_bytes = AnonymousBytes(Descendants(run.supervisor));
  run.result.peak_rss_bytes = std::max(run.result.peak_rss_bytes, used_bytes);
  run.result.memory_exceeded = used_bytes > run.spec.memory_limit_bytes;
  run.next_memory_ms = elapsed_ms + kMemorySampleMs;
}

void SampleDisk(Run& run, int64_t elapsed_ms) {
  if (run.spec.disk_limit_bytes == 0 || run.spec.writable.empty()) return;
  if (elapsed_ms < run.next_disk_ms) return;
  run.result.disk_exceeded = TreeBytes(run.spec.writable[0]) > run.spec.disk_limit_bytes;
  run.next_disk_ms = elapsed_ms + kDiskSampleMs;
}

// Closing the control pipe is the order to kill the tree.
void StopWhereDue(Run& run) {
  if (!run.control.write.open()) return;
  const CommandSpec& spec = run.spec;
  CommandResult& result = run.result;
  const int64_t elapsed_ms = MsSince(run.start);
  SampleMemory(run, elapsed_ms);
  SampleDisk(run, elapsed_ms);
  result.cancelled = spec.cancel != nullptr && spec.cancel->load();
  result.timed_out = !result.cancelled && spec.timeout_ms > 0 && elapsed_ms >= spec.timeout_ms;
  if (result.cancelled || result.timed_out || result.memory_exceeded || result.disk_exceeded) {
    run.control.write.Close();
  }
}

int WaitMs(const Run& run) {
  int64_t wait_ms = run.spec.cancel != nullptr ? kPollMs : 1000;
  if (run.spec.memory_limit_bytes > 0) wait_ms = std::min(wait_ms, kMemorySampleMs);
  if (run.spec.timeout_ms > 0 && run.control.write.open()) {
    wait_ms = std::min(wait_ms, run.spec.timeout_ms - MsSince(run.start));
  }
  return static_cast<int>(std::max<int64_t>(0, wait_ms));
}

// Reads output until the supervisor's report comes.
absl::StatusOr<SupervisorReport> Watch(Run& run) {
  while (true) {
    StopWhereDue(run);
    pollfd events[3] = {{run.report.read.get(), POLLIN, 0},
                        {run.out.read_end.get(), POLLIN, 0},
                        {run.err.read_end.get(), POLLIN, 0}};
    if (poll(events, 3, WaitMs(run)) < 0 && errno != EINTR) {
      return ErrnoStatus(errno, "cannot wait for a command");
    }
    run.out.Read();
    run.err.Read();
    if (events[0].revents == 0) continue;
    SupervisorReport report = {};
    const ssize_t got = read(run.report.read.get(), &report, sizeof(report));
    if (got == static_cast<ssize_t>(sizeof(report))) return report;
    if (got < 0 && errno == EINTR) continue;
    return absl::UnavailableError("the supervisor of a command was killed");
  }
}

absl::StatusOr<CommandResult> Finish(Run& run) {
  const absl::StatusOr<SupervisorReport> report = Watch(run);
  run.control.write.Close();
  while (waitpid(run.supervisor, nullptr, 0) < 0 && errno == EINTR) {
  }
  RETURN_IF_ERROR(report.status());
  if (report->exec_errno != 0) {
    return ErrnoStatus(report->exec_errno, absl::StrCat("cannot run ", run.spec.argv[0]));
  }
  run.out.Read();
  run.err.Read();
  CommandResult& result = run.result;
  result.stdout_text = run.out.text.Text();
  result.stderr_text = run.err.text.Text();
  result.wall_seconds = 1e-3 * static_cast<double>(MsSince(run.start));
  result.cpu_seconds = report->cpu_seconds;
  result.peak_rss_bytes = std::max(result.peak_rss_bytes, report->peak_rss_bytes);
  const int status = report->wait_status;
  if (WIFSIGNALED(status)) {
    result.signal = WTERMSIG(status);
    result.exit_code = 128 + result.signal;
  } else {
    result.exit_code = WEXITSTATUS(status);
  }
  return std::move(result);
}

}  // namespace

absl::StatusOr<CommandResult> RunCaged(const CommandSpec& spec) {
  if (spec.argv.empty() || spec.argv[0].empty()) {
    return absl::InvalidArgumentError("a command without a program");
  }
  Run run(spec);
  RETURN_IF_ERROR(Start(run));
  return Finish(run);
}

absl::Status CommandStatus(absl::string_view name, const CommandSpec& spec,
                           const CommandResult& result) {
  if (result.ok()) return absl::OkStatus();
  if (result.cancelled) return absl::AbortedError(absl::StrCat(name, ": cancelled"));
  if (result.timed_out) {
    return absl::DeadlineExceededError(
        absl::StrCat(name, ": not done after ", spec.timeout_ms / 1000.0, " s"));
  }
  if (result.disk_exceeded) {
    return absl::ResourceExhaustedError(
        absl::StrCat(name, ": wrote more than ", spec.disk_limit_bytes >> 20, " MiB"));
  }
  // 137 without a signal of ours: a shell or launcher reports that the kernel's OOM killer struck.
  if (result.memory_exceeded || result.exit_code == 128 + SIGKILL) {
    return absl::ResourceExhaustedError(absl::StrCat(name, ": out of memory (peak ",
                                                     result.peak_rss_bytes >> 20, " MiB, limit ",
                                                     spec.memory_limit_bytes >> 20, " MiB)"));
  }
  const std::string& text = result.stderr_text.empty() ? result.stdout_text : result.stderr_text;
  const absl::string_view stripped = absl::StripAsciiWhitespace(text);
  const size_t line = stripped.rfind('\n');
  const absl::string_view last =
      line == absl::string_view::npos ? stripped : stripped.substr(line + 1);
  const std::string how = result.signal != 0 ? absl::StrCat("ended by signal ", result.signal, " (",
                                                            strsignal(result.signal), ")")
                                             : absl::StrCat("exit code ", result.exit_code);
  return absl::InternalError(absl::StrCat(name, ": ", how, last.empty() ? "" : ": ", last));
}

bool BubblewrapWorks() { return ProbeBubblewrap() != Strength::kNone; }

bool InsideCage() { return getenv("DOVETAIL_CAGED") != nullptr; }

std::string FindProgram(const std::string& name, const std::string& path) {
  const auto executable = [](const std::string& file) {
    struct stat info;
    return stat(file.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
           access(file.c_str(), X_OK) == 0;
  };
  if (name.find('/') != std::string::npos) return executable(name) ? name : "";
  for (const absl::string_view directory : absl::StrSplit(path, ':')) {
    const std::string file = absl::StrCat(directory, "/", name);
    if (!directory.empty() && executable(file)) return file;
  }
  return "";
}

std::string DefaultPath() {
  const char* path = getenv("PATH");
  return path == nullptr ? kDefaultPath : path;
}

absl::Status ReplaceProcess(const std::string& program, const std::vector<std::string>& argv) {
  std::vector<std::string> copy = argv;
  const std::vector<char*> pointers = Pointers(copy);
  execv(program.c_str(), pointers.data());
  return ErrnoStatus(errno, absl::StrCat("cannot run ", program));
}

}  // namespace dovetail::sandbox
