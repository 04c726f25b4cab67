// A PostgreSQL cluster for one test binary: started on first use, on a Unix socket in a directory
// of its own, without fsync; stopped and removed when the binary ends. Each test takes a database
// of its own.
#ifndef DOVETAIL_TESTS_SUPPORT_PRIVATE_POSTGRES_H_
#define DOVETAIL_TESTS_SUPPORT_PRIVATE_POSTGRES_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace dovetail::testing {

// Thread-safe but for Stop and Start.
class PrivatePostgres {
 public:
  struct Options {
    bool fsync = false;  // true where writing speed or crashes are looked at
  };

  // The binary's shared cluster, without fsync.
  // Errors: NotFound: no server binaries here (skip the test); Internal: it does not start.
  static absl::StatusOr<PrivatePostgres*> Shared();

  // A cluster of the caller's own; stopped and removed by the destructor.
  static absl::StatusOr<std::unique_ptr<PrivatePostgres>> Make(const Options& options);
  ~PrivatePostgres();
  PrivatePostgres(const PrivatePostgres&) = delete;
  PrivatePostgres& operator=(const PrivatePostgres&) = delete;

  // A new empty database; libpq's connection string for it.
  absl::StatusOr<std::string> CreateDatabase();

  // What psql prints for one statement, unaligned, without headers. `connection`: of
  // CreateDatabase.
  absl::StatusOr<std::string> Query(const std::string& connection, const std::string& sql);

  // For tests of what survives a restart. Stop is immediate, as after a crash.
  absl::Status Stop();
  absl::Status Start();

 private:
  explicit PrivatePostgres(std::string directory, const Options& options)
      : directory_(std::move(directory)), options_(options) {}

  const std::string directory_;  // data/, log and the socket
  const Options options_;
  int next_database_ = 1;
  bool running_ = false;
};

}  // namespace dovetail::testing

#endif  // DOVETAIL_TESTS_SUPPORT_PRIVATE_POSTGRES_H_
