#include "services/worker/sandbox/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace dovetail::sandbox {
namespace {

struct LinuxDirent {
  uint64_t inode;
  int64_t offset;
  uint16_t length;
  uint8_t type;
  char name[1];
};

void WriteReport(int fd, const SupervisorReport& report) {
  // Smaller than PIPE_BUF: written whole or not at all.
  while (write(fd, &report, sizeof(report)) < 0 && errno == EINTR) {
  }
}

// Closes every descriptor but the plan's, so that no other command's pipe is held open here.
void CloseOthers(const SupervisorPlan& plan) {
  int keep[] = {plan.stdin_fd, plan.stdout_fd, plan.stderr_fd, plan.control_fd, plan.report_fd};
  std::sort(keep, keep + 5);
  unsigned int from = 0;
  for (const int fd : keep) {
    const unsigned int kept = static_cast<unsigned int>(fd);
    if (kept > from) syscall(SYS_close_range, from, kept - 1, 0);
    from = kept + 1;
  }
  syscall(SYS_close_range, from, ~0U, 0);
}

void SetLimit(int resource, uint64_t limit) {
  const rlimit value = {limit, limit};
  setrlimit(static_cast<__rlimit_resource>(resource), &value);
}

[[noreturn]] void ExecuteCommand(const SupervisorPlan& plan, pid_t supervisor) {
  // Own group: the first blow of a kill reaches it at once.
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != supervisor) _exit(127);
  prctl(PR_SET_NAME, "command", 0, 0, 0);
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  SetLimit(RLIMIT_CORE, 0);
  // Data, not address space: tools reserve far more than they touch.
  if (plan.memory_limit_bytes > 0) SetLimit(RLIMIT_DATA, plan.memory_limit_bytes);
  if (plan.file_limit_bytes > 0) SetLimit(RLIMIT_FSIZE, plan.file_limit_bytes);
  if (plan.forbid_new_privileges) prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  // The plan's descriptors are all above 2 (run_caged.cc sees to it).
  const bool redirected =
      dup2(plan.stdin_fd, 0) >= 0 && dup2(plan.stdout_fd, 1) >= 0 && dup2(plan.stderr_fd, 2) >= 0;
  if (redirected && (plan.working_directory == nullptr || chdir(plan.working_directory) == 0)) {
    syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */);
    execve(plan.program, plan.argv, plan.envp);
  }
  SupervisorReport report = {};
  report.exec_errno = errno;
  WriteReport(plan.report_fd, report);
  _exit(127);
}

// The parent of a process, by /proc/<pid>/stat; -1 where it is gone.
pid_t ParentOf(const char* pid_text) {
  char path[64] = "/proc/";
  std::strncat(path, pid_text, 20);
  std::strcat(path, "/stat");
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  char text[512];
  const ssize_t got = read(fd, text, sizeof(text) - 1);
  close(fd);
  if (got <= 0) return -1;
  text[got] = '\0';
  // "<pid> (<name, any characters>) <state> <parent> ..."
  const char* at = std::strrchr(text, ')');
  if (at == nullptr || at + 4 >= text + got) return -1;
  pid_t parent = 0;
  for (at += 4; *at >= '0' && *at <= '9'; ++at) parent = parent * 10 + (*at - '0');
  return parent;
}

// SIGKILL to every direct child. Their children become ours (subreaper), so repeating reaches all.
void KillChildren() {
  const int directory = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return;
  const pid_t self = getpid();
  alignas(LinuxDirent) char buffer[8192];
  while (true) {
    const long got = syscall(SYS_getdents64, directory, buffer, sizeof(buffer));
    if (got <= 0) break;
    for (long at = 0; at < got;) {
      const auto* entry = reinterpret_cast<const LinuxDirent*>(buffer + at);
      at += entry->length;
      pid_t pid = 0;
      const char* digit = entry->name;
      for (; *digit >= '0' && *digit <= '9'; ++digit) pid = pid * 10 + (*digit - '0');
      if (*digit == '\0' && pid > 0 && ParentOf(entry->name) == self) kill(pid, SIGKILL);
    }
  }
  close(directory);
}

struct Command {
  pid_t pid;
  bool ended = false;
  int wait_status = 0;
};

// Reaps whoever has died. False when no child is left.
bool Reap(Command& command) {
  while (true) {
    int status = 0;
    const pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid == 0) return true;
    if (pid < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    if (pid == command.pid) {
      command.ended = true;
      command.wait_status = status;
    }
  }
}

void KillTree(Command& command) {
  if (!command.ended) kill(-command.pid, SIGKILL);
  while (Reap(command)) {
    KillChildren();
    // The killed need a moment; a poll that nobody wakes is the async-signal-safe way to wait.
    poll(nullptr, 0, 1);
  }
}

}  // namespace

void Supervise(const SupervisorPlan& plan) {
  const pid_t self = getpid();
  setsid();  // Ctrl-C at the parent's terminal is the parent's to handle
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  prctl(PR_SET_NAME, "cage", 0, 0, 0);
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  CloseOthers(plan);

  SupervisorReport report = {};
  const pid_t pid = fork();
  if (pid == 0) ExecuteCommand(plan, self);
  if (pid < 0) {
    report.exec_errno = errno;
    WriteReport(plan.report_fd, report);
    _exit(1);
  }
  setpgid(pid, pid);
  close(plan.stdin_fd);
  close(plan.stdout_fd);
  close(plan.stderr_fd);

  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  const int signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  Command command = {pid};
  bool told_to_kill = false;
  while (Reap(command) && !command.ended && !told_to_kill) {
    pollfd events[2] = {{signals, POLLIN, 0}, {plan.control_fd, POLLIN, 0}};
    poll(events, 2, signals < 0 ? 50 : -1);
    told_to_kill = events[1].revents != 0;
    signalfd_siginfo info;
    while (signals >= 0 && read(signals, &info, sizeof(info)) > 0) {
    }
  }
  KillTree(command);

  rusage usage = {};
  getrusage(RUSAGE_CHILDREN, &usage);
  report.wait_status = command.wait_status;
  report.cpu_seconds = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                       1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
  report.peak_rss_bytes = usage.ru_maxrss * 1024;
  WriteReport(plan.report_fd, report);
  _exit(0);
}

}  // namespace dovetail::sandbox
