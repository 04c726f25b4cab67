// What FlowPlan::Make makes of a flow: nodes, edges, compiled parameters and control tasks. Built
// and checked once, then only read, by the interpreter and the drawing.
#ifndef DOVETAIL_SERVICES_COORDINATOR_FLOW_PLAN_H_
#define DOVETAIL_SERVICES_COORDINATOR_FLOW_PLAN_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "services/coordinator/flow/expression.h"
#include "services/coordinator/flow/flow_plan.h"

namespace dovetail::flow {

enum class NodeKind { kWork, kBranch, kJoin, kFork, kReduce, kGate, kStop };

// When a node with several incoming edges starts: once all have delivered, or at each delivery.
enum class FiringRule { kAll, kAny };

constexpr int kStart = -1;  // the edge's other end is the start of the flow
constexpr int kNone = -1;

struct Edge {
  int from = kStart;
  int to = 0;
  std::string label;  // of branch and fork
};

// branch: the first case whose condition holds gives the edge; its settings change CFG.
struct BranchCase {
  std::string edge;
  std::shared_ptr<const Expression> condition;
  std::map<std::string, Binding> settings;
  std::string reason;
};

enum class Selection { kNone, kMinimize, kMaximize, kPareto };

// Of the K-tasks; see the reference page of each for what the user writes.
struct Control {
  // branch
  std::vector<BranchCase> cases;
  std::string otherwise;
  int max_iterations = 0;  // how often a path may take a case of this branch; 0: not bounded
  // fork: branch -> CFG it starts with
  std::map<std::string, std::map<std::string, Binding>> settings_by_branch;
  // reduce
  bool require_all = false;
  Selection selection = Selection::kNone;
  std::shared_ptr<const Expression> score;                    // kMinimize, kMaximize, kPareto
  std::vector<std::shared_ptr<const Expression>> objectives;  // kPareto: each minimised
  // gate, stop
  std::shared_ptr<const Expression> condition;
  TrialState state = TrialState::kSucceeded;
  std::string message;
};

// An input port's source where the flow names it: "task.port", or a port of the flow's own.
struct ExplicitInput {
  std::string task;  // "" for the flow's own
  std::string port;
};

struct Node {
  const FlowTask* task = nullptr;  // in Plan::flow
  const TaskInfo* info = nullptr;
  NodeKind kind = NodeKind::kWork;
  FiringRule rule = FiringRule::kAll;
  std::vector<int> in_edges;   // into Plan::edges
  std::vector<int> out_edges;  // of branch and fork: sorted by label
  std::map<std::string, ExplicitInput> inputs;
  std::map<std::string, Binding> parameters;
  Control control;
  int fork = kNone;  // of reduce: the fork it closes; of others: the innermost open fork
};

class Plan : public FlowPlan {
 public:
  const Flow& flow() const override { return flow_; }
  bool measures_once() const override;
  std::string ToDot() const override;

  const FlowContext& context() const { return context_; }
  const std::vector<Node>& nodes() const { return nodes_; }
  const std::vector<Edge>& edges() const { return edges_; }
  // The flow's own CFG; it goes over the context's.
  const std::map<std::string, Binding>& cfg() const { return cfg_; }
  // kNone where there is no such task.
  int FindNode(const std::string& name) const;

 private:
  friend class PlanBuilder;
  friend absl::StatusOr<std::shared_ptr<const FlowPlan>> FlowPlan::Make(const Flow&,
                                                                        const FlowContext&);
  Flow flow_;
  FlowContext context_;
  std::vector<Node> nodes_;
  std::vector<Edge> edges_;
  std::map<std::string, Binding> cfg_;
  std::map<std::string, int> index_;
};

// `task "prune" (line 12)`, for messages.
std::string Where(const FlowTask& task);

}  // namespace dovetail::flow

#endif  // DOVETAIL_SERVICES_COORDINATOR_FLOW_PLAN_H_
