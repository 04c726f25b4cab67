#include "tests/support/service.h"

#include <fcntl.h>
#include <grpcpp/channel.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/rpc/channel.h"

extern char** environ;

namespace dovetail::testing {
namespace {

std::string Binary(const std::string& name) {
  return absl::StrCat(DOVETAIL_BINARY_DIR, "/bin/", name);
}

std::vector<char*> Pointers(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Output to `file`; its own process group, so that a terminal's Ctrl-C misses it.
pid_t SpawnTo(std::vector<std::string> argv, const std::string& file,
              std::vector<std::string> environment) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  pid_t pid = -1;
  std::vector<char*> pointers = Pointers(argv);
  std::vector<char*> variables = Pointers(environment);
  const int error = posix_spawnp(&pid, pointers[0], &actions, &attributes, pointers.data(),
                                 environment.empty() ? environ : variables.data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return error == 0 ? pid : -1;
}

int Reap(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string Tail(const std::string& file, size_t bytes = 4000) {
  std::ifstream in(file);
  std::stringstream text;
  text << in.rdbuf();
  const std::string all = text.str();
  return all.size() > bytes ? all.substr(all.size() - bytes) : all;
}

}  // namespace

bool PollUntil(const std::function<bool()>& condition, double timeout_s) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(timeout_s);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

CommandOutput RunCommand(const std::vector<std::string>& argv,
                         const std::map<std::string, std::string>& environment) {
  TempDir directory;
  std::vector<std::string> variables;
  if (!environment.empty()) {
    for (char** entry = environ; *entry != nullptr; ++entry) variables.emplace_back(*entry);
    for (const auto& [name, value] : environment) variables.push_back(name + "=" + value);
  }
  const std::string file = directory / "output";
  CommandOutput output;
  const pid_t pid = SpawnTo(argv, file, variables);
  if (pid < 0) return output;
  output.exit_code = Reap(pid);
  output.text = Tail(file, 1 << 20);
  return output;
}

pid_t Service::Spawn(const std::vector<std::string>& argv, const std::string& log) {
  return SpawnTo(argv, directory_ / log, {});
}

absl::StatusOr<std::unique_ptr<Service>> Service::Start(int worker_count, const Options& options) {
  std::unique_ptr<Service> service(new Service());
  service->options_ = options;
  ASSIGN_OR_RETURN(PrivatePostgres * postgres, PrivatePostgres::Shared());
  ASSIGN_OR_RETURN(service->database_, postgres->CreateDatabase());
  service->address_ = absl::StrCat("unix:", service->directory_ / "socket");
  RETURN_IF_ERROR(service->StartCoordinator());
  for (int i = 0; i < worker_count; ++i) RETURN_IF_ERROR(service->StartWorker());
  return service;
}

Service::~Service() {
  while (!workers_.empty()) KillWorker(0);
  KillCoordinator();
  std::swap(coordinator_, standby_);
  KillCoordinator();
}

absl::StatusOr<std::string> Service::StartStandby() {
  const std::string address = absl::StrCat("unix:", directory_ / "standby");
  standby_ = Spawn({Binary("dovetail-coordinator"), "--listen", address, "--database", database_,
                    "--artifacts", directory_ / "artifacts"},
                   "standby.log");
  if (standby_ < 0) return absl::InternalError("a standby cannot be started");
  return address;
}

absl::Status Service::StartCoordinator() {
  std::vector<std::string> argv = {Binary("dovetail-coordinator"),
                                   "--listen",
                                   address_,
                                   "--database",
                                   database_,
                                   "--artifacts",
                                   directory_ / "artifacts",
                                   "--metrics-port",
                                   absl::StrCat(options_.coordinator_metrics_port)};
  argv.insert(argv.end(), options_.coordinator_flags.begin(), options_.coordinator_flags.end());
  coordinator_ = Spawn(argv, "coordinator.log");
  if (coordinator_ < 0) return absl::InternalError("the coordinator cannot be started");
  ASSIGN_OR_RETURN(const auto channel, rpc::MakeChannel(address_, {}));
  const bool healthy =
      PollUntil([&] { return rpc::CheckHealth(channel, 200).ok(); }, /*timeout_s=*/30);
  if (!healthy) return absl::InternalError(absl::StrCat("no coordinator: ", Logs()));
  exploration_ = v1::ExplorationService::NewStub(channel);
  return absl::OkStatus();
}

void Service::KillCoordinator() {
  if (coordinator_ < 0) return;
  kill(coordinator_, SIGKILL);
  Reap(coordinator_);
  coordinator_ = -1;
}

absl::Status Service::StartWorker() {
  const std::string id = absl::StrCat("worker-", ++started_workers_);
  std::vector<std::string> argv = {Binary("dovetail-worker"),
                                   "--coordinator",
                                   address_,
                                   "--work-dir",
                                   directory_ / id,
                                   "--slots",
                                   "1",
                                   "--id",
                                   id,
                                   "--metrics-port",
                                   absl::StrCat(options_.worker_metrics_port)};
  argv.insert(argv.end(), options_.worker_flags.begin(), options_.worker_flags.end());
  const pid_t pid = Spawn(argv, id + ".log");
  if (pid < 0) return absl::InternalError("a worker cannot be started");
  workers_.push_back(pid);
  return absl::OkStatus();
}

void Service::KillWorker(int index) {
  kill(workers_[index], SIGKILL);
  Reap(workers_[index]);
  workers_.erase(workers_.begin() + index);
}

int Service::DrainWorker(int index) {
  kill(workers_[index], SIGTERM);
  const int exit_code = Reap(workers_[index]);
  workers_.erase(workers_.begin() + index);
  return exit_code;
}

absl::StatusOr<v1::Job> Service::GetJob(int64_t id) {
  v1::GetJobRequest request;
  request.set_id(id);
  v1::Job job;
  RETURN_IF_ERROR(rpc::Call({}, [&](grpc::ClientContext* context) {
    return exploration_->GetJob(context, request, &job);
  }));
  return job;
}

absl::StatusOr<v1::Job> Service::WaitForJob(int64_t id, double timeout_s) {
  absl::StatusOr<v1::Job> job = absl::DeadlineExceededError("never asked");
  PollUntil(
      [&] {
        job = GetJob(id);
        return job.ok() && job->state() >= v1::JOB_STATE_SUCCEEDED;
      },
      timeout_s);
  return job;
}

absl::StatusOr<std::vector<v1::Trial>> Service::ListTrials(int64_t job_id) {
  std::vector<v1::Trial> trials;
  v1::ListTrialsRequest request;
  request.set_job_id(job_id);
  do {
    v1::ListTrialsResponse response;
    RETURN_IF_ERROR(rpc::Call({}, [&](grpc::ClientContext* context) {
      return exploration_->ListTrials(context, request, &response);
    }));
    trials.insert(trials.end(), response.trials().begin(), response.trials().end());
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  return trials;
}

std::string Service::Logs() const {
  std::string text = Tail(directory_ / "coordinator.log");
  for (int i = 1; i <= started_workers_; ++i) {
    absl::StrAppend(&text, "\n--- worker-", i, "\n",
                    Tail(directory_ / absl::StrCat("worker-", i, ".log")));
  }
  return text;
}

}  // namespace dovetail::testing
