#include "common/domain/job.h"

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"

namespace dovetail {
namespace {

constexpr std::array<std::pair<JobState, const char*>, 6> kNames = {{
    {JobState::kPreparing, "preparing"},
    {JobState::kRunning, "running"},
    {JobState::kFinishing, "finishing"},
    {JobState::kSucceeded, "succeeded"},
    {JobState::kFailed, "failed"},
    {JobState::kCancelled, "cancelled"},
}};

}  // namespace

bool IsTerminal(JobState state) {
  return state == JobState::kSucceeded || state == JobState::kFailed ||
         state == JobState::kCancelled;
}

bool IsLegalTransition(JobState from, JobState to) {
  if (IsTerminal(from)) return false;
  if (to == JobState::kFailed || to == JobState::kCancelled) return true;
  return static_cast<int>(to) == static_cast<int>(from) + 1;
}

absl::string_view JobStateName(JobState state) {
  for (const auto& [value, name] : kNames) {
    if (value == state) return name;
  }
  return "unknown";
}

absl::StatusOr<JobState> ParseJobState(absl::string_view name) {
  for (const auto& [value, known] : kNames) {
    if (name == known) return value;
  }
  return absl::InvalidArgumentError(absl::StrCat("unknown job state \"", name, "\""));
}

}  // namespace dovetail
