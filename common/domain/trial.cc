#include "common/domain/trial.h"

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"

namespace dovetail {
namespace {

constexpr std::array<std::pair<TrialState, const char*>, 7> kNames = {{
    {TrialState::kRunning, "running"},
    {TrialState::kHeld, "held"},
    {TrialState::kSucceeded, "succeeded"},
    {TrialState::kInfeasible, "infeasible"},
    {TrialState::kAbandoned, "abandoned"},
    {TrialState::kStopped, "stopped"},
    {TrialState::kCancelled, "cancelled"},
}};

}  // namespace

bool IsTerminal(TrialState state) {
  return state != TrialState::kRunning && state != TrialState::kHeld;
}

bool IsLegalTransition(TrialState from, TrialState to) { return !IsTerminal(from) && from != to; }

absl::string_view TrialStateName(TrialState state) {
  for (const auto& [value, name] : kNames) {
    if (value == state) return name;
  }
  return "unknown";
}

absl::StatusOr<TrialState> ParseTrialState(absl::string_view name) {
  for (const auto& [value, known] : kNames) {
    if (name == known) return value;
  }
  return absl::InvalidArgumentError(absl::StrCat("unknown trial state \"", name, "\""));
}

}  // namespace dovetail
