// Job files: YAML on disk -> the message that is submitted. Called by every command that takes one.
// The fields are described in docs/user_guide.md; the message in proto/dovetail/v1/job.proto.
#ifndef DOVETAIL_SERVICES_CLI_JOB_FILE_JOB_FILE_H_
#define DOVETAIL_SERVICES_CLI_JOB_FILE_JOB_FILE_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "dovetail/v1/job.pb.h"

namespace dovetail::cli {

struct JobFile {
  std::string path;
  // network.file and dataset.file are resolved against the job file's directory.
  v1::JobSpec spec;
  std::map<std::string, int> lines;  // JSON name of a field of the job -> its line
};

// `path` is for messages and for relative files; nothing is opened.
// Errors: InvalidArgument "path:line:column: cause" (yaml_message.h).
absl::StatusOr<JobFile> ParseJobFile(absl::string_view text, const std::string& path);

// Errors: NotFound / PermissionDenied: the file cannot be read; those of ParseJobFile.
absl::StatusOr<JobFile> ReadJobFile(const std::string& path);

// Replaces file names by the SHA-256 of what they hold, reading them.
// Errors: NotFound / PermissionDenied / InvalidArgument naming the file and the key's line.
absl::Status DigestFiles(JobFile& job);

// `status` of a check of the spec, with "path:line: " of the field it begins with.
absl::Status AtItsLine(const JobFile& job, const absl::Status& status);

}  // namespace dovetail::cli

#endif  // DOVETAIL_SERVICES_CLI_JOB_FILE_JOB_FILE_H_
