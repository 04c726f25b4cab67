// A checked flow, and its interpreter: which task runs of a trial are ready, what to do with their
// outcomes, which designs come out. Pure: no I/O, no clock; the same outcomes in the same order
// give the same state. Called by the exploration loop. K-tasks run here, the others become actions.
#ifndef DOVETAIL_SERVICES_COORDINATOR_FLOW_FLOW_PLAN_H_
#define DOVETAIL_SERVICES_COORDINATOR_FLOW_FLOW_PLAN_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/domain/action.h"
#include "common/domain/flow.h"
#include "common/domain/search_space.h"
#include "common/domain/task_info.h"
#include "common/domain/trial.h"

namespace dovetail::flow {

struct FlowContext {
  std::vector<Variable> variables;  // the search space's, vectors resolved
  std::set<std::string> input_ports = {"network", "dataset"};  // artifacts the flow starts with
  // CFG every flow starts with (Part, ClockPeriod, ...); a parameter that a node does not give
  // takes the CFG value of its name, else its default.
  std::map<std::string, Value> cfg;
  // Metrics an objective, constraint or report asks for: each must come from some task.
  std::vector<std::string> wanted_metrics;
};

// Immutable; shared by all trials of a job.
class FlowPlan {
 public:
  // Errors: InvalidArgument naming the task and its line: unknown task or parameter, port or type
  // that does not fit, unreachable task, cycle without a bound, unknown name in an expression, a
  // search variable that nobody uses, a wanted metric that nobody measures.
  static absl::StatusOr<std::shared_ptr<const FlowPlan>> Make(const Flow& flow,
                                                              const FlowContext& context);
  virtual ~FlowPlan() = default;
  virtual const Flow& flow() const = 0;
  // True where each metric is final once measured: no branch may lead back, no fork may measure it
  // again. Then a broken constraint may end a trial before its flow has ended.
  virtual bool measures_once() const = 0;
  // Graphviz DOT.
  virtual std::string ToDot() const = 0;
};

// One O- or lambda-task of a trial, to be turned into an action.
struct TaskRequest {
  int task_run = 0;   // 1, 2, ... within the trial: the order in which they became ready
  std::string node;   // the flow task's name
  std::string path;   // fork path, "" on a straight line
  int iteration = 0;  // of the innermost cycle
  const TaskInfo* info = nullptr;
  Value parameters;                           // canonical literals
  std::map<std::string, std::string> inputs;  // port -> artifact digest
};

struct FlowOutcome {
  TrialState state = TrialState::kRunning;  // terminal once the flow has ended
  std::string message;                      // why it ended so; names the task
  // One per surviving path; feasibility is judged by the caller. Of an infeasible or stopped trial:
  // what it had measured until then, some metrics missing.
  std::vector<Design> designs;
  Value realised_cfg;
};

// One trial's way through its plan. Not thread-safe. After a restart it is built again and told the
// recorded outcomes in their recorded order.
class FlowExecution {
 public:
  struct Start {
    Point point;
    std::map<std::string, Value> cfg;           // overrides, "task.parameter" -> value
    std::set<std::string> skip;                 // tasks left out (reference runs)
    std::map<std::string, std::string> inputs;  // "network" -> digest, "dataset" -> digest
  };
  static absl::StatusOr<std::unique_ptr<FlowExecution>> Make(std::shared_ptr<const FlowPlan> plan,
                                                             const Start& start);
  virtual ~FlowExecution() = default;

  // Task runs that became ready since the last call, in a deterministic order.
  virtual std::vector<TaskRequest> TakeReady() = 0;
  // Errors: NotFound: no such task run; FailedPrecondition: it has ended already.
  virtual absl::Status Tell(int task_run, const ActionResult& result) = 0;

  virtual bool finished() const = 0;
  virtual FlowOutcome outcome() const = 0;
  // What happened, step by step: the metamodel's LOG.
  virtual Value log() const = 0;
};

}  // namespace dovetail::flow

#endif  // DOVETAIL_SERVICES_COORDINATOR_FLOW_FLOW_PLAN_H_
