// The store in PostgreSQL: what coordinators run on. Schema: deploy/postgres/migrations.
#ifndef DOVETAIL_SERVICES_COORDINATOR_STORE_POSTGRES_POSTGRES_STORE_H_
#define DOVETAIL_SERVICES_COORDINATOR_STORE_POSTGRES_POSTGRES_STORE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "services/coordinator/store/store.h"

namespace dovetail::store {

struct PostgresOptions {
  std::string connection_string;  // libpq's: "host=... dbname=..." or a postgresql:// URI
  int pool_size = 4;              // connections for reading, opened when first needed
  const Clock* clock = nullptr;   // for records only; null: the system's; must outlive the store
  int statement_timeout_ms = 30'000;  // a statement that takes longer ends with Unavailable
};

// Opens the database and brings its schema up to date. Writing takes one more connection, opened by
// BecomeLeader.
// Errors: Unavailable: no server; FailedPrecondition: the schema is newer than this binary.
absl::StatusOr<std::unique_ptr<Store>> OpenPostgresStore(const PostgresOptions& options);

}  // namespace dovetail::store

#endif  // DOVETAIL_SERVICES_COORDINATOR_STORE_POSTGRES_POSTGRES_STORE_H_
