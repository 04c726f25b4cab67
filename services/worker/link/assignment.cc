#include "services/worker/link/assignment.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/digest.h"
#include "common/base/status_macros.h"
#include "common/convert/value_convert.h"
#include "common/domain/task_info.h"
#include "dovetail/v1/worker_service.pb.h"

namespace dovetail::link {

absl::StatusOr<Assignment> AssignmentFromProto(const v1::Assignment& proto) {
  ASSIGN_OR_RETURN(const TaskInfo* info, FindTaskInfo(proto.task()));
  if (!IsSha256Hex(proto.action_key())) {
    return absl::InvalidArgumentError("an assignment's action key is no digest");
  }
  Assignment assignment;
  assignment.key = proto.action_key();
  assignment.attempt = proto.attempt();
  assignment.task = proto.task();
  assignment.parameters = convert::ValueFromStruct(proto.parameters());
  for (const auto& [port, digest] : proto.inputs()) {
    const bool known = std::any_of(info->inputs.begin(), info->inputs.end(),
                                   [&port = port](const PortInfo& p) { return p.name == port; });
    if (!known || !IsSha256Hex(digest)) {
      return absl::InvalidArgumentError(
          absl::StrCat("assignment of ", info->name, ": no such input or no digest: ", port));
    }
    assignment.inputs[port] = digest;
  }
  assignment.seed = proto.seed();
  assignment.cpu_slots = std::max(1, proto.cpu_slots());
  assignment.timeout_ms = std::max<int64_t>(0, proto.timeout_ms());
  assignment.tenant = proto.tenant();
  return assignment;
}

}  // namespace dovetail::link
