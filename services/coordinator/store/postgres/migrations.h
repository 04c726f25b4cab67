// Versioned, forward-only schema changes, compiled in from deploy/postgres/migrations and applied
// when a store is opened.
#ifndef DOVETAIL_SERVICES_COORDINATOR_STORE_POSTGRES_MIGRATIONS_H_
#define DOVETAIL_SERVICES_COORDINATOR_STORE_POSTGRES_MIGRATIONS_H_

#include <cstdint>
#include <pqxx/pqxx>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace dovetail::store {

struct Migration {
  int version;  // 1, 2, ... without gaps
  std::string name;
  std::string sql;
};

// Generated at build time; rising.
const std::vector<Migration>& EmbeddedMigrations();

// Applies what is missing, all in one transaction under an advisory lock: processes that start
// together wait for each other. Throws pqxx's exceptions.
// Errors: FailedPrecondition: the schema is newer than this binary, or an applied migration's text
// has changed.
absl::Status ApplyMigrations(pqxx::connection& connection, int64_t now_ms,
                             const std::vector<Migration>& migrations);

}  // namespace dovetail::store

#endif  // DOVETAIL_SERVICES_COORDINATOR_STORE_POSTGRES_MIGRATIONS_H_
