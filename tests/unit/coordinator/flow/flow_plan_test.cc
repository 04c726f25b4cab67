#include "services/coordinator/flow/flow_plan.h"

#include <gtest/gtest.h>

#include "common/domain/flow_library.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/coordinator/flow/flow_test_support.h"

namespace dovetail::flow {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::StatusIs;

FlowContext Context(std::vector<std::string> variables = {}) {
  FlowContext context;
  for (const std::string& name : variables) context.variables.push_back(MakeVariable(name));
  return context;
}

Flow Line() {
  return MakeFlow({MakeTask("prune", "prune", {{"rate", "= rate"}}),
                   MakeTask("quantize", "quantize", {{"weight_bits", "= bits + 1"}}),
                   MakeTask("evaluate", "evaluate"), MakeTask("lower_rtl", "lower_rtl"),
                   MakeTask("synthesize", "synthesize")});
}

TEST(FlowPlanTest, LineWithVariablesIsAccepted) {
  FlowContext context = Context({"rate", "bits"});
  context.cfg = {{"Part", "xcu250-figd2104-2L-e"}, {"ClockPeriod", 4}};
  context.wanted_metrics = {"accuracy", "lut"};
  ASSERT_OK_AND_ASSIGN(const auto plan, FlowPlan::Make(Line(), context));
  EXPECT_EQ(plan->flow().tasks.size(), 5);
}

TEST(FlowPlanTest, DotNamesTasksAndEdges) {
  ASSERT_OK_AND_ASSIGN(const auto plan, FlowPlan::Make(Line(), Context({"rate", "bits"})));
  EXPECT_THAT(plan->ToDot(),
              AllOf(HasSubstr("digraph \"test\""), HasSubstr("\"quantize\" -> \"evaluate\""),
                    HasSubstr("\"start\" -> \"prune\"")));
}

TEST(FlowPlanTest, EveryNamedFlowIsLegal) {
  for (const NamedFlowInfo& info : FlowLibrary()) {
    Flow by_name;
    by_name.name = info.name;
    FlowContext context = Context(info.variables);
    context.wanted_metrics = {"accuracy"};
    EXPECT_OK(FlowPlan::Make(by_name, context)) << info.name;
  }
}

struct BadFlow {
  const char* name;
  std::vector<FlowTask> tasks;
  std::vector<std::string> variables;
  std::string task;     // named in the message, with its line; "" where it is not one task's fault
  std::string message;  // part of it
};

class BadFlowTest : public ::testing::TestWithParam<BadFlow> {};

TEST_P(BadFlowTest, IsInvalidArgumentNamingTaskAndLine) {
  const BadFlow& bad = GetParam();
  const absl::Status status = FlowPlan::Make(MakeFlow(bad.tasks), Context(bad.variables)).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(bad.message)));
  if (bad.task.empty()) return;
  for (size_t i = 0; i < bad.tasks.size(); ++i) {
    if (bad.tasks[i].name != bad.task) continue;
    EXPECT_THAT(std::string(status.message()),
                HasSubstr(absl::StrCat("task \"", bad.task, "\" (line ", 10 + i, ")")));
  }
}

FlowTask Branch(const std::string& name, std::map<std::string, std::string> edges,
                const std::string& condition, const std::string& edge, const std::string& otherwise,
                int max_iterations = 0) {
  std::map<std::string, Value> parameters = {
      {"cases", Value::List{Value::Map{{"edge", edge}, {"if", condition}}}},
      {"otherwise", otherwise}};
  if (max_iterations > 0) parameters["max_iterations"] = max_iterations;
  return Edges(MakeTask(name, "branch", parameters), std::move(edges));
}

std::vector<BadFlow> BadFlows() {
  const FlowTask prune = MakeTask("prune", "prune", {{"rate", 0.5}});
  const FlowTask quantize = MakeTask("quantize", "quantize");
  const FlowTask evaluate = MakeTask("evaluate", "evaluate");
  const FlowTask lower = MakeTask("lower", "lower_rtl");
  return {
      {"Empty", {}, {}, "", "no tasks"},
      {"UnknownTask", {MakeTask("a", "prunne")}, {}, "a", "did you mean \"prune\""},
      {"DuplicateName", {prune, prune}, {}, "", "the name is taken by the task in line 10"},
      {"BadName", {MakeTask("a-b", "quantize")}, {}, "a-b", "letters"},
      {"UnknownParameter",
       {MakeTask("a", "prune", {{"rat", 1}})},
       {},
       "a",
       "did you mean \"rate\""},
      {"WrongType", {MakeTask("a", "prune", {{"rate", "x"}})}, {}, "a", "is a number"},
      {"MissingParameter", {MakeTask("a", "prune")}, {}, "a", "parameter \"rate\" (number"},
      {"BadExpression", {MakeTask("a", "prune", {{"rate", "= 1 +"}})}, {}, "a", "rate"},
      {"UnknownName", {MakeTask("a", "prune", {{"rate", "= ratio"}})}, {}, "a", "\"ratio\""},
      {"MetricOfLaterTask",
       {MakeTask("a", "prune", {{"rate", "= evaluate.accuracy"}}), evaluate},
       {},
       "a",
       "does not run before this one"},
      {"UnknownMetric",
       {evaluate, MakeTask("a", "prune", {{"rate", "= evaluate.lut"}})},
       {},
       "a",
       "evaluate measures accuracy"},
      {"UnusedVariable", {prune}, {"bits"}, "", "search variable \"bits\" is used by no task"},
      {"MissingPort", {quantize, MakeTask("s", "synthesize")}, {}, "s", "\"rtl\" (rtl) comes from"},
      {"UnknownInputTask",
       {prune, Inputs(quantize, {{"network", "prun"}})},
       {},
       "quantize",
       "did you mean \"prune\""},
      {"UnknownInputPort",
       {prune, Inputs(quantize, {{"net", "prune"}})},
       {},
       "quantize",
       "no input"},
      {"UnknownOutputPort",
       {prune, Inputs(quantize, {{"network", "prune.rtl"}})},
       {},
       "quantize",
       "no output port"},
      {"PortOfOtherType",
       {quantize, lower, Inputs(MakeTask("s", "synthesize"), {{"rtl", "lower.design"}})},
       {},
       "s",
       "takes a rtl"},
      {"UnknownAfter", {prune, After(quantize, {"pruned"})}, {}, "quantize", "\"pruned\""},
      {"CycleOfWaits",
       {After(MakeTask("a", "quantize"), {"b"}), After(MakeTask("b", "quantize"), {"a"})},
       {},
       "a",
       "no way leads to it"},
      {"UnboundedCycle",
       {MakeTask("again", "join"), prune, evaluate,
        Branch("judge", {{"back", "again"}, {"go", "lower"}}, "accuracy > 0.7", "back", "go"),
        lower},
       {},
       "again",
       "cycle without a bound"},
      {"CycleByOtherwise",
       {MakeTask("again", "join"), prune, evaluate,
        Branch("judge", {{"back", "again"}, {"go", "lower"}}, "accuracy > 0.7", "go", "back", 3),
        lower},
       {},
       "again",
       "cycle without a bound"},
      {"UnreachableAfterStop",
       {prune, MakeTask("end", "stop"), quantize},
       {},
       "quantize",
       "no way leads to it"},
      {"UnknownEdge",
       {prune, Edges(MakeTask("f", "fork"), {{"a", "nowhere"}})},
       {},
       "f",
       "\"nowhere\""},
      {"EdgesOfAJoin",
       {Edges(MakeTask("j", "join"), {{"a", "j"}})},
       {},
       "j",
       "only branch and fork"},
      {"ReduceWithoutFork",
       {prune, MakeTask("r", "reduce", {{"minimize", "kept_fraction"}})},
       {},
       "r",
       "no fork before it"},
      {"UnknownSetting",
       {evaluate,
        Edges(MakeTask("f", "fork", {{"set", Value::Map{{"a", Value::Map{{"Rows", 1}}}}}}),
              {{"a", "prune"}}),
        prune},
       {},
       "f",
       "which no task reads"},
      {"BranchWithoutOtherwise",
       {evaluate, Branch("b", {{"x", "prune"}}, "1", "x", ""), prune},
       {},
       "b",
       "\"otherwise\""},
      {"EdgeNotTaken",
       {evaluate, Branch("b", {{"x", "prune"}, {"y", "prune"}}, "1", "x", "x"), prune},
       {},
       "b",
       "\"y\" is taken by no case"},
      {"WayThatEndsBeforeAJoin",
       {evaluate, Branch("b", {{"x", "prune"}, {"y", "j"}}, "accuracy > 0.5", "x", "y"), prune,
        MakeTask("j", "join"), quantize},
       {},
       "j",
       "\"prune\" before it leads nowhere"},
      {"ParetoThatIsFollowed",
       {Edges(MakeTask("f", "fork"), {{"a", "quantize"}}), quantize,
        MakeTask("r", "reduce", {{"minimize", "1"}, {"pareto", Value::List{"1"}}}), evaluate},
       {},
       "r",
       "ends the flow"},
      {"WaitsAcrossForks",
       {prune, Edges(MakeTask("f", "fork"), {{"a", "quantize"}}), quantize,
        After(evaluate, {"prune", "quantize"}), After(MakeTask("l", "lower_rtl"), {"prune"}),
        After(MakeTask("t", "train"), {"l", "quantize"})},
       {},
       "t",
       "inside and from outside of a fork"},
  };
}

INSTANTIATE_TEST_SUITE_P(All, BadFlowTest, ::testing::ValuesIn(BadFlows()),
                         [](const auto& info) { return info.param.name; });

TEST(FlowPlanTest, UnmeasuredWantedMetricIsInvalidArgument) {
  FlowContext context = Context({"rate", "bits"});
  context.wanted_metrics = {"accuracy", "power"};
  EXPECT_THAT(FlowPlan::Make(Line(), context),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("\"power\"")));
}

TEST(FlowPlanTest, CfgOfWrongTypeIsInvalidArgument) {
  FlowContext context = Context({"rate", "bits"});
  context.cfg = {{"ClockPeriod", "fast"}};
  EXPECT_THAT(FlowPlan::Make(Line(), context),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("lower_rtl"), HasSubstr("ClockPeriod"))));
}

TEST(FlowPlanTest, ConditionOfAUsedVariableCountsAsUsed) {
  FlowContext context = Context({"mode", "rate", "bits"});
  context.variables[1].condition = Condition{"mode", {Value("prune")}};
  EXPECT_OK(FlowPlan::Make(Line(), context));
}

}  // namespace
}  // namespace dovetail::flow
