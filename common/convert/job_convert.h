// Jobs, flows and search spaces: proto <-> domain, and the proto's canonical JSON.
// Called by servicers, the exploration loop at start, and the command line.
#ifndef DOVETAIL_COMMON_CONVERT_JOB_CONVERT_H_
#define DOVETAIL_COMMON_CONVERT_JOB_CONVERT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/domain/flow.h"
#include "common/domain/job.h"
#include "common/domain/search_space.h"
#include "dovetail/v1/flow.pb.h"
#include "dovetail/v1/job.pb.h"
#include "dovetail/v1/space.pb.h"

namespace dovetail::convert {

// Fills in defaults and checks everything that can be judged without running (job_checks.h).
// Errors: InvalidArgument naming the field, the cause and what to write instead.
absl::StatusOr<JobSpec> JobSpecFromProto(const v1::JobSpec& proto);
// With every default written out. The client's file names are gone: digests remain.
v1::JobSpec JobSpecToProto(const JobSpec& spec);

// One line, sorted keys, the message's JSON names: what the store keeps and digests are taken of.
// Equal messages give equal text.
std::string JobSpecToJson(const v1::JobSpec& proto);
// Errors: InvalidArgument: not JSON, an unknown field, a wrong type.
absl::StatusOr<v1::JobSpec> JobSpecFromJson(absl::string_view json);

// A task's name defaults to its type.
Flow FlowFromProto(const v1::Flow& proto);
v1::Flow FlowToProto(const Flow& flow);

// Errors: InvalidArgument: a variable without a type.
absl::StatusOr<SearchSpace> SearchSpaceFromProto(const v1::SearchSpace& proto);
v1::SearchSpace SearchSpaceToProto(const SearchSpace& space);

v1::JobState JobStateToProto(JobState state);
// Errors: InvalidArgument: unspecified or unknown.
absl::StatusOr<JobState> JobStateFromProto(v1::JobState proto);

}  // namespace dovetail::convert

#endif  // DOVETAIL_COMMON_CONVERT_JOB_CONVERT_H_
