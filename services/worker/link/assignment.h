// One attempt of an action, as the coordinator hands it out. Plain values; called throughout link.
#ifndef DOVETAIL_SERVICES_WORKER_LINK_ASSIGNMENT_H_
#define DOVETAIL_SERVICES_WORKER_LINK_ASSIGNMENT_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "common/domain/value.h"

namespace dovetail::v1 {
class Assignment;
}

namespace dovetail::link {

struct Assignment {
  std::string key;  // of the action
  int attempt = 0;  // the fencing token
  std::string task;
  Value parameters;
  std::map<std::string, std::string> inputs;  // port -> digest
  uint64_t seed = 1;
  int cpu_slots = 1;
  int64_t timeout_ms = 0;  // 0: none
  std::string tenant;
};

// Nothing in it is trusted as a path: ports must be the task's own, digests digests.
// Errors: InvalidArgument; NotFound: no such task.
absl::StatusOr<Assignment> AssignmentFromProto(const v1::Assignment& proto);

}  // namespace dovetail::link

#endif  // DOVETAIL_SERVICES_WORKER_LINK_ASSIGNMENT_H_
