// A running service for integration tests: a database of the test's own, a coordinator and workers
// as real processes of the built binaries, on a Unix socket in a directory of the test's own. Waits
// by polling; everything is killed when it goes.
#ifndef DOVETAIL_TESTS_SUPPORT_SERVICE_H_
#define DOVETAIL_TESTS_SUPPORT_SERVICE_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "dovetail/v1/exploration_service.grpc.pb.h"
#include "tests/support/private_postgres.h"
#include "tests/support/temp_dir.h"

namespace dovetail::testing {

// Runs `argv` to its end; its standard output and error go to the returned text.
struct CommandOutput {
  int exit_code = -1;
  std::string text;
};
CommandOutput RunCommand(const std::vector<std::string>& argv,
                         const std::map<std::string, std::string>& environment = {});

// Asks until `condition` holds or `timeout_s` is over; false then.
bool PollUntil(const std::function<bool()>& condition, double timeout_s);

// Not thread-safe.
class Service {
 public:
  struct Options {
    std::vector<std::string> coordinator_flags;
    std::vector<std::string> worker_flags;
    int coordinator_metrics_port = 0;
    int worker_metrics_port = 0;
  };

  static absl::StatusOr<std::unique_ptr<Service>> Start(int worker_count, const Options& options);
  ~Service();

  const std::string& address() const { return address_; }
  const std::string& database() const { return database_; }
  std::string directory() const { return directory_.path(); }

  absl::Status StartCoordinator();
  void KillCoordinator();  // SIGKILL, reaped
  // A second coordinator on the same database; its address.
  absl::StatusOr<std::string> StartStandby();
  absl::Status StartWorker();
  int worker_count() const { return static_cast<int>(workers_.size()); }
  pid_t worker_pid(int index) const { return workers_[index]; }
  void KillWorker(int index);  // SIGKILL, reaped
  // SIGTERM, then waits; its exit code.
  int DrainWorker(int index);

  v1::ExplorationService::Stub& exploration() { return *exploration_; }
  absl::StatusOr<v1::Job> GetJob(int64_t id);
  // Polls until the job has ended.
  absl::StatusOr<v1::Job> WaitForJob(int64_t id, double timeout_s);
  absl::StatusOr<std::vector<v1::Trial>> ListTrials(int64_t job_id);
  // The tail of a process's log, for messages.
  std::string Logs() const;

 private:
  Service() = default;
  pid_t Spawn(const std::vector<std::string>& argv, const std::string& log);

  TempDir directory_;
  Options options_;
  std::string address_;
  std::string database_;
  pid_t coordinator_ = -1;
  pid_t standby_ = -1;
  std::vector<pid_t> workers_;
  int started_workers_ = 0;
  std::unique_ptr<v1::ExplorationService::Stub> exploration_;
};

}  // namespace dovetail::testing

#endif  // DOVETAIL_TESTS_SUPPORT_SERVICE_H_
