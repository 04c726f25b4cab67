// The library of named flows: what a job gets that names a flow and lists no tasks. A named flow
// never changes, since running jobs are read again after a restart: a better one gets a new name.
#ifndef DOVETAIL_COMMON_DOMAIN_FLOW_LIBRARY_H_
#define DOVETAIL_COMMON_DOMAIN_FLOW_LIBRARY_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/domain/flow.h"

namespace dovetail {

struct NamedFlowInfo {
  std::string name;
  std::string purpose;                 // one line
  std::vector<std::string> variables;  // the search variables it reads
  Flow flow;
};

// All, in a fixed order.
const std::vector<NamedFlowInfo>& FlowLibrary();

// Errors: NotFound with the nearest name and the list.
absl::StatusOr<Flow> NamedFlow(absl::string_view name);

}  // namespace dovetail

#endif  // DOVETAIL_COMMON_DOMAIN_FLOW_LIBRARY_H_
