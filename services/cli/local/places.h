// Where a private service keeps its things: a state directory that stays, a runtime directory with
// sockets whose path is short enough for the kernel.
#ifndef DOVETAIL_SERVICES_CLI_LOCAL_PLACES_H_
#define DOVETAIL_SERVICES_CLI_LOCAL_PLACES_H_

#include <string>

#include "absl/status/statusor.h"

namespace dovetail::cli {

struct Places {
  std::string state;    // root: /var/lib/dovetail; else ~/.local/state/dovetail, or as asked
  std::string runtime;  // one per state directory

  std::string postgres_data() const { return state + "/postgres"; }
  std::string postgres_socket_directory() const { return runtime + "/pg"; }
  std::string artifacts() const { return state + "/artifacts"; }
  std::string logs() const { return state + "/logs"; }
  std::string requests() const { return state + "/requests"; }
  std::string coordinator_socket() const { return runtime + "/coordinator.sock"; }
  std::string server() const { return "unix:" + coordinator_socket(); }
  std::string pid_file(const std::string& process) const { return state + "/" + process + ".pid"; }
  std::string log_file(const std::string& process) const { return logs() + "/" + process + ".log"; }
};

// Names them, makes nothing. `state` "": the default.
// Errors: FailedPrecondition: no home directory.
absl::StatusOr<Places> FindPlaces(const std::string& state);

// Makes them; the runtime directory belongs to this user and is closed to others.
// Errors: PermissionDenied; FailedPrecondition: somebody else's directory is in the way.
absl::Status MakePlaces(const Places& places);

}  // namespace dovetail::cli

#endif  // DOVETAIL_SERVICES_CLI_LOCAL_PLACES_H_
