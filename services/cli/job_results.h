// A job as reports see it, fetched from the coordinator.
#ifndef DOVETAIL_SERVICES_CLI_JOB_RESULTS_H_
#define DOVETAIL_SERVICES_CLI_JOB_RESULTS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "dovetail/v1/exploration_service.pb.h"
#include "dovetail/v1/job.pb.h"
#include "dovetail/v1/trial.pb.h"
#include "services/cli/client.h"
#include "services/coordinator/web/job_report.h"

namespace dovetail::cli {

// Pure. Errors: InvalidArgument: the server's answer is not one this version knows.
absl::StatusOr<report::JobReport> ToReport(const v1::Job& job, const std::vector<v1::Trial>& trials,
                                           const v1::GetFrontResponse& front);

absl::StatusOr<report::JobReport> FetchReport(Client& client, int64_t job_id);

}  // namespace dovetail::cli

#endif  // DOVETAIL_SERVICES_CLI_JOB_RESULTS_H_
