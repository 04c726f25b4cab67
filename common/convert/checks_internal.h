// Shared by job_checks.cc and space_checks.cc alone.
#ifndef DOVETAIL_COMMON_CONVERT_CHECKS_INTERNAL_H_
#define DOVETAIL_COMMON_CONVERT_CHECKS_INTERNAL_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/domain/search_space.h"

namespace dovetail::convert {

// InvalidArgument "where: why".
absl::Status Wrong(absl::string_view where, absl::string_view why);

absl::Status CheckSpace(const SearchSpace& space);

// `complete`: every variable without a condition must have a value.
absl::Status CheckPoint(const SearchSpace& space, const Point& point, bool complete,
                        const std::string& where);

}  // namespace dovetail::convert

#endif  // DOVETAIL_COMMON_CONVERT_CHECKS_INTERNAL_H_
