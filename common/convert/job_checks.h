// What can be said against a job without running anything. Pure; called when a job is converted.
// What needs the network (vector lengths) or a registry of the coordinator (strategies, the flow's
// ports and expressions) is judged there.
#ifndef DOVETAIL_COMMON_CONVERT_JOB_CHECKS_H_
#define DOVETAIL_COMMON_CONVERT_JOB_CHECKS_H_

#include <string>

#include "absl/status/status.h"
#include "common/domain/job.h"

namespace dovetail::convert {

// Errors: InvalidArgument: the first thing wrong, as "field: cause; what to do".
absl::Status CheckJobSpec(const JobSpec& spec);

// Whether `value` is one that `variable` may take (a vector of unresolved length: each element).
// Errors: InvalidArgument, prefixed with `where`.
absl::Status CheckVariableValue(const Variable& variable, const Value& value,
                                const std::string& where);

}  // namespace dovetail::convert

#endif  // DOVETAIL_COMMON_CONVERT_JOB_CHECKS_H_
