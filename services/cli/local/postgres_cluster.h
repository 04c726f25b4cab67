// A private PostgreSQL cluster: made on first use, reachable through a Unix socket alone.
// As root it belongs to the user postgres, because the server refuses to run as root.
#ifndef DOVETAIL_SERVICES_CLI_LOCAL_POSTGRES_CLUSTER_H_
#define DOVETAIL_SERVICES_CLI_LOCAL_POSTGRES_CLUSTER_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/cli/local/places.h"

namespace dovetail::cli {

// Thread-compatible. The server has a session of its own and outlives this object.
class PostgresCluster {
 public:
  // Errors: NotFound: PostgreSQL is not installed (names the package); FailedPrecondition: the
  // cluster is of another major version, or its directory cannot be entered.
  static absl::StatusOr<PostgresCluster> Find(const Places& places);

  // Makes the cluster where there is none, starts it where it does not run, waits until it answers.
  absl::Status EnsureRunning();
  // Ends open sessions, waits until it is down. OK where it does not run.
  absl::Status Stop();
  bool Running() const;

  // For the coordinator's --database.
  std::string ConnectionString() const;

 private:
  PostgresCluster(const Places& places, std::string bin) : places_(places), bin_(std::move(bin)) {}

  std::vector<std::string> Command(const std::string& program,
                                   const std::vector<std::string>& arguments) const;
  absl::Status Initialise();
  absl::Status MakeOwned(const std::string& directory) const;

  Places places_;
  std::string bin_;  // directory of initdb, pg_ctl, createdb
};

// Whether its server process lives; reads two small files.
bool PostgresAlive(const Places& places);

}  // namespace dovetail::cli

#endif  // DOVETAIL_SERVICES_CLI_LOCAL_POSTGRES_CLUSTER_H_
