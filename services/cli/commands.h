// The commands that talk to a coordinator. Each prints its result to standard output and returns
// what went wrong.
#ifndef DOVETAIL_SERVICES_CLI_COMMANDS_H_
#define DOVETAIL_SERVICES_CLI_COMMANDS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "services/cli/client.h"

namespace dovetail::cli {

struct SubmitOptions {
  std::string job_file;
  int trials = 0;
  std::string request_id;
  bool watch = false;
};

struct ExportOptions {
  int64_t job_id = 0;
  std::string what = "all";  // csv, report, artifacts, all
  std::string out;           // directory; "": out/<job name>
  int trial = 0;             // artifacts of this trial; 0: of the front's
};

// Without a server the job is checked as far as this program can.
absl::Status ValidateCommand(const ClientOptions& client, const std::string& job_file, bool dot);
absl::Status SubmitCommand(const ClientOptions& client, const SubmitOptions& options);
absl::Status WatchCommand(const ClientOptions& client, int64_t job_id, bool events);
absl::Status ListCommand(const ClientOptions& client, int limit);
absl::Status ShowCommand(const ClientOptions& client, int64_t job_id, bool json);
absl::Status TrialsCommand(const ClientOptions& client, int64_t job_id, std::optional<int> trial);
absl::Status FrontCommand(const ClientOptions& client, int64_t job_id);
absl::Status ExportCommand(const ClientOptions& client, const ExportOptions& options);
absl::Status CancelCommand(const ClientOptions& client, int64_t job_id);
absl::Status WorkersCommand(const ClientOptions& client);

}  // namespace dovetail::cli

#endif  // DOVETAIL_SERVICES_CLI_COMMANDS_H_
