// Actions: the work itself, named by its digest, and how it ended. Shared by coordinator and
// worker. The model is that of the Bazel Remote Execution API: an action is a pure function of its
// key.
#ifndef DOVETAIL_COMMON_DOMAIN_ACTION_H_
#define DOVETAIL_COMMON_DOMAIN_ACTION_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/domain/measurement.h"
#include "common/domain/value.h"

namespace dovetail {

struct Action {
  std::string tenant;
  std::string task;                           // registered task type
  int task_version = 1;                       // bumped when the implementation's results change
  Value parameters;                           // canonical: literals only, defaults filled in
  std::map<std::string, std::string> inputs;  // port -> artifact digest
  uint64_t seed = 1;                          // evaluation seed
  std::map<std::string, std::string> tools;   // tool -> version, of those the task uses
  bool cacheable = true;

  // What a worker must offer to run it.
  std::vector<std::string> capabilities;  // "train", "yosys", ...
  int cpu_slots = 1;
};

// SHA-256 over everything above but capabilities, slots and cacheable. Identical actions, one key.
std::string ActionKey(const Action& action);

// See the glossary: only kOk, kConstraint, kInfeasible and kTimeout are answers that teach.
enum class Outcome {
  kOk,
  kConstraint,  // answered, a constraint is broken; values kept
  kInfeasible,  // the tool refuses this configuration, deterministically
  kTimeout,
  kOutOfMemory,
  kLicence,  // no licence now; waits, is not an attempt
  kInfrastructure,
  kBug,  // unknown; dead letter
  kCancelled,
};
absl::string_view OutcomeName(Outcome outcome);  // "ok", "out_of_memory"
absl::StatusOr<Outcome> ParseOutcome(absl::string_view name);

struct ActionResult {
  Outcome outcome = Outcome::kBug;
  std::string message;  // one line for the user where not ok
  Measurement measurement;
  std::map<std::string, std::string> outputs;  // port -> artifact digest
  std::string log_digest;                      // the tools' output, may be empty
  double tool_seconds = 0;
  int64_t peak_rss_bytes = 0;
};

}  // namespace dovetail

#endif  // DOVETAIL_COMMON_DOMAIN_ACTION_H_
