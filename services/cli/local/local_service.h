// The whole service on this machine: a private database, a coordinator, workers. Started on demand
// and shared: whoever comes second joins, whoever leaves last stops it.
#ifndef DOVETAIL_SERVICES_CLI_LOCAL_LOCAL_SERVICE_H_
#define DOVETAIL_SERVICES_CLI_LOCAL_LOCAL_SERVICE_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/cli/local/places.h"

namespace dovetail::cli {

struct LocalServiceOptions {
  Places places;
  int workers = 2;
  // Lines for the user on what is being started.
  std::function<void(const std::string&)> say;
  std::function<bool()> interrupted;
};

// Holds a share in the running service. Locks: "start.lock" serialises starting and stopping,
// "users.lock" is held shared by every user. Both are the kernel's: a killed user leaves none.
class LocalService {
 public:
  // Returns when the coordinator serves and the workers are connected.
  // Errors: NotFound: a binary or PostgreSQL is missing; Unavailable: a process ended at once, with
  // its last line; Cancelled: interrupted.
  static absl::StatusOr<std::unique_ptr<LocalService>> Join(const LocalServiceOptions& options);
  // Leaves without stopping anything; call Leave for that.
  ~LocalService();
  LocalService(const LocalService&) = delete;
  LocalService& operator=(const LocalService&) = delete;

  // Starts again what has ended since: a killed worker, coordinator or database. Cheap enough to be
  // called twice a second.
  // Errors: Unavailable: something ends again and again, with its last line.
  absl::Status Tend();
  // Stops everything unless others use it or it was to be kept up (Keep). Returns true if stopped.
  absl::StatusOr<bool> Leave();
  // The service stays up until `dovetail stop`.
  absl::Status Keep();

 private:
  explicit LocalService(const LocalServiceOptions& options);
  absl::Status Start();
  absl::Status StartCoordinator();
  absl::Status StartWorkers();

  LocalServiceOptions options_;
  int users_lock_ = -1;
  int restarts_left_ = 20;
  bool joined_ = false;
};

// Stops what runs, also what was kept up.
// Errors: FailedPrecondition: an exploration is using it.
absl::Status StopLocalService(const Places& places);

}  // namespace dovetail::cli

#endif  // DOVETAIL_SERVICES_CLI_LOCAL_LOCAL_SERVICE_H_
