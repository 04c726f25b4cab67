// Connections to PostgreSQL: opened with their settings, never silently reopened, replaced when
// broken; and pqxx's exceptions as Status. Called by the store only.
#ifndef DOVETAIL_SERVICES_COORDINATOR_STORE_POSTGRES_CONNECTION_H_
#define DOVETAIL_SERVICES_COORDINATOR_STORE_POSTGRES_CONNECTION_H_

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <pqxx/pqxx>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace dovetail::store {

// libpqxx prints the server's notices to standard error unless told not to.
class Connection : public pqxx::connection {
 public:
  using pqxx::connection::connection;

 private:
  pqxx::quiet_errorhandler quiet_{*this};
};

struct ConnectionSettings {
  std::string connection_string;
  std::string application_name;
  int statement_timeout_ms = 30'000;
};

// A libpqxx 6.4 connection would silently reconnect without its settings after its backend died:
// that is inhibited here.
// Errors: Unavailable: no server, or it refuses.
absl::StatusOr<std::unique_ptr<Connection>> Connect(const ConnectionSettings& settings);

// The exception being handled, as a Status; call inside a catch block. AlreadyExists: a unique key
// is taken; Unavailable: the connection broke, the server is stopping, full, or timed out;
// Internal: anything else, with the statement's start.
absl::Status StatusOfException();

// Runs `body`, turning pqxx's exceptions into Status.
absl::Status Guard(const std::function<absl::Status()>& body);

// Connections for reading. Thread-safe; at most `size` at once, the next caller waits.
class ConnectionPool {
 public:
  ConnectionPool(ConnectionSettings settings, int size);

  // Runs `body` with a connection. Where the connection turns out to be broken (the database was
  // restarted), once more with a new one: bodies only read.
  absl::Status Read(const std::function<absl::Status(pqxx::connection&)>& body);

 private:
  absl::Status ReadOnce(std::unique_ptr<Connection>& connection,
                        const std::function<absl::Status(pqxx::connection&)>& body);

  const ConnectionSettings settings_;
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::unique_ptr<Connection>> idle_;  // null: not opened yet
};

}  // namespace dovetail::store

#endif  // DOVETAIL_SERVICES_COORDINATOR_STORE_POSTGRES_CONNECTION_H_
