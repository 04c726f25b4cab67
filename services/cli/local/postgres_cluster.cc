#include "services/cli/local/postgres_cluster.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/cli/local/process.h"

namespace dovetail::cli {
namespace {

namespace fs = std::filesystem;

constexpr char kDatabase[] = "dovetail";
constexpr char kUser[] = "dovetail";

absl::Status NotInstalled() {
  return absl::NotFoundError(
      "PostgreSQL is not installed: install the package postgresql (apt-get install postgresql), "
      "or use a running coordinator with --server");
}

// Major version -> directory with initdb.
std::map<int, std::string> Installations() {
  std::map<int, std::string> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", error)) {
    int version = 0;
    const std::string bin = entry.path().string() + "/bin";
    if (absl::SimpleAtoi(entry.path().filename().string(), &version) &&
        access((bin + "/initdb").c_str(), X_OK) == 0 &&
        access((bin + "/postgres").c_str(), X_OK) == 0) {
      found[version] = bin;
    }
  }
  return found;
}

std::string ShellQuoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

}  // namespace

absl::StatusOr<PostgresCluster> PostgresCluster::Find(const Places& places) {
  if (geteuid() == 0 && getpwnam("postgres") == nullptr) return NotInstalled();
  const std::map<int, std::string> found = Installations();
  int wanted = 0;
  std::ifstream(places.postgres_data() + "/PG_VERSION") >> wanted;
  if (wanted != 0 && !found.empty() && !found.contains(wanted)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the database in ", places.postgres_data(), " is of PostgreSQL ", wanted,
        ", which is not installed: install postgresql-", wanted, ", or choose another --state"));
  }
  if (wanted != 0 && found.contains(wanted)) return PostgresCluster(places, found.at(wanted));
  if (!found.empty()) return PostgresCluster(places, found.rbegin()->second);
  const std::string initdb = FindOnPath("initdb");
  if (initdb.empty()) return NotInstalled();
  return PostgresCluster(places, fs::path(initdb).parent_path().string());
}

std::vector<std::string> PostgresCluster::Command(const std::string& program,
                                                  const std::vector<std::string>& arguments) const {
  std::vector<std::string> command;
  if (geteuid() == 0) command = {"runuser", "-u", "postgres", "--"};
  command.push_back(absl::StrCat(bin_, "/", program));
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

absl::Status PostgresCluster::MakeOwned(const std::string& directory) const {
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return absl::PermissionDeniedError(
        absl::StrCat("cannot make ", directory, ": ", std::strerror(errno)));
  }
  if (geteuid() != 0) return absl::OkStatus();
  const passwd* user = getpwnam("postgres");
  if (user == nullptr) return NotInstalled();
  if (lchown(directory.c_str(), user->pw_uid, user->pw_gid) != 0) {
    return absl::PermissionDeniedError(
        absl::StrCat("cannot give ", directory, " to postgres: ", std::strerror(errno)));
  }
  const auto entered = RunProgram(
      {"runuser", "-u", "postgres", "--", "test", "-x", directory, "-a", "-w", directory});
  if (entered.ok()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the user postgres cannot enter ", directory,
                   ": choose another directory with --state (not one under /root)"));
}

absl::Status PostgresCluster::Initialise() {
  std::error_code error;
  if (fs::exists(places_.postgres_data() + "/PG_VERSION", error)) return absl::OkStatus();
  // Made aside and renamed: a half-made cluster never stands in its place.
  const std::string fresh = places_.postgres_data() + ".new";
  fs::remove_all(fresh, error);
  RETURN_IF_ERROR(MakeOwned(fresh));
  RETURN_IF_ERROR_WITH(
      RunProgram(Command("initdb", {"-D", fresh, "-U", kUser, "-E", "UTF8", "--locale=C",
                                    "--auth-local=trust", "--auth-host=reject"}))
          .status(),
      "cannot make the private database");
  fs::rename(fresh, places_.postgres_data(), error);
  if (!error) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("cannot move ", fresh, " to ", places_.postgres_data(), ": ", error.message()));
}

bool PostgresCluster::Running() const {
  return RunProgram(Command("pg_ctl", {"status", "-D", places_.postgres_data()})).ok();
}

absl::Status PostgresCluster::EnsureRunning() {
  RETURN_IF_ERROR(Initialise());
  RETURN_IF_ERROR(MakeOwned(places_.postgres_socket_directory()));
  if (!Running()) {
    const std::string log = places_.postgres_data() + "/dovetail.log";
    const std::string options = absl::StrCat(
        "-c listen_addresses= -c unix_socket_permissions=0700 -c unix_socket_directories=",
        ShellQuoted(places_.postgres_socket_directory()), " -c max_connections=60");
    const absl::Status started =
        RunProgram(Command("pg_ctl", {"start", "-D", places_.postgres_data(), "-w", "-t", "60",
                                      "-s", "-l", log, "-o", options}))
            .status();
    if (!started.ok()) {
      return absl::UnavailableError(absl::StrCat(
          "the private database does not start: ", LastLine(log), " (log: ", log, ")"));
    }
  }
  const absl::Status made =
      RunProgram(
          Command("createdb", {"-h", places_.postgres_socket_directory(), "-U", kUser, kDatabase}))
          .status();
  if (made.ok() || absl::StrContains(made.message(), "already exists")) return absl::OkStatus();
  return Annotate(made, "cannot make the database");
}

absl::Status PostgresCluster::Stop() {
  if (!Running()) return absl::OkStatus();
  return RunProgram(Command("pg_ctl", {"stop", "-D", places_.postgres_data(), "-m", "fast", "-w",
                                       "-t", "60", "-s"}))
      .status();
}

bool PostgresAlive(const Places& places) {
  int64_t pid = 0;
  std::ifstream(places.postgres_data() + "/postmaster.pid") >> pid;
  if (pid <= 1) return false;
  std::error_code error;
  return fs::exists(absl::StrCat("/proc/", pid), error);
}

std::string PostgresCluster::ConnectionString() const {
  return absl::StrCat("host=", places_.postgres_socket_directory(), " dbname=", kDatabase,
                      " user=", kUser);
}

}  // namespace dovetail::cli
