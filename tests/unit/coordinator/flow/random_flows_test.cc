// Thousands of random legal flows with random failures, task runs ending in random order, restarts
// in between: every one ends, in the state that a plain sequential interpreter of the same tree
// reaches.
#include "tests/unit/coordinator/flow/random_flows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/coordinator/flow/flow_test_support.h"

namespace dovetail::flow {
namespace {

std::string Describe(const Design& design) {
  std::string text = design.path;
  for (const auto& [name, metric] : design.measurement.metrics) {
    absl::StrAppend(&text, " ", name, "=", metric.value);
  }
  for (const auto& [name, digest] : design.artifacts)
    absl::StrAppend(&text, " ", name, ":", digest);
  return text;
}

// After a restart: the same state from the recorded outcomes, and the same task runs still open.
absl::Status Rebuild(const std::shared_ptr<const FlowPlan>& plan,
                     const std::vector<std::pair<int, ActionResult>>& recorded,
                     std::vector<TaskRequest>& pending, std::unique_ptr<FlowExecution>& execution) {
  auto rebuilt = FlowExecution::Make(plan, MakeStart());
  if (!rebuilt.ok()) return rebuilt.status();
  std::set<int> told, open;
  for (const auto& [task_run, result] : recorded) {
    const absl::Status status = (*rebuilt)->Tell(task_run, result);
    if (!status.ok()) return status;
    told.insert(task_run);
  }
  std::vector<TaskRequest> ready;
  for (TaskRequest& request : (*rebuilt)->TakeReady()) {
    if (!told.contains(request.task_run)) ready.push_back(std::move(request));
  }
  for (const TaskRequest& request : pending) open.insert(request.task_run);
  for (const TaskRequest& request : ready) {
    if (open.erase(request.task_run) == 0) return absl::InternalError("a task run too many");
  }
  if (!open.empty()) return absl::InternalError("a task run was lost");
  if ((*rebuilt)->log() != execution->log()) return absl::InternalError("another log");
  pending = std::move(ready);
  execution = *std::move(rebuilt);
  return absl::OkStatus();
}

// Tells the pending task runs their luck in an order drawn from `order`, restarting now and then.
absl::StatusOr<FinalState> Interpret(const std::shared_ptr<const FlowPlan>& plan, const Luck& luck,
                                     Rng order) {
  auto execution = FlowExecution::Make(plan, MakeStart());
  if (!execution.ok()) return execution.status();
  FinalState final;
  std::vector<TaskRequest> pending;
  std::vector<std::pair<int, ActionResult>> recorded;
  while (true) {
    for (TaskRequest& request : (*execution)->TakeReady()) pending.push_back(std::move(request));
    if (pending.empty()) break;
    if (order.Below(8) == 0) {
      const absl::Status status = Rebuild(plan, recorded, pending, *execution);
      if (!status.ok()) return status;
    }
    std::swap(pending[order.Below(pending.size())], pending.back());
    const TaskRequest request = std::move(pending.back());
    pending.pop_back();
    const Value bits =
        request.info->name == "quantize" ? request.parameters["weight_bits"] : Value();
    final.task_runs.push_back(
        absl::StrCat(request.path, ":", request.node, "@", request.iteration, " ", bits.ToJson()));
    recorded.emplace_back(request.task_run, ResultOf(luck, *request.info, request.node,
                                                     request.path, request.iteration, bits));
    const absl::Status status = (*execution)->Tell(request.task_run, recorded.back().second);
    if (!status.ok()) return status;
  }
  if (!(*execution)->finished()) return absl::InternalError("nothing runs, and it has not ended");
  const FlowOutcome outcome = (*execution)->outcome();
  final.state = outcome.state;
  final.message = outcome.message;
  for (const Design& design : outcome.designs) final.designs.push_back(Describe(design));
  std::sort(final.task_runs.begin(), final.task_runs.end());
  return final;
}

TEST(RandomFlowsTest, EveryFlowEndsAsTheSequentialInterpreterSays) {
  constexpr int kFlows = 2000;
  std::map<TrialState, int> states;
  int task_runs = 0, with_several_designs = 0;
  for (int i = 0; i < kFlows; ++i) {
    Rng rng = Rng::Derive(20261123, absl::StrCat("flow ", i));
    const Piece tree = RandomTree(rng);
    auto plan = FlowPlan::Make(FlowOfTree(tree), FlowContext());
    ASSERT_OK(plan) << "flow " << i;
    const Luck luck{static_cast<uint64_t>(i), i % 3 == 0 ? 0.0 : 0.08};
    const FinalState expected = InterpretTree(tree, luck);
    for (int order = 0; order < 2; ++order) {
      ASSERT_OK_AND_ASSIGN(const FinalState final,
                           Interpret(*plan, luck, Rng::Derive(order, absl::StrCat("order ", i))));
      ASSERT_EQ(final.task_runs, expected.task_runs) << "flow " << i << "\n" << (*plan)->ToDot();
      ASSERT_EQ(final.state, expected.state) << "flow " << i << "\n" << (*plan)->ToDot();
      ASSERT_EQ(final.message, expected.message) << "flow " << i << "\n" << (*plan)->ToDot();
      ASSERT_EQ(final.designs, expected.designs) << "flow " << i << "\n" << (*plan)->ToDot();
    }
    ++states[expected.state];
    task_runs += static_cast<int>(expected.task_runs.size());
    with_several_designs += expected.designs.size() > 1 ? 1 : 0;
  }
  // The draw reaches all that it should.
  for (const TrialState state :
       {TrialState::kSucceeded, TrialState::kInfeasible, TrialState::kAbandoned,
        TrialState::kStopped, TrialState::kCancelled}) {
    EXPECT_GT(states[state], 20) << TrialStateName(state);
  }
  EXPECT_GT(task_runs, 5 * kFlows);
  EXPECT_GT(with_several_designs, 5);
}

}  // namespace
}  // namespace dovetail::flow
