// dovetail explore: a job file in, a front of designs out, on one machine and in one command.
#ifndef DOVETAIL_SERVICES_CLI_EXPLORE_H_
#define DOVETAIL_SERVICES_CLI_EXPLORE_H_

#include <string>

#include "absl/status/status.h"
#include "services/cli/client.h"

namespace dovetail::cli {

struct ExploreOptions {
  std::string job_file;
  int workers = 2;
  int trials = 0;  // 0: as the job file says
  bool keep = false;
  bool resume = false;
  std::string out = "out";
  std::string state;     // "": the default (local/places.h)
  ClientOptions client;  // server "": start or join the private service
};

// Returns when the job has ended, its results are written and what was started is stopped.
// Errors: Cancelled: interrupted, everything stopped, the job can be resumed; FailedPrecondition:
// the job ended without success; else whatever stood in the way.
absl::Status Explore(const ExploreOptions& options);

}  // namespace dovetail::cli

#endif  // DOVETAIL_SERVICES_CLI_EXPLORE_H_
