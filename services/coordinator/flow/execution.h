// The interpreter: one trial's way through its plan, as tokens (metamodels) moving along edges.
// A fork starts a path of its own per branch; a path ends when nothing runs or waits on it; a
// reduce goes on, on the path its fork was on, once all of the fork's paths have ended. So the
// final state does not depend on the order in which task runs end.
#ifndef DOVETAIL_SERVICES_COORDINATOR_FLOW_EXECUTION_H_
#define DOVETAIL_SERVICES_COORDINATOR_FLOW_EXECUTION_H_

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "services/coordinator/flow/metamodel.h"
#include "services/coordinator/flow/plan.h"

namespace dovetail::flow {

// More than any sensible flow makes; ends those that would go on for ever.
constexpr int kMaxTaskRuns = 2000;
constexpr int kMaxSteps = 20'000;

class Execution : public FlowExecution {
 public:
  Execution(std::shared_ptr<const Plan> plan, Start start)
      : plan_(std::move(plan)), start_(std::move(start)) {}
  // Checks `start` against the plan and sets off.
  absl::Status Begin();

  std::vector<TaskRequest> TakeReady() override;
  absl::Status Tell(int task_run, const ActionResult& result) override;
  bool finished() const override { return paths_[0]->ended; }
  FlowOutcome outcome() const override;
  Value log() const override { return log_; }

 private:
  // Why a path, or a part of it, came to nothing.
  struct Failure {
    TrialState state;
    int node;
    int iteration;
    std::string message;
    Token token;
  };

  struct Path {
    std::string name;  // "" or "orders/PQ/devices/u250"
    int parent = kNone;
    int fork_instance = kNone;                 // of the parent, that started it
    std::map<int, std::deque<Token>> waiting;  // by edge
    int busy = 0;                              // task runs, activations and fork instances open
    std::vector<Token> ends;                   // where the flow ended
    std::vector<Token> arrived;                // at the reduce that closes its fork
    std::vector<Token> kept;                   // by a Pareto reduce, each a design
    std::vector<Failure> failures;
    std::map<int, int> fired;  // node -> how often
    std::map<int, int> cases;  // branch -> how often a case was taken
    bool ended = false;
  };

  struct ForkInstance {
    int path;  // it was on
    int fork;
    std::vector<int> children;  // paths, in branch order
    int running = 0;            // children that have not ended
  };

  struct Activation {
    int path;
    int node;
    Token token;
  };

  struct TaskRun {
    int path;
    int node;
    int iteration;
    Token token;
    bool ended = false;
  };

  absl::Status CheckStart() const;
  absl::Status EvaluateCfg();
  NameLookup Lookup(const Token& token) const;

  void Deliver(int path, int edge, const Token& token);
  void Activate(int path, int node, Token token);
  void Pass(int path, int node, const Token& token);  // to all that follows
  void Run();                                         // until nothing can move
  void Fire(const Activation& activation);
  void FireWork(const Activation& activation, int iteration);
  void FireBranch(const Activation& activation);
  void FireFork(const Activation& activation, int iteration);
  void FireGate(const Activation& activation);
  void FireStop(const Activation& activation);
  void Fail(int path, int node, TrialState state, const std::string& message, const Token& token);

  // The path was one thing less busy; ends it, and what waited for it, where that was the last.
  void Release(int path);
  void EndPath(int path);
  void CloseFork(int instance);
  void Reduce(const ForkInstance& instance, int reduce, const std::vector<int>& survivors);
  // Which of the failures counts, and as one.
  Failure Combine(const std::vector<Failure>& failures) const;

  absl::StatusOr<Value> Parameters(const Node& node, const Token& token) const;
  absl::StatusOr<Value> ParameterValue(const Node& node, const ParameterInfo& parameter,
                                       const Token& token) const;
  absl::StatusOr<std::map<std::string, std::string>> Inputs(const Node& node,
                                                            const Token& token) const;
  // Applies settings in place. Errors: as Binding::Evaluate.
  absl::Status ApplySettings(const std::map<std::string, Binding>& settings, const Token& token,
                             Metamodel& metamodel) const;
  void Log(int path, int node, const std::string& event, Value::Map details);

  const std::shared_ptr<const Plan> plan_;
  const Start start_;
  std::map<std::string, Value> cfg_;  // the job's and the flow's, evaluated
  std::vector<std::unique_ptr<Path>> paths_;
  std::vector<ForkInstance> forks_;
  std::deque<Activation> activations_;
  std::vector<TaskRun> task_runs_;  // number - 1
  std::vector<TaskRequest> ready_;
  int steps_ = 0;
  Value log_{Value::List()};
};

}  // namespace dovetail::flow

#endif  // DOVETAIL_SERVICES_COORDINATOR_FLOW_EXECUTION_H_
