#include "services/coordinator/search/space/space.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/support/status_matchers.h"

namespace dovetail::search {
namespace {

using dovetail::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

Variable Continuous(const std::string& name, double min, double max, Scale scale = Scale::kLinear) {
  Variable v;
  v.name = name;
  v.min = min;
  v.max = max;
  v.scale = scale;
  return v;
}

Variable Integer(const std::string& name, double min, double max, Scale scale = Scale::kLinear) {
  Variable v = Continuous(name, min, max, scale);
  v.type = VariableType::kInteger;
  return v;
}

Variable Levels(const std::string& name, VariableType type, Value::List levels) {
  Variable v;
  v.name = name;
  v.type = type;
  v.levels = std::move(levels);
  return v;
}

SearchSpace Mixed() {
  SearchSpace space;
  space.variables.push_back(Continuous("rate", 0.1, 0.99, Scale::kReverseLog));
  space.variables.push_back(Integer("reuse", 1, 64, Scale::kLog));
  space.variables.push_back(Levels("bits", VariableType::kOrdinal, {2, 4, 8}));
  space.variables.back().length = 3;
  space.variables.push_back(
      Levels("strategy", VariableType::kCategorical, {"latency", "resource"}));
  space.variables.push_back(Levels("order", VariableType::kPermutation, {"S", "P", "Q"}));
  space.variables.push_back(Integer("parallel", 1, 8));
  space.variables.back().condition = Condition{"strategy", {"resource"}};
  space.constraints = {"reuse * parallel <= 64", "strategy != 'latency' or reuse <= 16"};
  return space;
}

TEST(SpaceTest, PointsSurviveEncodingAndDecoding) {
  ASSERT_OK_AND_ASSIGN(Space space, Space::Create(Mixed()));
  Rng rng(1);
  for (int i = 0; i < 200; ++i) {
    ASSERT_OK_AND_ASSIGN(Slots slots, space.Random(rng));
    const Point point = space.Decode(slots);
    ASSERT_OK_AND_ASSIGN(Slots again, space.Encode(point));
    EXPECT_EQ(slots, again) << PointToValue(point).ToJson();
    EXPECT_EQ(PointDigest(space.Decode(again)), PointDigest(point));
    EXPECT_EQ(point.count("parallel"), point.at("strategy").AsString() == "resource" ? 1u : 0u);
  }
}

TEST(SpaceTest, NeighboursAreLegalAndDiffer) {
  ASSERT_OK_AND_ASSIGN(Space space, Space::Create(Mixed()));
  Rng rng(2);
  for (int i = 0; i < 20; ++i) {
    ASSERT_OK_AND_ASSIGN(Slots slots, space.Random(rng));
    for (const Slots& neighbour : space.Neighbours(slots)) {
      EXPECT_NE(neighbour, slots);
      EXPECT_OK(space.Check(space.Decode(neighbour)));
    }
  }
}

TEST(SpaceTest, IllegalPointsAreRefusedByName) {
  ASSERT_OK_AND_ASSIGN(Space space, Space::Create(Mixed()));
  Point point{{"rate", 0.5},
              {"reuse", 4},
              {"bits", Value::List{2, 4, 8}},
              {"strategy", "resource"},
              {"order", Value::List{"Q", "S", "P"}},
              {"parallel", 2}};
  EXPECT_OK(space.Check(point));
  auto with = [&](const std::string& name, Value value) {
    Point changed = point;
    changed[name] = std::move(value);
    return space.Check(changed);
  };
  const auto kBad = absl::StatusCode::kInvalidArgument;
  EXPECT_THAT(with("rate", 2), StatusIs(kBad, AllOf(HasSubstr("rate"), HasSubstr("outside"))));
  EXPECT_THAT(with("rate", "x"), StatusIs(kBad, HasSubstr("rate")));
  EXPECT_THAT(with("reuse", 2.5), StatusIs(kBad, HasSubstr("whole")));
  EXPECT_THAT(with("bits", Value::List{2, 4}), StatusIs(kBad, HasSubstr("3 elements")));
  EXPECT_THAT(with("bits", Value::List{2, 4, 5}), StatusIs(kBad, HasSubstr("levels 2, 4, 8")));
  EXPECT_THAT(with("strategy", "fast"), StatusIs(kBad, HasSubstr("strategy")));
  EXPECT_THAT(with("order", Value::List{"Q", "Q", "P"}), StatusIs(kBad, HasSubstr("twice")));
  EXPECT_THAT(with("strategy", "latency"), StatusIs(kBad, HasSubstr("switches it off")));
  EXPECT_THAT(with("reus", 1), StatusIs(kBad, HasSubstr("did you mean \"reuse\"")));
  Point breaks = point;
  breaks["reuse"] = 60;
  EXPECT_THAT(space.Check(breaks), StatusIs(kBad, HasSubstr("reuse * parallel <= 64")));
  Point missing = point;
  missing.erase("bits");
  EXPECT_THAT(space.Check(missing), StatusIs(kBad, HasSubstr("\"bits\": has no value")));
}

TEST(SpaceTest, MalformedSpacesAreRefusedByName) {
  auto create = [](std::vector<Variable> variables, std::vector<std::string> constraints = {}) {
    SearchSpace space;
    space.variables = std::move(variables);
    space.constraints = std::move(constraints);
    return Space::Create(space).status();
  };
  const auto kBad = absl::StatusCode::kInvalidArgument;
  EXPECT_THAT(create({}), StatusIs(kBad, HasSubstr("no variables")));
  EXPECT_THAT(create({Continuous("a", 1, 0)}), StatusIs(kBad, HasSubstr("min 1 is above max 0")));
  EXPECT_THAT(create({Continuous("a", 0, 1, Scale::kLog)}), StatusIs(kBad, HasSubstr("log")));
  EXPECT_THAT(create({Continuous("a", 0, NAN)}), StatusIs(kBad, HasSubstr("finite")));
  EXPECT_THAT(create({Integer("a", 0.5, 2)}), StatusIs(kBad, HasSubstr("whole")));
  EXPECT_THAT(create({Continuous("a", 0, 1), Continuous("a", 0, 1)}),
              StatusIs(kBad, HasSubstr("twice")));
  EXPECT_THAT(create({Levels("a", VariableType::kOrdinal, {2, 1})}),
              StatusIs(kBad, HasSubstr("rise")));
  EXPECT_THAT(create({Levels("a", VariableType::kCategorical, {})}),
              StatusIs(kBad, HasSubstr("level")));
  EXPECT_THAT(create({Continuous("a", 0, 1)}, {"a + b < 1"}),
              StatusIs(kBad, HasSubstr("no scalar variable \"b\"")));
  EXPECT_THAT(create({Continuous("a", 0, 1)}, {"a + < 1"}), StatusIs(kBad, HasSubstr("a + < 1")));
  Variable loop = Integer("a", 0, 1);
  loop.condition = Condition{"a", {1}};
  EXPECT_THAT(create({loop}), StatusIs(kBad, HasSubstr("itself")));
}

TEST(SpaceTest, EnumerationVisitsEachConfigurationOnce) {
  SearchSpace definition = Mixed();
  definition.variables.erase(definition.variables.begin());
  ASSERT_OK_AND_ASSIGN(Space space, Space::Create(definition));
  ASSERT_TRUE(space.RawCount().has_value());
  EXPECT_EQ(*space.RawCount(), 64.0 * 27 * 2 * 6 * 8);
  std::set<Slots> seen;
  for (uint64_t i = 0; i < static_cast<uint64_t>(*space.RawCount()); ++i) {
    const auto slots = space.Enumerate(i);
    if (slots) {
      EXPECT_TRUE(seen.insert(*slots).second);
    }
  }
  // latency: reuse <= 16, no parallel; resource: pairs with reuse * parallel <= 64.
  int pairs = 0;
  for (int reuse = 1; reuse <= 64; ++reuse) {
    for (int parallel = 1; parallel <= 8; ++parallel) pairs += reuse * parallel <= 64;
  }
  EXPECT_EQ(seen.size(), static_cast<size_t>((16 + pairs) * 27 * 6));
}

TEST(SpaceTest, LogIntegersAreDrawnEvenlyPerOctave) {
  SearchSpace definition;
  definition.variables = {Integer("reuse", 1, 1024, Scale::kLog)};
  ASSERT_OK_AND_ASSIGN(Space space, Space::Create(definition));
  Rng rng(3);
  int below_32 = 0;
  for (int i = 0; i < 2000; ++i) below_32 += (*space.Random(rng))[0] + 1 < 32;
  EXPECT_NEAR(below_32 / 2000.0, 0.54, 0.05);  // log(31.5 / .5) / log(1024.5 / .5)
}

}  // namespace
}  // namespace dovetail::search
