// Random legal flows as trees, with a plain sequential interpreter of the tree: what the real
// interpreter, which knows only the graph, is compared with.
#ifndef DOVETAIL_TESTS_UNIT_COORDINATOR_FLOW_RANDOM_FLOWS_H_
#define DOVETAIL_TESTS_UNIT_COORDINATOR_FLOW_RANDOM_FLOWS_H_

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/rng.h"
#include "services/coordinator/flow/flow_plan.h"

namespace dovetail::flow {

// A piece of a flow. Every piece begins with one task and ends with one.
struct Piece {
  enum class Kind {
    kWork,      // one task
    kSequence,  // parts one after the other
    kChoice,    // branch: parts[0] where accuracy > threshold, else parts[1]; join
    kHalt,      // branch: stop where accuracy > threshold, else on
    kLoop,      // join; parts[0]; branch back where accuracy > threshold, at most `bound` times
    kFork,      // parts side by side; reduce
    kGate,      // passes where accuracy > threshold
    kDiamond,   // parts[0] and parts[1] on one path at once; parts[2] after both
  };
  Kind kind = Kind::kWork;
  std::vector<Piece> parts;
  std::string name;  // of the control task or the work task
  std::string type;  // of the work task
  double threshold = 0;
  int bound = 0;
  TrialState state = TrialState::kStopped;  // kHalt, kGate
  bool require_all = false;                 // kFork
  bool changes_tolerance = false;           // kChoice, kLoop: halves it; kFork: sets it by branch
};

// A flow of the tree: begins with a task "first" that measures accuracy.
Piece RandomTree(Rng& rng);
Flow FlowOfTree(const Piece& tree);

// What the task gives: a function of its name, path and iteration only. `seed` varies the flow's
// luck; `failures` is the share of task runs that fail.
struct Luck {
  uint64_t seed = 1;
  double failures = 0.1;
};
ActionResult ResultOf(const Luck& luck, const TaskInfo& info, const std::string& node,
                      const std::string& path, int iteration, const Value& weight_bits);

// The final state, as text to compare, and every task run, sorted.
struct FinalState {
  TrialState state = TrialState::kRunning;
  std::string message;
  std::vector<std::string> designs;    // path, metrics, artifacts
  std::vector<std::string> task_runs;  // path:node@iteration bits
};
FinalState InterpretTree(const Piece& tree, const Luck& luck);

}  // namespace dovetail::flow

#endif  // DOVETAIL_TESTS_UNIT_COORDINATOR_FLOW_RANDOM_FLOWS_H_
