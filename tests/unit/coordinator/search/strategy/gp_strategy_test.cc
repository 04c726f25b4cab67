// What only the Gaussian process strategy promises; the contract suite has the rest.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "services/coordinator/search/strategy.h"
#include "tests/support/status_matchers.h"

namespace dovetail::search {
namespace {

Variable Numeric(const std::string& name, double min, double max,
                 VariableType type = VariableType::kContinuous) {
  Variable v;
  v.name = name;
  v.type = type;
  v.min = min;
  v.max = max;
  return v;
}

Problem TwoObjectives() {
  Problem problem;
  problem.space.variables = {Numeric("x", 0, 1), Numeric("y", 0, 1),
                             Numeric("n", 1, 8, VariableType::kInteger)};
  problem.objectives = {{"loss", Goal::kMinimize}, {"speed", Goal::kMaximize}};
  Constraint constraint;
  constraint.metric = "area";
  constraint.at_most = 5;
  problem.constraints = {constraint};
  problem.initial_count = 6;
  problem.seed = 11;
  return problem;
}

std::map<std::string, double> Measure(const Point& p) {
  const double x = p.at("x").AsNumber(), y = p.at("y").AsNumber(), n = p.at("n").AsNumber();
  return {{"loss", (x - 0.3) * (x - 0.3) + 0.1 * n}, {"speed", n * (1 - y)}, {"area", n + 3 * y}};
}

Observation Told(int trial, const Point& point, std::map<std::string, double> metrics) {
  Observation observation;
  observation.trial = trial;
  observation.point = point;
  observation.metrics = std::move(metrics);
  return observation;
}

// Refits finish late: started at one trial, installed two trials on, as in the service. Each
// installation's state is recorded; where `restore` is given they are restored from it instead.
std::vector<std::string> Live(Strategy& strategy, int count, std::map<int, Value>* states,
                              const std::map<int, Value>* restore) {
  std::vector<std::string> texts;
  std::unique_ptr<Refit> running;
  int started = 0;
  std::map<int, Point> pending;
  for (int trial = 1; trial <= count; ++trial) {
    if (restore != nullptr) {
      if (restore->count(trial) > 0) {
        EXPECT_OK(strategy.RestoreRefit(restore->at(trial)));
      }
    } else if (running != nullptr && trial >= started + 2) {
      running->Run();
      strategy.InstallRefit(*running);
      (*states)[trial] = running->State();
      running.reset();
    }
    if (restore == nullptr && running == nullptr && strategy.WantsRefit()) {
      running = strategy.StartRefit();
      started = trial;
    }
    auto suggestion = strategy.Suggest(trial);
    EXPECT_OK(suggestion);
    texts.push_back(PointToValue(suggestion->point).ToJson());
    strategy.AddPending(trial, suggestion->point);
    pending[trial] = suggestion->point;
    if (trial >= 3) {
      strategy.Tell(Told(trial - 2, pending[trial - 2], Measure(pending[trial - 2])));
    }
  }
  return texts;
}

TEST(GpStrategyTest, RestoredRefitsReplayBitForBit) {
  auto live = MakeStrategy("gp", TwoObjectives());
  auto taken_over = MakeStrategy("gp", TwoObjectives());
  ASSERT_OK(live);
  ASSERT_OK(taken_over);
  std::map<int, Value> states, read_back;
  const std::vector<std::string> first = Live(**live, 24, &states, nullptr);
  ASSERT_GT(states.size(), 3u);
  for (const auto& [trial, state] : states) {
    ASSERT_OK_AND_ASSIGN(read_back[trial], Value::FromJson(state.ToJson()));
  }
  EXPECT_EQ(first, Live(**taken_over, 24, nullptr, &read_back));
}

TEST(GpStrategyTest, ForeignRefitStatesAreRefused) {
  auto strategy = MakeStrategy("gp", TwoObjectives());
  ASSERT_OK(strategy);
  EXPECT_THAT((*strategy)->RestoreRefit(Value()),
              dovetail::testing::StatusIs(absl::StatusCode::kInvalidArgument,
                                          ::testing::HasSubstr("another problem")));
}

TEST(GpStrategyTest, FindsTheOptimumOfASmoothFunction) {
  Problem problem = TwoObjectives();
  problem.objectives = {{"loss", Goal::kMinimize}};
  problem.constraints.clear();
  auto strategy = MakeStrategy("gp", problem);
  ASSERT_OK(strategy);
  double best = 1e9;
  for (int trial = 1; trial <= 22; ++trial) {
    RefitNow(**strategy);
    ASSERT_OK_AND_ASSIGN(Suggestion suggestion, (*strategy)->Suggest(trial));
    (*strategy)->AddPending(trial, suggestion.point);
    const auto metrics = Measure(suggestion.point);
    best = std::min(best, metrics.at("loss"));
    (*strategy)->Tell(Told(trial, suggestion.point, metrics));
  }
  EXPECT_LT(best, 0.1001);
}

TEST(GpStrategyTest, PendingPointsAreKeptApart) {
  auto strategy = MakeStrategy("gp", TwoObjectives());
  ASSERT_OK(strategy);
  int trial = 1;
  for (; trial <= 8; ++trial) {
    ASSERT_OK_AND_ASSIGN(Suggestion suggestion, (*strategy)->Suggest(trial));
    (*strategy)->AddPending(trial, suggestion.point);
    (*strategy)->Tell(Told(trial, suggestion.point, Measure(suggestion.point)));
  }
  RefitNow(**strategy);
  std::vector<std::pair<double, double>> points;
  for (int k = 0; k < 8; ++k, ++trial) {
    ASSERT_OK_AND_ASSIGN(Suggestion suggestion, (*strategy)->Suggest(trial));
    (*strategy)->AddPending(trial, suggestion.point);
    for (const auto& [x, n] : points) {
      const double dx = std::abs(suggestion.point.at("x").AsNumber() - x);
      EXPECT_TRUE(dx > 1e-4 || suggestion.point.at("n").AsNumber() != n ||
                  suggestion.point.at("y").AsNumber() > 1e-4);
    }
    points.emplace_back(suggestion.point.at("x").AsNumber(), suggestion.point.at("n").AsNumber());
  }
}

TEST(GpStrategyTest, RefusedRegionsAreAvoided) {
  Problem problem = TwoObjectives();
  problem.objectives = {{"loss", Goal::kMinimize}};
  problem.constraints.clear();
  auto strategy = MakeStrategy("gp", problem);
  ASSERT_OK(strategy);
  int refused_late = 0;
  for (int trial = 1; trial <= 36; ++trial) {
    RefitNow(**strategy);
    ASSERT_OK_AND_ASSIGN(Suggestion suggestion, (*strategy)->Suggest(trial));
    (*strategy)->AddPending(trial, suggestion.point);
    // Half of the space is refused, along a variable that the objective does not depend on.
    const bool refused = suggestion.point.at("y").AsNumber() < 0.5;
    Observation observation = Told(trial, suggestion.point, Measure(suggestion.point));
    if (refused) {
      observation.kind = Observation::Kind::kRefused;
      observation.metrics.clear();
      refused_late += trial > 20;
    }
    (*strategy)->Tell(observation);
  }
  EXPECT_LE(refused_late, 3);
}

class Degenerate : public ::testing::TestWithParam<int> {};

TEST_P(Degenerate, OutputsNeverBreakTheSearch) {
  Problem problem = TwoObjectives();
  auto strategy = MakeStrategy("gp", problem);
  ASSERT_OK(strategy);
  for (int trial = 1; trial <= 16; ++trial) {
    RefitNow(**strategy);
    ASSERT_OK_AND_ASSIGN(Suggestion suggestion, (*strategy)->Suggest(trial));
    for (const auto& [name, value] : suggestion.point) {
      EXPECT_TRUE(std::isfinite(value.AsNumber())) << name;
    }
    (*strategy)->AddPending(trial, suggestion.point);
    std::map<std::string, double> metrics = Measure(suggestion.point);
    switch (GetParam()) {
      case 0:  // constant
        metrics = {{"loss", 1}, {"speed", 1}, {"area", 1}};
        break;
      case 1:  // huge
        for (auto& [name, value] : metrics) value *= 1e12;
        break;
      case 2:  // tiny
        for (auto& [name, value] : metrics) value *= 1e-12;
        break;
      case 3:  // nothing feasible
        metrics["area"] += 100;
        break;
      case 4:  // not numbers, now and then
        if (trial % 3 == 0) metrics["loss"] = NAN;
        if (trial % 3 == 1) metrics["area"] = std::numeric_limits<double>::infinity();
        break;
      case 5:  // one wild outlier
        if (trial == 4) metrics["loss"] = 1e300;
        break;
      case 6:  // zeros and ones
        metrics = {{"loss", trial % 2 == 0 ? 1.0 : 0.0}, {"speed", 0}, {"area", 0}};
        break;
    }
    Observation observation = Told(trial, suggestion.point, metrics);
    (*strategy)->Tell(observation);
    if (trial == 5) {  // the same again, under other numbers
      observation.trial = 1000;
      (*strategy)->Tell(observation);
      observation.trial = 1001;
      for (auto& [name, value] : observation.metrics) value += 0.1;
      (*strategy)->Tell(observation);
    }
  }
  EXPECT_TRUE((*strategy)->Diagnostics().ToJson().find("null") == std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(All, Degenerate, ::testing::Range(0, 7));

TEST(GpStrategyTest, DiagnosticsNameEveryDimension) {
  auto strategy = MakeStrategy("gp", TwoObjectives());
  ASSERT_OK(strategy);
  for (int trial = 1; trial <= 12; ++trial) {
    RefitNow(**strategy);
    ASSERT_OK_AND_ASSIGN(Suggestion suggestion, (*strategy)->Suggest(trial));
    (*strategy)->AddPending(trial, suggestion.point);
    (*strategy)->Tell(Told(trial, suggestion.point, Measure(suggestion.point)));
  }
  const Value diagnostics = (*strategy)->Diagnostics();
  const Value::List& outputs = diagnostics["outputs"].AsList();
  ASSERT_EQ(outputs.size(), 3u);
  EXPECT_TRUE(outputs[0]["length_scales"].Has("n"));
  EXPECT_GT(outputs[1]["rank_correlation"].AsNumber(), 0.5);
}

}  // namespace
}  // namespace dovetail::search
