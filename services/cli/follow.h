// Submitting a job and seeing it through: shared by explore, submit and watch.
#ifndef DOVETAIL_SERVICES_CLI_FOLLOW_H_
#define DOVETAIL_SERVICES_CLI_FOLLOW_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "dovetail/v1/job.pb.h"
#include "services/cli/client.h"
#include "services/cli/job_file/job_file.h"
#include "services/cli/progress.h"

namespace dovetail::cli {

// Reads, digests and checks a job file without a coordinator.
// Errors: those of the job file, with its lines.
absl::StatusOr<JobFile> LoadJob(const std::string& path);

// Checks with the coordinator, uploads what is missing, submits. The same request id gives the same
// job.
absl::StatusOr<v1::Job> SubmitJobFile(Client& client, const JobFile& job,
                                      const std::string& request_id);

// An id no other request has.
std::string NewRequestId();

// Shows progress until the job has ended, and a line for what the user should know of: work that no
// worker can do, trials given up. `tend` (may be null) is called about twice a second: it looks
// after the service; while it succeeds, a coordinator that is away is waited for. Errors:
// Cancelled: interrupted (the job goes on); those of `tend`; the coordinator's.
absl::StatusOr<v1::Job> FollowJob(Client& client, int64_t job_id, ProgressPrinter& printer,
                                  const std::function<absl::Status()>& tend = nullptr);

}  // namespace dovetail::cli

#endif  // DOVETAIL_SERVICES_CLI_FOLLOW_H_
