#include "services/worker/tasks/task.h"

namespace dovetail {

Outcome OutcomeOfStatus(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return Outcome::kOk;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kUnimplemented:
      return Outcome::kInfeasible;
    case absl::StatusCode::kDeadlineExceeded:
      return Outcome::kTimeout;
    case absl::StatusCode::kResourceExhausted:
      return Outcome::kOutOfMemory;
    case absl::StatusCode::kUnavailable:
      return Outcome::kInfrastructure;
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kAborted:
      return Outcome::kCancelled;
    default:
      return Outcome::kBug;
  }
}

}  // namespace dovetail
