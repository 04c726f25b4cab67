#include "services/cli/local/local_service.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/cli/client.h"
#include "services/cli/local/postgres_cluster.h"
#include "services/cli/local/process.h"
#include "services/cli/output_files.h"

namespace dovetail::cli {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kReadyTimeoutMs = 60'000;
constexpr int64_t kPollMs = 20;
constexpr int64_t kGraceMs = 10'000;
constexpr char kCoordinator[] = "coordinator";
constexpr char kWorkerPrefix[] = "worker-";

// -1 where it is taken (with LOCK_NB) or cannot be opened.
int Lock(const std::string& file, int how) {
  const int fd = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return -1;
  while (flock(fd, how) != 0) {
    if (errno == EINTR) continue;
    close(fd);
    return -1;
  }
  return fd;
}

// Held for as long as it lives.
class StartLock {
 public:
  explicit StartLock(const Places& places) : fd_(Lock(places.state + "/start.lock", LOCK_EX)) {}
  ~StartLock() {
    if (fd_ >= 0) close(fd_);
  }

 private:
  int fd_;
};

std::string KeepMark(const Places& places) { return places.state + "/keep"; }

absl::StatusOr<std::string> FindBinary(const std::string& name) {
  const std::string beside = absl::StrCat(OwnDirectory(), "/", name);
  if (access(beside.c_str(), X_OK) == 0) return beside;
  const std::string on_path = FindOnPath(name);
  if (!on_path.empty()) return on_path;
  return absl::NotFoundError(absl::StrCat(name, " is neither beside this program (", OwnDirectory(),
                                          ") nor on the PATH: build or install it"));
}

std::vector<std::string> WorkerNames(const Places& places) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(places.state, error)) {
    const std::string name = entry.path().stem().string();
    if (entry.path().extension() == ".pid" && absl::StartsWith(name, kWorkerPrefix)) {
      names.push_back(name);
    }
  }
  return names;
}

absl::Status EndedAtOnce(const Places& places, const std::string& process) {
  return absl::UnavailableError(absl::StrCat("the ", process,
                                             " ended at once: ", LastLine(places.log_file(process)),
                                             " (log: ", places.log_file(process), ")"));
}

// Calls `ready` until it is true. Errors: those of `ready`; Cancelled; DeadlineExceeded.
absl::Status WaitUntil(const LocalServiceOptions& options, const std::string& what,
                       const std::function<absl::StatusOr<bool>()>& ready) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(kReadyTimeoutMs);
  while (true) {
    ASSIGN_OR_RETURN(const bool done, ready());
    if (done) return absl::OkStatus();
    if (options.interrupted && options.interrupted()) return absl::CancelledError("interrupted");
    if (std::chrono::steady_clock::now() > end) {
      return absl::DeadlineExceededError(
          absl::StrCat(what, " is not ready after ", kReadyTimeoutMs / 1000, " s; see the logs in ",
                       options.places.logs()));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(kPollMs));
  }
}

// Workers first: what they run goes back to the queue at once.
absl::Status StopAll(const Places& places) {
  const std::vector<std::string> workers = WorkerNames(places);
  std::vector<std::thread> stopping;
  for (const std::string& worker : workers) {
    stopping.emplace_back([&places, worker] { StopDaemon(places.pid_file(worker), kGraceMs); });
  }
  for (std::thread& one : stopping) one.join();
  StopDaemon(places.pid_file(kCoordinator), kGraceMs);
  unlink(KeepMark(places).c_str());
  const absl::StatusOr<PostgresCluster> found = PostgresCluster::Find(places);
  if (!found.ok()) return found.status();
  PostgresCluster cluster = *found;
  return cluster.Stop();
}

}  // namespace

LocalService::LocalService(const LocalServiceOptions& options) : options_(options) {}

LocalService::~LocalService() {
  if (users_lock_ >= 0) close(users_lock_);
}

absl::StatusOr<std::unique_ptr<LocalService>> LocalService::Join(
    const LocalServiceOptions& options) {
  RETURN_IF_ERROR(MakePlaces(options.places));
  std::unique_ptr<LocalService> service(new LocalService(options));
  service->users_lock_ = Lock(options.places.state + "/users.lock", LOCK_SH);
  if (service->users_lock_ < 0) {
    return absl::PermissionDeniedError(
        absl::StrCat("cannot lock ", options.places.state, "/users.lock: ", std::strerror(errno)));
  }
  const absl::Status started = service->Start();
  if (started.ok()) return service;
  (void)service->Leave();
  return started;
}

absl::Status LocalService::Start() {
  const StartLock lock(options_.places);
  RETURN_IF_ERROR(FindBinary("dovetail-coordinator").status());
  RETURN_IF_ERROR(FindBinary("dovetail-worker").status());
  RETURN_IF_ERROR(StartCoordinator());
  return StartWorkers();
}

absl::Status LocalService::StartCoordinator() {
  const Places& places = options_.places;
  ASSIGN_OR_RETURN(const auto client, Client::Make({.server = places.server()}));
  const bool running = LivingProcess(places.pid_file(kCoordinator)) != 0;
  if (running && client->CheckHealth(5000).ok()) {
    if (!joined_) options_.say("joining the service that is running");
    joined_ = true;
    return absl::OkStatus();
  }
  StopDaemon(places.pid_file(kCoordinator), kGraceMs);
  ASSIGN_OR_RETURN(PostgresCluster cluster, PostgresCluster::Find(places));
  options_.say(absl::StrCat("starting the database in ", places.postgres_data()));
  RETURN_IF_ERROR(cluster.EnsureRunning());
  if (options_.interrupted && options_.interrupted()) return absl::CancelledError("interrupted");
  ASSIGN_OR_RETURN(const std::string binary, FindBinary("dovetail-coordinator"));
  options_.say("starting the coordinator");
  joined_ = true;
  RETURN_IF_ERROR(StartDaemon({binary, "--listen", places.server(), "--database",
                               cluster.ConnectionString(), "--artifacts", places.artifacts()},
                              places.log_file(kCoordinator), places.pid_file(kCoordinator)));
  return WaitUntil(options_, "the coordinator", [&]() -> absl::StatusOr<bool> {
    if (LivingProcess(places.pid_file(kCoordinator)) == 0) {
      return EndedAtOnce(places, kCoordinator);
    }
    return client->CheckHealth(1000).ok();
  });
}

absl::Status LocalService::StartWorkers() {
  const Places& places = options_.places;
  ASSIGN_OR_RETURN(const std::string binary, FindBinary("dovetail-worker"));
  std::vector<std::string> workers;
  int started = 0;
  for (int i = 1; i <= options_.workers; ++i) {
    const std::string worker = absl::StrCat(kWorkerPrefix, i);
    workers.push_back(worker);
    if (LivingProcess(places.pid_file(worker)) != 0) continue;
    if (started++ == 0) {
      options_.say(absl::StrCat("starting workers, ", options_.workers, " in all"));
    }
    RETURN_IF_ERROR(StartDaemon({binary, "--coordinator", places.server(), "--work-dir",
                                 absl::StrCat(places.state, "/", worker), "--slots", "1"},
                                places.log_file(worker), places.pid_file(worker)));
  }
  ASSIGN_OR_RETURN(const auto client, Client::Make({.server = places.server()}));
  return WaitUntil(options_, "the workers", [&]() -> absl::StatusOr<bool> {
    for (const std::string& worker : workers) {
      if (LivingProcess(places.pid_file(worker)) == 0) return EndedAtOnce(places, worker);
    }
    ASSIGN_OR_RETURN(const std::vector<v1::Worker> known, client->ListWorkers());
    int alive = 0;
    for (const v1::Worker& worker : known) alive += worker.state() == "alive" ? 1 : 0;
    return alive >= options_.workers;
  });
}

absl::Status LocalService::Tend() {
  const Places& places = options_.places;
  std::string ended;
  if (LivingProcess(places.pid_file(kCoordinator)) == 0) ended = kCoordinator;
  if (ended.empty() && !PostgresAlive(places)) ended = "database";
  for (int i = 1; ended.empty() && i <= options_.workers; ++i) {
    const std::string worker = absl::StrCat(kWorkerPrefix, i);
    if (LivingProcess(places.pid_file(worker)) == 0) ended = worker;
  }
  if (ended.empty()) return absl::OkStatus();
  if (--restarts_left_ < 0) {
    return absl::UnavailableError(
        absl::StrCat("the ", ended, " ends again and again: ", LastLine(places.log_file(ended)),
                     " (logs: ", places.logs(), ")"));
  }
  options_.say(absl::StrCat("the ", ended, " has ended; starting it again"));
  const StartLock lock(places);
  if (ended == "database") {
    ASSIGN_OR_RETURN(PostgresCluster cluster, PostgresCluster::Find(places));
    RETURN_IF_ERROR(cluster.EnsureRunning());
  }
  RETURN_IF_ERROR(StartCoordinator());
  return StartWorkers();
}

absl::Status LocalService::Keep() { return WriteFileWhole(KeepMark(options_.places), ""); }

absl::StatusOr<bool> LocalService::Leave() {
  const StartLock lock(options_.places);
  if (access(KeepMark(options_.places).c_str(), F_OK) == 0) return false;
  // The last one out gets it for itself.
  if (users_lock_ < 0 || flock(users_lock_, LOCK_EX | LOCK_NB) != 0) return false;
  const absl::Status stopped = StopAll(options_.places);
  close(std::exchange(users_lock_, -1));
  if (!stopped.ok()) return stopped;
  return true;
}

absl::Status StopLocalService(const Places& places) {
  if (!fs::exists(places.state)) return absl::OkStatus();
  const StartLock lock(places);
  const int users = Lock(places.state + "/users.lock", LOCK_EX | LOCK_NB);
  if (users < 0) {
    return absl::FailedPreconditionError(
        "an exploration is using the service; end it first (Ctrl-C in its terminal)");
  }
  const absl::Status stopped = StopAll(places);
  close(users);
  return stopped;
}

}  // namespace dovetail::cli
