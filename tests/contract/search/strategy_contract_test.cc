// What every strategy promises to the exploration loop, whatever it does inside.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "services/coordinator/search/space/space.h"
#include "services/coordinator/search/strategy.h"
#include "tests/support/status_matchers.h"

namespace dovetail::search {
namespace {

using dovetail::testing::StatusIs;
using ::testing::HasSubstr;

Variable Numeric(const std::string& name, VariableType type, double min, double max) {
  Variable v;
  v.name = name;
  v.type = type;
  v.min = min;
  v.max = max;
  return v;
}

Variable Categorical(const std::string& name, Value::List levels) {
  Variable v;
  v.name = name;
  v.type = VariableType::kCategorical;
  v.levels = std::move(levels);
  return v;
}

Problem Mixed() {
  Problem problem;
  problem.space.variables = {Numeric("x", VariableType::kContinuous, 0, 1),
                             Numeric("n", VariableType::kInteger, 1, 9),
                             Categorical("c", {"a", "b", "d"})};
  problem.space.variables.push_back(Numeric("bits", VariableType::kInteger, 2, 8));
  problem.space.variables.back().length = 2;
  problem.space.variables.push_back(Numeric("extra", VariableType::kContinuous, 1, 100));
  problem.space.variables.back().scale = Scale::kLog;
  problem.space.variables.back().condition = Condition{"c", {"b"}};
  problem.space.variables.push_back(Categorical("order", {"S", "P", "Q"}));
  problem.space.variables.back().type = VariableType::kPermutation;
  problem.space.constraints = {"n <= 8 or x < 0.5"};
  problem.objectives = {{"error", Goal::kMinimize}, {"score", Goal::kMaximize}};
  Constraint constraint;
  constraint.metric = "area";
  constraint.at_most = 12;
  problem.constraints = {constraint};
  problem.seed = 3;
  problem.initial_count = 4;
  return problem;
}

Problem Finite() {
  Problem problem;
  problem.space.variables = {Numeric("n", VariableType::kInteger, 0, 3),
                             Categorical("c", {"a", "b", "d"})};
  problem.space.constraints = {"n > 0 or c != 'b'"};
  problem.objectives = {{"error", Goal::kMinimize}};
  problem.initial_count = 3;
  return problem;
}

std::map<std::string, double> Measure(const Point& point) {
  double sum = 0;
  for (const auto& [name, value] : point) {
    sum += value.is_number() ? value.AsNumber() : 0.3 * static_cast<double>(value.ToJson().size());
    for (const Value& element : value.AsList()) sum += element.AsNumber();
  }
  return {{"error", std::abs(sum - 7)}, {"score", std::sin(sum)}, {"area", sum}};
}

Observation Measured(int trial, const Point& point) {
  Observation observation;
  observation.trial = trial;
  observation.point = point;
  observation.metrics = Measure(point);
  if (trial % 7 == 3) {
    observation.kind = Observation::Kind::kRefused;
    observation.metrics.clear();
  } else if (trial % 7 == 5) {
    observation.kind = Observation::Kind::kLost;
    observation.metrics.clear();
  }
  return observation;
}

// Four trials in flight; returns all suggested points as text.
std::vector<std::string> Drive(Strategy& strategy, int count) {
  std::vector<std::string> texts;
  std::map<int, Point> pending;
  for (int trial = 1; trial <= count; ++trial) {
    RefitNow(strategy);
    absl::StatusOr<Suggestion> suggestion = strategy.Suggest(trial);
    EXPECT_OK(suggestion);
    if (!suggestion.ok()) break;
    texts.push_back(PointToValue(suggestion->point).ToJson());
    strategy.AddPending(trial, suggestion->point);
    pending[trial] = suggestion->point;
    if (pending.size() == 4) {
      const int done = trial % 2 == 0 ? pending.begin()->first : std::next(pending.begin())->first;
      strategy.Tell(Measured(done, pending[done]));
      pending.erase(done);
    }
  }
  return texts;
}

class StrategyContract : public ::testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Strategy> Make(const Problem& problem) {
    absl::StatusOr<std::unique_ptr<Strategy>> strategy = MakeStrategy(GetParam(), problem);
    EXPECT_OK(strategy);
    return *std::move(strategy);
  }
};

TEST_P(StrategyContract, SuggestsLegalPointsAndNoneTwice) {
  const Problem problem = Mixed();
  ASSERT_OK_AND_ASSIGN(Space space, Space::Create(problem.space));
  auto strategy = Make(problem);
  const std::vector<std::string> texts = Drive(*strategy, 30);
  ASSERT_EQ(texts.size(), 30u);
  std::set<std::string> unique(texts.begin(), texts.end());
  EXPECT_EQ(unique.size(), texts.size());
  for (const std::string& text : texts) {
    ASSERT_OK_AND_ASSIGN(Value value, Value::FromJson(text));
    EXPECT_OK(space.Check(PointFromValue(value))) << text;
  }
}

TEST_P(StrategyContract, SameCallsGiveTheSameSuggestions) {
  auto one = Make(Mixed());
  auto two = Make(Mixed());
  EXPECT_EQ(Drive(*one, 20), Drive(*two, 20));
}

TEST_P(StrategyContract, SuggestAgainChangesNothing) {
  auto one = Make(Mixed());
  auto two = Make(Mixed());
  std::vector<std::string> texts = Drive(*one, 12);
  EXPECT_EQ(texts, Drive(*two, 12));
  ASSERT_OK_AND_ASSIGN(Suggestion first, one->Suggest(13));
  ASSERT_OK_AND_ASSIGN(Suggestion again, one->Suggest(13));
  ASSERT_OK_AND_ASSIGN(Suggestion other, two->Suggest(13));
  EXPECT_EQ(PointDigest(first.point), PointDigest(again.point));
  EXPECT_EQ(PointDigest(first.point), PointDigest(other.point));
}

TEST_P(StrategyContract, FiniteSpacesAreExhausted) {
  auto strategy = Make(Finite());
  std::set<std::string> points;
  for (int trial = 1; trial <= 11; ++trial) {
    RefitNow(*strategy);
    ASSERT_OK_AND_ASSIGN(Suggestion suggestion, strategy->Suggest(trial));
    EXPECT_TRUE(points.insert(PointDigest(suggestion.point)).second);
    strategy->AddPending(trial, suggestion.point);
    strategy->Tell(Measured(trial, suggestion.point));
  }
  RefitNow(*strategy);
  EXPECT_THAT(strategy->Suggest(12), StatusIs(absl::StatusCode::kOutOfRange, HasSubstr("")));
}

TEST_P(StrategyContract, EnqueuedPointsComeFirst) {
  Problem problem = Finite();
  problem.enqueued = {Point{{"n", 2}, {"c", "d"}}, Point{{"n", 1}, {"c", "a"}}};
  auto strategy = Make(problem);
  for (int trial = 1; trial <= 2; ++trial) {
    ASSERT_OK_AND_ASSIGN(Suggestion suggestion, strategy->Suggest(trial));
    EXPECT_EQ(PointDigest(suggestion.point), PointDigest(problem.enqueued[trial - 1]));
    strategy->AddPending(trial, suggestion.point);
  }
  ASSERT_OK_AND_ASSIGN(Suggestion next, strategy->Suggest(3));
  EXPECT_NE(PointDigest(next.point), PointDigest(problem.enqueued[0]));
  EXPECT_NE(PointDigest(next.point), PointDigest(problem.enqueued[1]));
}

TEST_P(StrategyContract, UnknownOptionsAreRefused) {
  Problem problem = Finite();
  problem.options.Set("levles", 3);
  EXPECT_THAT(MakeStrategy(GetParam(), problem),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("levles")));
}

TEST_P(StrategyContract, MalformedProblemsAreRefused) {
  Problem no_objective = Finite();
  no_objective.objectives.clear();
  EXPECT_THAT(MakeStrategy(GetParam(), no_objective),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("objective")));
  Problem illegal = Finite();
  illegal.enqueued = {Point{{"n", 0}, {"c", "b"}}};
  EXPECT_THAT(MakeStrategy(GetParam(), illegal),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("enqueued point 1")));
}

TEST_P(StrategyContract, ImportedTrialsAreTakenIn) {
  auto strategy = Make(Finite());
  strategy->Tell(Measured(100, Point{{"n", 0}, {"c", "a"}}));
  std::set<std::string> points = {PointDigest(Point{{"n", 0}, {"c", "a"}})};
  for (int trial = 1; trial <= 10; ++trial) {
    RefitNow(*strategy);
    ASSERT_OK_AND_ASSIGN(Suggestion suggestion, strategy->Suggest(trial));
    EXPECT_TRUE(points.insert(PointDigest(suggestion.point)).second);
    strategy->AddPending(trial, suggestion.point);
  }
}

std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (const StrategyInfo& info : ListStrategies()) names.push_back(info.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(All, StrategyContract, ::testing::ValuesIn(Names()),
                         [](const auto& info) { return info.param; });

TEST(StrategyRegistryTest, UnknownStrategyNamesTheKnownOnes) {
  EXPECT_THAT(MakeStrategy("gpp", Finite()),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("random")));
}

}  // namespace
}  // namespace dovetail::search
