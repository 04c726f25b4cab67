#include "tests/support/private_postgres.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace dovetail::testing {
namespace {

namespace fs = std::filesystem;

// Where Debian, Fedora and a source build put the server's binaries.
std::string FindBinaries() {
  std::vector<std::string> places;
  if (const char* given = ::getenv("DOVETAIL_PG_BINDIR")) places.push_back(given);
  for (int version = 18; version >= 13; --version) {
    places.push_back(absl::StrCat("/usr/lib/postgresql/", version, "/bin"));
  }
  places.push_back("/usr/bin");
  places.push_back("/usr/local/pgsql/bin");
  std::error_code error;
  for (const std::string& place : places) {
    if (fs::exists(place + "/initdb", error) && fs::exists(place + "/pg_ctl", error)) return place;
  }
  return "";
}

// The server refuses to run as root: then all its commands run as the user postgres.
std::string AsServerUser() { return ::geteuid() == 0 ? "runuser -u postgres -- " : ""; }

// Runs a shell command made of constants and our own directory's name.
absl::Status Run(const std::string& command, const std::string& directory,
                 std::string* printed = nullptr) {
  const std::string output = directory + "/command_output";
  const int code =
      std::system(absl::StrCat("cd / && ", command, " > ", output, " 2>&1 < /dev/null").c_str());
  std::ifstream file(output);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (printed != nullptr) *printed = text;
  if (code == 0) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(command, ": exit ", WEXITSTATUS(code), ": ", text));
}

}  // namespace

absl::StatusOr<PrivatePostgres*> PrivatePostgres::Shared() {
  static std::mutex mutex;
  static absl::StatusOr<std::unique_ptr<PrivatePostgres>> shared = absl::UnavailableError("");
  std::lock_guard lock(mutex);
  if (absl::IsUnavailable(shared.status())) shared = Make(Options());
  if (!shared.ok()) return shared.status();
  return shared->get();
}

absl::StatusOr<std::unique_ptr<PrivatePostgres>> PrivatePostgres::Make(const Options& options) {
  const std::string binaries = FindBinaries();
  if (binaries.empty()) return absl::NotFoundError("no PostgreSQL server binaries found");
  char directory[] = "/tmp/dvt_pg_XXXXXX";  // short: a socket's path has at most 107 bytes
  if (::mkdtemp(directory) == nullptr) return absl::InternalError("mkdtemp failed");
  if (::geteuid() == 0) {
    RETURN_IF_ERROR(Run(absl::StrCat("chown postgres ", directory), directory));
  }
  std::unique_ptr<PrivatePostgres> cluster(new PrivatePostgres(directory, options));
  RETURN_IF_ERROR(
      Run(absl::StrCat(AsServerUser(), binaries, "/initdb -A trust -U dovetail -N -E UTF8",
                       " --locale=C -D ", directory, "/data"),
          directory));
  RETURN_IF_ERROR(cluster->Start());
  return cluster;
}

PrivatePostgres::~PrivatePostgres() {
  Stop().IgnoreError();
  std::error_code error;
  fs::remove_all(directory_, error);
}

absl::Status PrivatePostgres::Start() {
  const std::string settings = absl::StrCat(
      "-c listen_addresses= -c unix_socket_directories=", directory_,
      " -c max_connections=50 -c shared_buffers=32MB -c fsync=", options_.fsync ? "on" : "off");
  RETURN_IF_ERROR(Run(absl::StrCat(AsServerUser(), FindBinaries(), "/pg_ctl -w -s -D ", directory_,
                                   "/data -l ", directory_, "/log -o '", settings, "' start"),
                      directory_));
  running_ = true;
  return absl::OkStatus();
}

absl::Status PrivatePostgres::Stop() {
  if (!running_) return absl::OkStatus();
  running_ = false;
  return Run(absl::StrCat(AsServerUser(), FindBinaries(), "/pg_ctl -w -s -m immediate -D ",
                          directory_, "/data stop"),
             directory_);
}

absl::StatusOr<std::string> PrivatePostgres::CreateDatabase() {
  const std::string name = absl::StrCat("test_", next_database_++);
  RETURN_IF_ERROR(
      Run(absl::StrCat(FindBinaries(), "/createdb -h ", directory_, " -U dovetail ", name),
          directory_));
  return absl::StrCat("host=", directory_, " user=dovetail dbname=", name);
}

absl::StatusOr<std::string> PrivatePostgres::Query(const std::string& connection,
                                                   const std::string& sql) {
  const std::string script = directory_ + "/query.sql";
  std::ofstream(script) << sql << "\n";
  std::string printed;
  RETURN_IF_ERROR(Run(absl::StrCat(FindBinaries(), "/psql -X -q -At -v ON_ERROR_STOP=1 -d '",
                                   connection, "' -f ", script),
                      directory_, &printed));
  return printed;
}

}  // namespace dovetail::testing
