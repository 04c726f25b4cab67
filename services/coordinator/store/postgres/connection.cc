#include "services/coordinator/store/postgres/connection.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace dovetail::store {
namespace {

// libpq's messages end in newlines and may have several lines.
std::string OneLine(absl::string_view message) {
  std::string line(absl::StripAsciiWhitespace(message));
  for (char& c : line) {
    if (c == '\n' || c == '\r' || c == '\t') c = ' ';
  }
  return line;
}

absl::Status StatusOfSqlError(const pqxx::sql_error& error) {
  const std::string& state = error.sqlstate();
  // 08 connection, 53 resources, 57 operator's intervention and time-outs, 55P03 lock time-out,
  // 25P03 idle in transaction.
  if (absl::StartsWith(state, "08") || absl::StartsWith(state, "53") ||
      absl::StartsWith(state, "57") || state == "55P03" || state == "25P03") {
    return absl::UnavailableError(absl::StrCat("database: ", OneLine(error.what())));
  }
  return absl::InternalError(absl::StrCat("database (", state, "): ", OneLine(error.what()), " in ",
                                          OneLine(error.query()).substr(0, 120)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Connection>> Connect(const ConnectionSettings& settings) {
  try {
    auto connection = std::make_unique<Connection>(settings.connection_string);
    connection->inhibit_reactivation(true);
    pqxx::nontransaction session(*connection);
    session.exec(absl::StrCat(
        "SET application_name = ", session.quote(settings.application_name),
        "; SET statement_timeout = ", settings.statement_timeout_ms,
        "; SET idle_in_transaction_session_timeout = ", 2 * settings.statement_timeout_ms,
        "; SET search_path = dovetail; SET client_encoding = 'UTF8'; SET datestyle = 'ISO'"));
    return connection;
  } catch (...) {
    const absl::Status status = StatusOfException();
    if (absl::IsUnavailable(status)) return status;
    return absl::UnavailableError(absl::StrCat("cannot open the database: ", status.message()));
  }
}

absl::Status StatusOfException() {
  try {
    throw;
  } catch (const pqxx::unique_violation& error) {
    return absl::AlreadyExistsError(OneLine(error.what()));
  } catch (const pqxx::broken_connection& error) {
    return absl::UnavailableError(absl::StrCat("database: ", OneLine(error.what())));
  } catch (const pqxx::in_doubt_error& error) {
    return absl::UnavailableError(absl::StrCat(
        "the connection broke during a commit, which may have been done: ", OneLine(error.what())));
  } catch (const pqxx::transaction_rollback& error) {
    return absl::UnavailableError(absl::StrCat("database: ", OneLine(error.what())));
  } catch (const pqxx::sql_error& error) {
    return StatusOfSqlError(error);
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("database: ", OneLine(error.what())));
  }
}

absl::Status Guard(const std::function<absl::Status()>& body) {
  try {
    return body();
  } catch (...) {
    return StatusOfException();
  }
}

ConnectionPool::ConnectionPool(ConnectionSettings settings, int size)
    : settings_(std::move(settings)), idle_(size < 1 ? 1 : size) {}

absl::Status ConnectionPool::Read(const std::function<absl::Status(pqxx::connection&)>& body) {
  std::unique_ptr<Connection> connection;
  {
    std::unique_lock lock(mutex_);
    returned_.wait(lock, [this] { return !idle_.empty(); });
    connection = std::move(idle_.back());
    idle_.pop_back();
  }
  const bool was_open = connection != nullptr;
  absl::Status status = ReadOnce(connection, body);
  if (was_open && connection == nullptr) status = ReadOnce(connection, body);
  {
    std::lock_guard lock(mutex_);
    // Open ones on top, so that they are taken first.
    if (connection == nullptr) {
      idle_.insert(idle_.begin(), nullptr);
    } else {
      idle_.push_back(std::move(connection));
    }
  }
  returned_.notify_one();
  return status;
}

absl::Status ConnectionPool::ReadOnce(std::unique_ptr<Connection>& connection,
                                      const std::function<absl::Status(pqxx::connection&)>& body) {
  if (connection == nullptr) {
    auto opened = Connect(settings_);
    if (!opened.ok()) return opened.status();
    connection = *std::move(opened);
  }
  const absl::Status status = Guard([&] { return body(*connection); });
  if (!connection->is_open()) connection.reset();
  return status;
}

}  // namespace dovetail::store
