// "Did you mean ...?": the known name closest to a misspelt one, for error messages.
#ifndef DOVETAIL_COMMON_BASE_NEAREST_H_
#define DOVETAIL_COMMON_BASE_NEAREST_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace dovetail {

// The known name with the smallest edit distance (case ignored), ties by order; "" if none is
// known.
std::string NearestName(absl::string_view name, const std::vector<std::string>& known);

}  // namespace dovetail

#endif  // DOVETAIL_COMMON_BASE_NEAREST_H_
