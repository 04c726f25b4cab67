#include "services/coordinator/store/postgres/migrations.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "common/base/digest.h"

namespace dovetail::store {
namespace {

constexpr int64_t kAdvisoryLock = 0x646f7665'7461696c;  // "dovetail"

void Apply(pqxx::work& transaction, const Migration& migration, int64_t now_ms) {
  transaction.exec(migration.sql);
  transaction.exec_params(
      "INSERT INTO schema_migrations (version, name, checksum, applied_ms) VALUES ($1, $2, $3, $4)",
      migration.version, migration.name, Sha256Hex(migration.sql), now_ms);
}

}  // namespace

absl::Status ApplyMigrations(pqxx::connection& connection, int64_t now_ms,
                             const std::vector<Migration>& migrations) {
  pqxx::work transaction(connection);
  transaction.exec(absl::StrCat("SELECT pg_advisory_xact_lock(", kAdvisoryLock, ")"));
  transaction.exec("SET LOCAL client_min_messages = warning");
  transaction.exec("CREATE SCHEMA IF NOT EXISTS dovetail");
  transaction.exec(
      "CREATE TABLE IF NOT EXISTS schema_migrations (version integer PRIMARY KEY, "
      "name text NOT NULL, checksum text NOT NULL, applied_ms bigint NOT NULL)");
  std::map<int, std::string> applied;  // version -> checksum
  for (const auto& row : transaction.exec("SELECT version, checksum FROM schema_migrations")) {
    applied[row[0].as<int>()] = row[1].as<std::string>();
  }
  const int newest = migrations.empty() ? 0 : migrations.back().version;
  if (!applied.empty() && applied.rbegin()->first > newest) {
    return absl::FailedPreconditionError(
        absl::StrCat("the database's schema has version ", applied.rbegin()->first,
                     ", this binary knows ", newest, ": start a newer dovetail-coordinator"));
  }
  for (const Migration& migration : migrations) {
    const auto it = applied.find(migration.version);
    if (it == applied.end()) {
      Apply(transaction, migration, now_ms);
    } else if (it->second != Sha256Hex(migration.sql)) {
      return absl::FailedPreconditionError(
          absl::StrCat("migration ", migration.name,
                       " was changed after this database had applied it: restore "
                       "its text, and put the change into a new migration"));
    }
  }
  transaction.commit();
  return absl::OkStatus();
}

}  // namespace dovetail::store
