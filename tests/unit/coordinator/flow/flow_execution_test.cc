#include <gtest/gtest.h>

#include "services/coordinator/flow/flow_plan.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/coordinator/flow/flow_test_support.h"

namespace dovetail::flow {
namespace {

using ::testing::_;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::StatusIs;

std::shared_ptr<const FlowPlan> LinePlan() {
  const Flow flow = MakeFlow({MakeTask("prune", "prune", {{"rate", "= rate"}}),
                              MakeTask("quantize", "quantize", {{"weight_bits", "= bits + 1"}}),
                              MakeTask("evaluate", "evaluate"), MakeTask("lower_rtl", "lower_rtl"),
                              MakeTask("synthesize", "synthesize")},
                             {{"epochs", 2}});
  FlowContext context;
  context.variables = {MakeVariable("rate"), MakeVariable("bits")};
  context.cfg = {{"ClockPeriod", 4}, {"epochs", 9}};
  auto plan = FlowPlan::Make(flow, context);
  EXPECT_OK(plan);
  return plan.ok() ? *plan : nullptr;
}

std::unique_ptr<FlowExecution> Start(std::shared_ptr<const FlowPlan> plan,
                                     const FlowExecution::Start& start) {
  auto execution = FlowExecution::Make(std::move(plan), start);
  EXPECT_OK(execution);
  return execution.ok() ? *std::move(execution) : nullptr;
}

const Point kPoint = {{"rate", 0.5}, {"bits", 5}};

TEST(FlowExecutionTest, LineBindsParametersCfgAndPorts) {
  auto execution = Start(LinePlan(), MakeStart(kPoint));
  const auto requests = RunAll(*execution, [](const TaskRequest& r) { return Succeed(r); });
  ASSERT_THAT(NodesOf(requests),
              ElementsAre("prune", "quantize", "evaluate", "lower_rtl", "synthesize"));
  EXPECT_EQ(requests[0].parameters["rate"], Value(0.5));
  EXPECT_EQ(requests[0].parameters["epochs"], Value(2)) << "the flow's cfg goes over the job's";
  EXPECT_EQ(requests[0].parameters["scope"], Value("global")) << "the default";
  EXPECT_EQ(requests[0].inputs.at("network"), "network0");
  EXPECT_EQ(requests[1].parameters["weight_bits"], Value(6));
  EXPECT_EQ(requests[1].inputs.at("network"), Succeed(requests[0]).outputs.at("network"));
  EXPECT_EQ(requests[1].inputs.at("dataset"), "dataset0");
  EXPECT_EQ(requests[3].parameters["ClockPeriod"], Value(4));
  EXPECT_EQ(requests[3].inputs.at("network"), Succeed(requests[1]).outputs.at("network"));
  EXPECT_EQ(requests[4].inputs.at("rtl"), Succeed(requests[3]).outputs.at("rtl"));
}

TEST(FlowExecutionTest, DesignMergesMeasurementsAndListsArtifacts) {
  auto execution = Start(LinePlan(), MakeStart(kPoint));
  double value = 0;
  const auto requests =
      RunAll(*execution, [&](const TaskRequest& r) { return Succeed(r, ++value); });
  ASSERT_TRUE(execution->finished());
  const FlowOutcome outcome = execution->outcome();
  EXPECT_EQ(outcome.state, TrialState::kSucceeded);
  ASSERT_THAT(outcome.designs, SizeIs(1));
  const Design& design = outcome.designs[0];
  EXPECT_EQ(design.measurement.Get("accuracy"), 3);
  EXPECT_EQ(design.measurement.Get("dsp"), 5) << "the later task wins";
  EXPECT_EQ(design.artifacts.at("quantize.network"), Succeed(requests[1]).outputs.at("network"));
  EXPECT_EQ(design.artifacts.size(), 5);  // two networks, rtl, design, report
  EXPECT_EQ(design.path, "");
  EXPECT_TRUE(outcome.realised_cfg.is_null());
  EXPECT_EQ(execution->log().AsList().size(), 5);
}

TEST(FlowExecutionTest, OneTaskAtATimeOnALine) {
  auto execution = Start(LinePlan(), MakeStart(kPoint));
  const auto ready = execution->TakeReady();
  ASSERT_THAT(NodesOf(ready), ElementsAre("prune"));
  EXPECT_EQ(ready[0].task_run, 1);
  EXPECT_THAT(execution->TakeReady(), IsEmpty());
  EXPECT_FALSE(execution->finished());
  EXPECT_EQ(execution->outcome().state, TrialState::kRunning);
}

TEST(FlowExecutionTest, SkippedTaskPassesItsInputsOn) {
  FlowExecution::Start start = MakeStart({{"bits", 5}});
  start.skip = {"prune"};
  auto execution = Start(LinePlan(), start);
  const auto requests = RunAll(*execution, [](const TaskRequest& r) { return Succeed(r); });
  ASSERT_THAT(NodesOf(requests), ElementsAre("quantize", "evaluate", "lower_rtl", "synthesize"));
  EXPECT_EQ(requests[0].inputs.at("network"), "network0");
  EXPECT_EQ(execution->outcome().state, TrialState::kSucceeded);
}

TEST(FlowExecutionTest, SkippingWhatNothingElseMakesIsAbandonedWithThePort) {
  FlowExecution::Start start = MakeStart(kPoint);
  start.skip = {"lower_rtl"};
  auto execution = Start(LinePlan(), start);
  RunAll(*execution, [](const TaskRequest& r) { return Succeed(r); });
  EXPECT_EQ(execution->outcome().state, TrialState::kAbandoned);
  EXPECT_THAT(execution->outcome().message, HasSubstr("\"rtl\""));
}

TEST(FlowExecutionTest, OverridesGoOverWhatTheFlowSays) {
  FlowExecution::Start start = MakeStart({});
  start.cfg = {{"prune.rate", 0}, {"quantize.weight_bits", 16}, {"prune.epochs", 0}};
  auto execution = Start(LinePlan(), start);
  const auto requests = RunAll(*execution, [](const TaskRequest& r) { return Succeed(r); });
  EXPECT_EQ(requests[0].parameters["rate"], Value(0));
  EXPECT_EQ(requests[0].parameters["epochs"], Value(0));
  EXPECT_EQ(requests[1].parameters["weight_bits"], Value(16));
}

TEST(FlowExecutionTest, BadStartIsInvalidArgument) {
  FlowExecution::Start start = MakeStart(kPoint);
  start.skip = {"pruned"};
  EXPECT_THAT(FlowExecution::Make(LinePlan(), start),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("\"pruned\"")));
  start = MakeStart(kPoint);
  start.cfg = {{"prune.ratio", 1}};
  EXPECT_THAT(FlowExecution::Make(LinePlan(), start),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("ratio")));
  start = MakeStart(kPoint);
  start.inputs.erase("dataset");
  EXPECT_THAT(FlowExecution::Make(LinePlan(), start),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("dataset")));
}

TEST(FlowExecutionTest, OutcomesMapToTrialStates) {
  const std::map<Outcome, TrialState> expected = {
      {Outcome::kConstraint, TrialState::kInfeasible},
      {Outcome::kInfeasible, TrialState::kInfeasible},
      {Outcome::kTimeout, TrialState::kInfeasible},
      {Outcome::kOutOfMemory, TrialState::kAbandoned},
      {Outcome::kInfrastructure, TrialState::kAbandoned},
      {Outcome::kBug, TrialState::kAbandoned},
      {Outcome::kCancelled, TrialState::kCancelled}};
  for (const auto& [outcome, state] : expected) {
    auto execution = Start(LinePlan(), MakeStart(kPoint));
    const auto requests = RunAll(*execution, [&](const TaskRequest& r) {
      return r.node == "lower_rtl" ? FailWith(outcome, "the reason") : Succeed(r);
    });
    EXPECT_EQ(requests.size(), 4) << "synthesis is not paid for";
    EXPECT_TRUE(execution->finished());
    EXPECT_EQ(execution->outcome().state, state) << OutcomeName(outcome);
    EXPECT_EQ(execution->outcome().message, "task \"lower_rtl\": the reason");
  }
}

TEST(FlowExecutionTest, BrokenConstraintKeepsItsValues) {
  auto execution = Start(LinePlan(), MakeStart(kPoint));
  RunAll(*execution, [&](const TaskRequest& r) {
    ActionResult result = Succeed(r, 7);
    if (r.node == "lower_rtl") result.outcome = Outcome::kConstraint;
    return result;
  });
  const FlowOutcome outcome = execution->outcome();
  EXPECT_EQ(outcome.state, TrialState::kInfeasible);
  ASSERT_THAT(outcome.designs, SizeIs(1));
  EXPECT_EQ(outcome.designs[0].measurement.Get("latency_cycles"), 7);
  EXPECT_EQ(outcome.designs[0].measurement.Get("accuracy"), 7);
}

TEST(FlowExecutionTest, TellRefusesUnknownAndEndedTaskRuns) {
  auto execution = Start(LinePlan(), MakeStart(kPoint));
  const auto ready = execution->TakeReady();
  EXPECT_THAT(execution->Tell(2, Succeed(ready[0])), StatusIs(absl::StatusCode::kNotFound, _));
  EXPECT_THAT(execution->Tell(0, Succeed(ready[0])), StatusIs(absl::StatusCode::kNotFound, _));
  EXPECT_OK(execution->Tell(1, Succeed(ready[0])));
  EXPECT_THAT(execution->Tell(1, Succeed(ready[0])),
              StatusIs(absl::StatusCode::kFailedPrecondition, _));
}

TEST(FlowExecutionTest, InactiveVariableLeavesTheDefault) {
  const Flow flow = MakeFlow({MakeTask("quantize", "quantize", {{"weight_bits", "= bits"}})});
  FlowContext context;
  context.variables = {MakeVariable("bits")};
  ASSERT_OK_AND_ASSIGN(const auto plan, FlowPlan::Make(flow, context));
  auto execution = Start(plan, MakeStart());
  EXPECT_EQ(execution->TakeReady()[0].parameters["weight_bits"], Value(6));
}

TEST(FlowExecutionTest, ParameterThatDoesNotFitIsAbandonedNamingIt) {
  auto execution = Start(LinePlan(), MakeStart({{"rate", 0.5}, {"bits", 4.5}}));
  RunAll(*execution, [](const TaskRequest& r) { return Succeed(r); });
  EXPECT_EQ(execution->outcome().state, TrialState::kAbandoned);
  EXPECT_THAT(execution->outcome().message, HasSubstr("weight_bits"));
}

// prune; then quantize and a second way, train, side by side; lower_rtl after both.
std::shared_ptr<const FlowPlan> DiamondPlan() {
  const Flow flow =
      MakeFlow({MakeTask("prune", "prune", {{"rate", 0.5}}),
                Inputs(MakeTask("quantize", "quantize"), {{"network", "prune"}}),
                After(MakeTask("measure", "evaluate"), {"prune"}),
                After(MakeTask("lower", "lower_rtl", {{"ClockPeriod", "= measure.accuracy"}}),
                      {"quantize", "measure"})});
  auto plan = FlowPlan::Make(flow, FlowContext());
  EXPECT_OK(plan);
  return plan.ok() ? *plan : nullptr;
}

TEST(FlowExecutionTest, DiamondRunsBothWaysAndMergesByVersionInAnyOrder) {
  std::vector<std::string> outcomes;
  for (const bool reversed : {false, true}) {
    auto execution = Start(DiamondPlan(), MakeStart());
    const auto first = execution->TakeReady();
    ASSERT_OK(execution->Tell(1, Succeed(first[0])));
    auto ready = execution->TakeReady();
    ASSERT_THAT(NodesOf(ready), ElementsAre("quantize", "measure"));
    EXPECT_EQ(ready[1].inputs.at("network"), ready[0].inputs.at("network"));
    const auto quantized = Succeed(ready[0]).outputs.at("network");
    if (reversed) std::swap(ready[0], ready[1]);
    ASSERT_OK(execution->Tell(ready[0].task_run, Succeed(ready[0], 3)));
    EXPECT_THAT(execution->TakeReady(), IsEmpty());
    ASSERT_OK(execution->Tell(ready[1].task_run, Succeed(ready[1], 3)));
    const auto last = execution->TakeReady();
    ASSERT_THAT(NodesOf(last), ElementsAre("lower"));
    EXPECT_EQ(last[0].inputs.at("network"), quantized);
    EXPECT_EQ(last[0].parameters["ClockPeriod"], Value(3));
    ASSERT_OK(execution->Tell(last[0].task_run, Succeed(last[0])));
    EXPECT_EQ(execution->outcome().state, TrialState::kSucceeded);
    outcomes.push_back(execution->outcome().designs[0].measurement.ToValue().ToJson());
  }
  EXPECT_EQ(outcomes[0], outcomes[1]);
}

TEST(FlowExecutionTest, ReplayingTheRecordedOutcomesRebuildsTheState) {
  auto live = Start(LinePlan(), MakeStart(kPoint));
  std::vector<std::pair<int, ActionResult>> recorded;
  for (int i = 0; i < 3; ++i) {
    const auto ready = live->TakeReady();
    recorded.emplace_back(ready[0].task_run, Succeed(ready[0], i));
    ASSERT_OK(live->Tell(recorded.back().first, recorded.back().second));
  }
  auto rebuilt = Start(LinePlan(), MakeStart(kPoint));
  for (const auto& [task_run, result] : recorded) ASSERT_OK(rebuilt->Tell(task_run, result));
  EXPECT_EQ(rebuilt->log(), live->log());
  const auto live_ready = live->TakeReady();
  const auto rebuilt_ready = rebuilt->TakeReady();  // the ended ones too, once
  EXPECT_EQ(rebuilt_ready.back().task_run, live_ready.back().task_run);
  EXPECT_EQ(rebuilt_ready.back().inputs, live_ready.back().inputs);
}

}  // namespace
}  // namespace dovetail::flow
