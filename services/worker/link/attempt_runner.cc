#include "services/worker/link/attempt_runner.h"

#include <signal.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/clock.h"
#include "common/base/digest.h"
#include "common/base/file_io.h"
#include "common/base/status_macros.h"
#include "common/domain/task_info.h"
#include "services/worker/link/attempt_files.h"
#include "services/worker/link/retry.h"

namespace dovetail::link {
namespace {

constexpr int64_t kLogBytes = 128 << 10;  // of the start and of the end of a task's log
constexpr int64_t kJsonBytes = 64 << 20;  // of a measurement
constexpr size_t kMessageBytes = 2000;
constexpr int64_t kTrimMs = 60'000;

// One directory a tenant: what a task of one writes, no task of another reads.
std::string TenantDirectory(const std::string& tenant) {
  bool plain = !tenant.empty() && tenant.size() <= 64;
  for (const char c : tenant) plain = plain && (absl::ascii_isalnum(c) || c == '-' || c == '_');
  return plain ? tenant : "t-" + Sha256Hex(tenant).substr(0, 16);
}

absl::Status MakeDirectories(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return ErrnoStatus(error.value(), absl::StrCat("cannot make ", directory));
  return absl::OkStatus();
}

ActionResult Failure(Outcome outcome, absl::string_view message) {
  ActionResult result;
  result.outcome = outcome;
  result.message = std::string(message.substr(0, kMessageBytes));
  return result;
}

// What went wrong around the task is this node's trouble, whatever its code.
ActionResult NodeFailure(const absl::Status& status) {
  if (absl::IsCancelled(status) || absl::IsAborted(status)) {
    return Failure(Outcome::kCancelled, status.message());
  }
  return Failure(Outcome::kInfrastructure, status.message());
}

absl::StatusOr<Value> ReadJson(const std::string& work, const std::string& name) {
  ASSIGN_OR_RETURN(const TaskFile file, TaskFile::Open(work, "out", name));
  ASSIGN_OR_RETURN(const std::string json, file.Read(kJsonBytes));
  return Value::FromJson(json);
}

// The outcome the task wrote, with its measurement where that is ok.
absl::StatusOr<ActionResult> ReadOutcome(const std::string& work) {
  ASSIGN_OR_RETURN(const Value told, ReadJson(work, "outcome.json"));
  ActionResult result;
  ASSIGN_OR_RETURN(result.outcome, ParseOutcome(told["outcome"].AsString()));
  result.message = told["message"].AsString().substr(0, kMessageBytes);
  if (result.outcome == Outcome::kOk || result.outcome == Outcome::kConstraint) {
    ASSIGN_OR_RETURN(const Value measured, ReadJson(work, "measurement.json"));
    ASSIGN_OR_RETURN(result.measurement, Measurement::FromValue(measured));
  }
  return result;
}

}  // namespace

AttemptRunner::AttemptRunner(AttemptOptions options, sandbox::WorkArea* area, InputCache* inputs,
                             ArtifactStore* remote, StopSignal* stop, WorkerMetrics* metrics)
    : options_(std::move(options)),
      area_(area),
      inputs_(inputs),
      remote_(remote),
      stop_(stop),
      metrics_(metrics) {}

ActionResult AttemptRunner::Run(RunningAttempt& attempt) {
  Directories directories;
  const auto remove = absl::MakeCleanup([&] {
    attempt.SetProgressDirectory("");
    if (!directories.root.empty()) sandbox::RemoveTree(directories.root).IgnoreError();
  });
  const absl::Status prepared = Prepare(attempt, directories);
  if (!prepared.ok()) return NodeFailure(prepared);
  attempt.SetProgressDirectory(directories.work());

  const sandbox::CommandSpec command = MakeCommand(attempt, directories);
  const absl::StatusOr<sandbox::CommandResult> ended = sandbox::RunCaged(command);
  if (!ended.ok()) return NodeFailure(ended.status());

  ActionResult result = Judge(attempt.assignment, command, *ended, directories);
  result.tool_seconds = ended->wall_seconds;
  result.peak_rss_bytes = ended->peak_rss_bytes;
  if (!ended->stderr_text.empty()) {
    // The log is for people; the result stands without it.
    const absl::Status logged = WhileAway(attempt, [&] {
      const absl::StatusOr<std::string> digest = remote_->Put(ended->stderr_text);
      if (digest.ok()) result.log_digest = *digest;
      return digest.status();
    });
    if (absl::IsAborted(logged)) return NodeFailure(logged);
  }
  if (result.outcome != Outcome::kOk && result.outcome != Outcome::kConstraint) return result;
  const absl::Status uploaded = Upload(attempt, directories, result);
  if (uploaded.ok()) return result;
  // An output that is missing or no plain file is the task's fault, not this node's.
  const bool bug = absl::IsNotFound(uploaded) || absl::IsFailedPrecondition(uploaded);
  return bug ? Failure(Outcome::kBug, uploaded.message()) : NodeFailure(uploaded);
}

absl::Status AttemptRunner::Prepare(RunningAttempt& attempt, Directories& directories) {
  const Assignment& assignment = attempt.assignment;
  ASSIGN_OR_RETURN(directories.root, area_->MakeDirectory(assignment.task));
  directories.cache = absl::StrCat(options_.task_cache, "/", TenantDirectory(assignment.tenant));
  RETURN_IF_ERROR(MakeDirectories(directories.inputs()));
  RETURN_IF_ERROR(MakeDirectories(directories.work()));
  RETURN_IF_ERROR(MakeDirectories(directories.cache));
  TrimTaskCache();
  RETURN_IF_ERROR(
      WriteFileAtomically(directories.inputs() + "/parameters.json",
                          assignment.parameters.is_null() ? "{}" : assignment.parameters.ToJson(),
                          Durability::kUnsynced));
  for (const auto& [port, digest] : assignment.inputs) {
    const std::string file = absl::StrCat(directories.inputs(), "/", port, ".input");
    RETURN_IF_ERROR_WITH(
        WhileAway(attempt, [&, &digest = digest] { return inputs_->LinkTo(digest, file); }),
        absl::StrCat("input ", port));
  }
  return absl::OkStatus();
}

void AttemptRunner::TrimTaskCache() {
  if (options_.task_cache_limit_bytes == 0) return;
  // Looking at every file is not free: once a minute, by whoever comes first.
  const int64_t now_ms = SystemClock().SteadyMs();
  int64_t due_ms = next_trim_ms_.load();
  if (now_ms < due_ms || !next_trim_ms_.compare_exchange_strong(due_ms, now_ms + kTrimMs)) return;
  TrimDirectory(options_.task_cache, options_.task_cache_limit_bytes);
}

sandbox::CommandSpec AttemptRunner::MakeCommand(const RunningAttempt& attempt,
                                                const Directories& directories) const {
  const Assignment& assignment = attempt.assignment;
  const std::string threads = absl::StrCat(assignment.cpu_slots);
  sandbox::CommandSpec command;
  command.argv = {options_.worker_binary,
                  "run",
                  assignment.task,
                  "--params",
                  absl::StrCat("@", directories.inputs(), "/parameters.json"),
                  "--seed",
                  absl::StrCat(assignment.seed),
                  "--threads",
                  threads,
                  "--cache",
                  directories.cache,
                  "--progress",
                  directories.work() + "/progress",
                  "--out",
                  directories.work() + "/out"};
  for (const auto& [port, digest] : assignment.inputs) {
    command.argv.push_back("--in");
    command.argv.push_back(absl::StrCat(port, "=", directories.inputs(), "/", port, ".input"));
  }
  command.environment = {{"OMP_NUM_THREADS", threads}, {"OPENBLAS_NUM_THREADS", threads}};
  command.readable = options_.readable;
  command.readable.push_back(directories.inputs());
  command.writable = {directories.work(), directories.cache};
  command.cage = options_.cage;
  command.captured_bytes = kLogBytes;
  command.timeout_ms = assignment.timeout_ms;
  command.cancel = &attempt.cancel;
  command.memory_limit_bytes = options_.memory_per_slot_bytes * assignment.cpu_slots;
  command.file_limit_bytes = options_.file_limit_bytes;
  command.disk_limit_bytes = options_.disk_limit_bytes;
  return command;
}

ActionResult AttemptRunner::Judge(const Assignment& assignment, const sandbox::CommandSpec& command,
                                  const sandbox::CommandResult& ended,
                                  const Directories& directories) const {
  const absl::Status status = sandbox::CommandStatus(assignment.task, command, ended);
  if (ended.cancelled) return Failure(Outcome::kCancelled, status.message());
  if (ended.timed_out) return Failure(Outcome::kTimeout, status.message());
  if (ended.memory_exceeded || ended.disk_exceeded) {
    return Failure(Outcome::kOutOfMemory, status.message());
  }
  absl::StatusOr<ActionResult> told = ReadOutcome(directories.work());
  const bool good =
      told.ok() && (told->outcome == Outcome::kOk || told->outcome == Outcome::kConstraint);
  if (told.ok() && good == (ended.exit_code == 0)) return *std::move(told);
  if (absl::IsResourceExhausted(status)) return Failure(Outcome::kOutOfMemory, status.message());
  if (!status.ok()) return Failure(Outcome::kBug, status.message());
  return Failure(
      Outcome::kBug,
      absl::StrCat(assignment.task, " ended well without a result: ", told.status().message()));
}

absl::Status AttemptRunner::Upload(RunningAttempt& attempt, const Directories& directories,
                                   ActionResult& result) {
  ASSIGN_OR_RETURN(const TaskInfo* info, FindTaskInfo(attempt.assignment.task));
  for (const PortInfo& port : info->outputs) {
    const absl::StatusOr<TaskFile> file = TaskFile::Open(directories.work(), "out", port.name);
    if (absl::IsNotFound(file.status()) && port.optional) continue;
    RETURN_IF_ERROR_WITH(file.status(), absl::StrCat("output ", port.name));
    std::string digest;
    RETURN_IF_ERROR_WITH(WhileAway(attempt,
                                   [&] {
                                     auto stored = remote_->PutFile(file->path());
                                     if (stored.ok()) digest = *std::move(stored);
                                     return stored.status();
                                   }),
                         absl::StrCat("output ", port.name));
    result.outputs[port.name] = digest;
    metrics_->upload_bytes.Increment(static_cast<double>(file->size_bytes()));
  }
  return absl::OkStatus();
}

absl::Status AttemptRunner::WhileAway(const RunningAttempt& attempt,
                                      const std::function<absl::Status()>& call) {
  RetryOptions options;
  options.jitter_seed = Sha256Seed(absl::StrCat(attempt.assignment.key, area_->directory()));
  const absl::Status status = RetryWhileAway(
      options,
      [&](int64_t wait_ms) {
        stop_->Wait(wait_ms, [&] { return attempt.cancel.load(); });
        return !stop_->stopped() && !attempt.cancel.load();
      },
      call);
  if (attempt.cancel.load()) return absl::AbortedError("cancelled");
  return status;
}

}  // namespace dovetail::link
