// Trials and the designs they yield, with their states.
#ifndef DOVETAIL_COMMON_DOMAIN_TRIAL_H_
#define DOVETAIL_COMMON_DOMAIN_TRIAL_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/domain/measurement.h"
#include "common/domain/search_space.h"

namespace dovetail {

// RUNNING until its flow ends. HELD: waits at a gate for a decision of the search.
// SUCCEEDED: measured and every constraint holds. INFEASIBLE: the tools answered, and the answer
// breaks a constraint or is a refusal. ABANDONED: there is no answer; teaches nothing.
// STOPPED: a gate or branch ended it before the top fidelity.
enum class TrialState {
  kRunning,
  kHeld,
  kSucceeded,
  kInfeasible,
  kAbandoned,
  kStopped,
  kCancelled
};
// Legal: running <-> held; running, held -> any terminal state.
bool IsLegalTransition(TrialState from, TrialState to);
bool IsTerminal(TrialState state);
absl::string_view TrialStateName(TrialState state);  // "running"
absl::StatusOr<TrialState> ParseTrialState(absl::string_view name);

// One surviving fork path of a trial.
struct Design {
  int index = 0;     // within the trial
  std::string path;  // fork branches taken, "" on a straight line
  bool feasible = false;
  Measurement measurement;                       // merged along the path, later tasks win
  std::map<std::string, std::string> artifacts;  // "task.port" -> digest
};

struct Trial {
  int64_t job_id = 0;
  int number = 0;         // 1, 2, ... within the job; references have 0, -1, -2, ...
  std::string reference;  // its name where this is a reference run
  TrialState state = TrialState::kRunning;
  Point point;
  Value realised_cfg;                // what branches changed
  int64_t suggested_from_event = 0;  // the job's last event that the suggestion knew
  Value suggestion_info;             // acquisition value, predicted means, strategy phase
  std::string message;               // why it ended so
  std::vector<Design> designs;
  double tool_seconds = 0;  // of attempts this trial caused; cached actions cost nothing
  int64_t created_ms = 0;   // wall clock
  int64_t finished_ms = 0;
  int64_t finished_event = 0;  // the job's event at which it ended: the order for replay
};

}  // namespace dovetail

#endif  // DOVETAIL_COMMON_DOMAIN_TRIAL_H_
