// branch, join, fork, reduce, gate and stop, as the interpreter runs them.
#include <gtest/gtest.h>

#include "services/coordinator/flow/flow_plan.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/coordinator/flow/flow_test_support.h"
#include "tests/unit/coordinator/flow/worker_simulation.h"

namespace dovetail::flow {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

std::shared_ptr<const FlowPlan> Plan(std::vector<FlowTask> tasks,
                                     std::map<std::string, Value> cfg = {}) {
  auto plan = FlowPlan::Make(MakeFlow(std::move(tasks), std::move(cfg)), FlowContext());
  EXPECT_OK(plan);
  return plan.ok() ? *plan : nullptr;
}

struct FlowRun {
  std::unique_ptr<FlowExecution> execution;
  std::vector<TaskRequest> requests;
  FlowOutcome outcome;
};

FlowRun RunFlow(std::shared_ptr<const FlowPlan> plan,
                const std::function<ActionResult(const TaskRequest&)>& answer,
                const FlowExecution::Start& start = MakeStart()) {
  FlowRun run;
  auto execution = FlowExecution::Make(std::move(plan), start);
  EXPECT_OK(execution);
  run.execution = *std::move(execution);
  run.requests = RunAll(*run.execution, answer);
  EXPECT_TRUE(run.execution->finished());
  run.outcome = run.execution->outcome();
  return run;
}

// Lowers again with half the DSPs until they are few enough: bottom-up feedback.
std::shared_ptr<const FlowPlan> FeedbackPlan() {
  return Plan(
      {MakeTask("quantize", "quantize"), MakeTask("again", "join"),
       MakeTask("lower", "lower_rtl", {{"ReuseFactor", "= reuse"}}),
       Edges(
           MakeTask("judge", "branch",
                    {{"cases", Value::List{Value::Map{{"edge", "back"},
                                                      {"if", "dsp > 100"},
                                                      {"set", Value::Map{{"reuse", "= reuse * 2"}}},
                                                      {"reason", "too many DSPs"}}}},
                     {"otherwise", "go"},
                     {"max_iterations", 3}}),
           {{"back", "again"}, {"go", "synthesize"}}),
       MakeTask("synthesize", "synthesize")},
      {{"reuse", 1}});
}

ActionResult DspByReuse(const TaskRequest& request, double at_one) {
  ActionResult result = Succeed(request, 1);
  if (request.node == "lower") {
    result.measurement.Put("dsp", at_one / request.parameters["ReuseFactor"].AsNumber(), "count",
                           "test");
  }
  if (request.node == "synthesize") result.measurement.metrics.erase("dsp");
  return result;
}

TEST(BranchTest, FeedsBackUntilTheConditionNoLongerHolds) {
  const FlowRun run =
      RunFlow(FeedbackPlan(), [](const TaskRequest& r) { return DspByReuse(r, 350); });
  EXPECT_THAT(NodesOf(run.requests),
              ElementsAre("quantize", "lower", "lower", "lower", "synthesize"));
  EXPECT_EQ(run.requests[3].iteration, 2);
  EXPECT_EQ(run.requests[3].parameters["ReuseFactor"], Value(4));
  EXPECT_EQ(run.outcome.state, TrialState::kSucceeded);
  EXPECT_EQ(run.outcome.realised_cfg.ToJson(), R"({"reuse":4})");
  EXPECT_EQ(run.outcome.designs[0].measurement.Get("dsp"), 87.5);
  EXPECT_THAT(run.execution->log().ToJson(), HasSubstr("too many DSPs"));
}

TEST(BranchTest, BoundEndsTheCycleAndSaysSo) {
  const FlowRun run =
      RunFlow(FeedbackPlan(), [](const TaskRequest& r) { return DspByReuse(r, 1e6); });
  EXPECT_THAT(run.requests, SizeIs(6));  // quantize, lower and three more, synthesize
  EXPECT_EQ(run.outcome.state, TrialState::kSucceeded);
  EXPECT_THAT(run.execution->log().ToJson(), HasSubstr("was taken 3 times already"));
}

TEST(BranchTest, SettingGoesOverTheSearchVariableOfThatName) {
  const Flow flow = MakeFlow(
      {MakeTask("first", "evaluate"),
       Edges(MakeTask(
                 "judge", "branch",
                 {{"cases", Value::List{Value::Map{{"edge", "go"},
                                                   {"if", "= accuracy < 2"},
                                                   {"set", Value::Map{{"bits", "= bits - 1"}}}}}},
                  {"otherwise", "go"}}),
             {{"go", "quantize"}}),
       MakeTask("quantize", "quantize", {{"weight_bits", "= bits"}})});
  FlowContext context;
  context.variables = {MakeVariable("bits")};
  ASSERT_OK_AND_ASSIGN(const auto plan, FlowPlan::Make(flow, context));
  const FlowRun run = RunFlow(
      plan, [](const TaskRequest& r) { return Succeed(r); }, MakeStart({{"bits", 7}}));
  ASSERT_THAT(run.requests, SizeIs(2)) << run.outcome.message;
  EXPECT_EQ(run.requests[1].parameters["weight_bits"], Value(6));
}

std::shared_ptr<const FlowPlan> OrderPlan(const std::string& require) {
  return Plan({Edges(MakeTask("orders", "fork"), {{"pq", "p1"}, {"q", "q2"}}),
               MakeTask("p1", "prune", {{"rate", 0.5}}), MakeTask("q1", "quantize"),
               MakeTask("q2", "quantize"),
               MakeTask("best", "reduce",
                        {{"require", require}, {"maximize", "float_validation_accuracy"}}),
               MakeTask("evaluate", "evaluate")});
}

TEST(ForkTest, BranchesRunSideBySideAndTheBestGoesOn) {
  const FlowRun run = RunFlow(OrderPlan("any"), [](const TaskRequest& r) {
    return Succeed(r, r.node == "q2" ? 0.9 : 0.8);
  });
  EXPECT_THAT(NodesOf(run.requests),
              ElementsAre("orders/pq:p1", "orders/q:q2", "orders/pq:q1", "evaluate"));
  EXPECT_EQ(run.requests[3].inputs.at("network"), Succeed(run.requests[1]).outputs.at("network"));
  ASSERT_THAT(run.outcome.designs, SizeIs(1));
  EXPECT_EQ(run.outcome.designs[0].path, "orders/q");
  EXPECT_FALSE(run.outcome.designs[0].artifacts.contains("p1.network"));
}

TEST(ForkTest, TiesGoToTheFirstBranch) {
  const FlowRun run =
      RunFlow(OrderPlan("any"), [](const TaskRequest& r) { return Succeed(r, 0.5); });
  EXPECT_EQ(run.outcome.designs[0].path, "orders/pq");
}

TEST(ForkTest, FailedBranchIsLeftOutWhereAnyIsRequired) {
  const auto answer = [](const TaskRequest& r) {
    return r.node == "q2" ? FailWith(Outcome::kTimeout, "too slow") : Succeed(r, 0.5);
  };
  EXPECT_EQ(RunFlow(OrderPlan("any"), answer).outcome.state, TrialState::kSucceeded);
  const FlowRun all = RunFlow(OrderPlan("all"), answer);
  EXPECT_EQ(all.outcome.state, TrialState::kInfeasible);
  EXPECT_EQ(all.outcome.message, "task \"q2\": too slow");
}

TEST(ForkTest, WhereNoBranchSurvivesAnAnswerOutweighsTheLackOfOne) {
  const FlowRun run = RunFlow(OrderPlan("any"), [](const TaskRequest& r) {
    return r.node == "q2" ? FailWith(Outcome::kInfeasible, "refused")
                          : FailWith(Outcome::kBug, "crashed");
  });
  EXPECT_EQ(run.outcome.state, TrialState::kInfeasible);
  EXPECT_EQ(run.outcome.message, "task \"q2\": refused");
}

TEST(ForkTest, WithoutReduceEverySurvivingBranchIsADesign) {
  const auto plan =
      Plan({MakeTask("quantize", "quantize"),
            Edges(MakeTask("devices", "fork",
                           {{"set", Value::Map{{"small", Value::Map{{"ClockPeriod", 10}}},
                                               {"large", Value::Map{{"ClockPeriod", 3}}}}}}),
                  {{"small", "lower"}, {"large", "lower"}}),
            MakeTask("lower", "lower_rtl")});
  const FlowRun run = RunFlow(plan, [](const TaskRequest& r) {
    return Succeed(r, r.parameters["ClockPeriod"].AsNumber());
  });
  EXPECT_THAT(NodesOf(run.requests),
              ElementsAre("quantize", "devices/large:lower", "devices/small:lower"));
  ASSERT_THAT(run.outcome.designs, SizeIs(2));
  EXPECT_EQ(run.outcome.designs[0].path, "devices/large");
  EXPECT_EQ(run.outcome.designs[0].measurement.Get("dsp"), 3);
  EXPECT_EQ(run.outcome.designs[1].index, 1);
  EXPECT_EQ(run.outcome.realised_cfg.ToJson(),
            R"({"devices/large":{"ClockPeriod":3},"devices/small":{"ClockPeriod":10}})");
}

TEST(ForkTest, EmptyBranchLeadsStraightToTheReduce) {
  const auto plan = Plan({MakeTask("first", "evaluate"),
                          Edges(MakeTask("f", "fork"), {{"none", "best"}, {"q", "quantize"}}),
                          MakeTask("quantize", "quantize"),
                          MakeTask("best", "reduce", {{"minimize", "accuracy"}})});
  const FlowRun run = RunFlow(plan, [](const TaskRequest& r) { return Succeed(r); });
  EXPECT_EQ(run.outcome.designs[0].path, "f/none");
}

TEST(ForkTest, ThreeNestedForksOfFourBranchesKeepEightWorkersBusy) {
  ASSERT_OK_AND_ASSIGN(const auto plan, FlowPlan::Make(ForkFlow(), FlowContext()));
  for (const uint64_t seed : {1, 2, 3, 4, 5}) EXPECT_GT(Utilisation(plan, 8, seed), 0.8) << seed;
}

TEST(ReduceTest, ParetoKeepsWhatIsNotDominatedBestScoreFirst) {
  const auto plan =
      Plan({Edges(MakeTask("f", "fork"), {{"a", "la"}, {"b", "lb"}, {"c", "lc"}}),
            MakeTask("la", "lower_rtl"), MakeTask("lb", "lower_rtl"), MakeTask("lc", "lower_rtl"),
            MakeTask("front", "reduce",
                     {{"minimize", "latency_cycles"},
                      {"pareto", Value::List{"dsp", "latency_cycles"}}})});
  const FlowRun run = RunFlow(plan, [](const TaskRequest& r) {
    ActionResult result = Succeed(r);
    result.measurement.Put("dsp", r.node == "la" ? 1 : 5, "count", "test");
    result.measurement.Put("latency_cycles", r.node == "lb" ? 2 : 9, "cycles", "test");
    return result;
  });
  ASSERT_THAT(run.outcome.designs, SizeIs(2));
  EXPECT_EQ(run.outcome.designs[0].path, "f/b");
  EXPECT_EQ(run.outcome.designs[1].path, "f/a");
}

TEST(GateTest, ClosedGateIsInfeasibleWithWhatWasMeasuredAndSparesSynthesis) {
  const auto plan =
      Plan({MakeTask("quantize", "quantize"), MakeTask("evaluate", "evaluate"),
            MakeTask("good", "gate", {{"pass", "accuracy >= 0.7"}, {"message", "not accurate"}}),
            MakeTask("lower", "lower_rtl")});
  const FlowRun closed = RunFlow(plan, [](const TaskRequest& r) { return Succeed(r, 0.5); });
  EXPECT_EQ(closed.outcome.state, TrialState::kInfeasible);
  EXPECT_EQ(closed.outcome.message, "task \"good\": not accurate");
  EXPECT_EQ(closed.outcome.designs.at(0).measurement.Get("accuracy"), 0.5);
  EXPECT_THAT(closed.requests, SizeIs(2));
  const FlowRun open = RunFlow(plan, [](const TaskRequest& r) { return Succeed(r, 0.8); });
  EXPECT_EQ(open.outcome.state, TrialState::kSucceeded);
}

TEST(GateTest, PassesAReferenceThatSkipsWhatItJudges) {
  const auto plan = Plan({MakeTask("quantize", "quantize"), MakeTask("evaluate", "evaluate"),
                          MakeTask("good", "gate", {{"pass", "accuracy >= 0.7"}}),
                          MakeTask("lower", "lower_rtl")});
  FlowExecution::Start start = MakeStart();
  start.skip = {"evaluate"};
  const FlowRun run = RunFlow(
      plan, [](const TaskRequest& r) { return Succeed(r); }, start);
  EXPECT_EQ(run.outcome.state, TrialState::kSucceeded);
}

TEST(StopTest, EndsWithTheStateItNames) {
  for (const auto& [name, state] : std::map<std::string, TrialState>{
           {"stopped", TrialState::kStopped}, {"succeeded", TrialState::kSucceeded}}) {
    const auto plan = Plan({MakeTask("evaluate", "evaluate"),
                            MakeTask("end", "stop", {{"state", name}, {"message", "enough"}})});
    const FlowRun run = RunFlow(plan, [](const TaskRequest& r) { return Succeed(r); });
    EXPECT_EQ(run.outcome.state, state);
    EXPECT_THAT(run.outcome.designs, SizeIs(1));
  }
}

TEST(JoinTest, TaskWaitingForAWayNotTakenIsAbandonedWithAdvice) {
  const auto plan = Plan(
      {MakeTask("first", "evaluate"),
       Edges(MakeTask("b", "branch",
                      {{"cases", Value::List{Value::Map{{"edge", "x"}, {"if", "accuracy > 0"}}}},
                       {"otherwise", "y"}}),
             {{"x", "left"}, {"y", "right"}}),
       MakeTask("left", "quantize"), MakeTask("right", "quantize"),
       After(MakeTask("both", "evaluate"), {"left", "right"})});
  const FlowRun run = RunFlow(plan, [](const TaskRequest& r) { return Succeed(r); });
  EXPECT_EQ(run.outcome.state, TrialState::kAbandoned);
  EXPECT_THAT(run.outcome.message, HasSubstr("put a join"));
}

std::shared_ptr<const FlowPlan> Named(const std::string& name,
                                      const std::vector<std::string>& variables) {
  Flow flow;
  flow.name = name;
  FlowContext context;
  for (const std::string& variable : variables) context.variables.push_back(MakeVariable(variable));
  auto plan = FlowPlan::Make(flow, context);
  EXPECT_OK(plan);
  return plan.ok() ? *plan : nullptr;
}

TEST(FlowLibraryTest, BottomUpPrunesTheTrainedNetworkMoreUntilTheDspsFit) {
  FlowExecution::Start start =
      MakeStart({{"pruning_rate", 0.2}, {"weight_bits", 6}, {"activation_bits", 6}});
  const FlowRun run = RunFlow(
      Named("bottom_up_dsp", {"pruning_rate", "weight_bits", "activation_bits"}),
      [](const TaskRequest& r) {
        ActionResult result = Succeed(r, 0.8);
        if (r.node == "prune") {
          result.outputs["network"] = absl::StrCat(r.parameters["rate"].AsNumber());
        }
        if (r.node == "lower_rtl") {
          result.measurement.Put("dsp", r.iteration == 0 ? 80 : 20, "count", "test");
        }
        return result;
      },
      start);
  EXPECT_THAT(NodesOf(run.requests),
              ElementsAre("prune", "quantize", "evaluate", "lower_rtl", "prune", "quantize",
                          "evaluate", "lower_rtl", "synthesize"));
  EXPECT_EQ(run.requests[4].inputs.at("network"), "network0");
  EXPECT_NEAR(run.requests[4].parameters["rate"].AsNumber(), 0.4, 1e-12);
  EXPECT_EQ(run.outcome.state, TrialState::kSucceeded);
  EXPECT_NEAR(run.outcome.realised_cfg["pruning_rate"].AsNumber(), 0.4, 1e-12);
}

TEST(FlowLibraryTest, OrderVariableChoosesTheWay) {
  for (const bool prune_first : {true, false}) {
    const Value::List order =
        prune_first ? Value::List{"prune", "quantize"} : Value::List{"quantize", "prune"};
    const FlowRun run = RunFlow(
        Named("order_variable", {"order", "pruning_rate", "weight_bits", "activation_bits"}),
        [](const TaskRequest& r) { return Succeed(r); },
        MakeStart(
            {{"order", order}, {"pruning_rate", 0.5}, {"weight_bits", 6}, {"activation_bits", 6}}));
    EXPECT_EQ(run.requests[0].node, prune_first ? "prune_pq" : "quantize_qp");
    EXPECT_EQ(run.requests.size(), 5);
  }
}

TEST(FlowLibraryTest, MultiDeviceGivesOneDesignPerPart) {
  const FlowRun run = RunFlow(
      Named("multi_device", {"pruning_rate", "weight_bits", "activation_bits"}),
      [](const TaskRequest& r) { return Succeed(r); },
      MakeStart({{"pruning_rate", 0.5}, {"weight_bits", 6}, {"activation_bits", 6}}));
  EXPECT_THAT(run.outcome.designs, SizeIs(3));
  EXPECT_EQ(run.outcome.realised_cfg["devices/zu7ev"]["Part"], Value("xczu7ev-ffvc1156-2-e"));
}

TEST(MeasuresOnceTest, OnlyFlowsWithoutBranchAndForkMeasureOnce) {
  EXPECT_TRUE(Plan({MakeTask("quantize", "quantize")})->measures_once());
  EXPECT_FALSE(FeedbackPlan()->measures_once());
  EXPECT_FALSE(OrderPlan("any")->measures_once());
}

}  // namespace
}  // namespace dovetail::flow
