// Results on disk: each file whole or not there.
#ifndef DOVETAIL_SERVICES_CLI_OUTPUT_FILES_H_
#define DOVETAIL_SERVICES_CLI_OUTPUT_FILES_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "services/coordinator/web/job_report.h"

namespace dovetail::cli {

// Temporary file beside it, synced, renamed. Makes the directory.
// Errors: ResourceExhausted: the disk is full; PermissionDenied; FailedPrecondition.
absl::Status WriteFileWhole(const std::string& file, absl::string_view bytes);

// front.csv, trials.csv, references.csv, report.html in `directory`.
absl::Status WriteCsvs(const report::JobReport& report, const std::string& directory);
absl::Status WriteHtml(const report::JobReport& report, const std::string& directory);

}  // namespace dovetail::cli

#endif  // DOVETAIL_SERVICES_CLI_OUTPUT_FILES_H_
