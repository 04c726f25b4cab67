#include "services/worker/hardware/graph.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace dovetail::hardware {
namespace {

TEST(CsdTest, DigitsAddUpAndAreNeverAdjacent) {
  for (int64_t value = -1000; value <= 1000; ++value) {
    int64_t sum = 0;
    int last = -2;
    for (const CsdDigit& digit : CsdDigits(value)) {
      sum += (digit.negative ? -1 : 1) * (int64_t{1} << digit.position);
      EXPECT_GT(digit.position, last + 1);
      last = digit.position;
    }
    EXPECT_EQ(sum, value);
  }
}

TEST(RangeTest, WidthIsTheSmallestThatHolds) {
  EXPECT_EQ((Range{0, 0}).WidthBits(), 0);
  EXPECT_EQ((Range{0, 1}).WidthBits(), 1);
  EXPECT_EQ((Range{0, 8}).WidthBits(), 4);
  EXPECT_EQ((Range{-1, 0}).WidthBits(), 1);
  EXPECT_EQ((Range{-8, 7}).WidthBits(), 4);
  EXPECT_EQ((Range{-8, 8}).WidthBits(), 5);
  EXPECT_EQ((Range{-9, 0}).WidthBits(), 5);
}

TEST(GraphTest, EqualOperationsAreOneNode) {
  Graph graph;
  const int x = graph.Input(0, {-4, 3});
  const int y = graph.Input(1, {0, 3});
  const Term one = graph.Add({x, 0, false}, {y, 2, false});
  const Term two = graph.Add({y, 2, false}, {x, 0, false});
  EXPECT_EQ(one.node, two.node);
}

TEST(GraphTest, MultiplesOfOneInputHaveExactRanges) {
  Graph graph;
  const int x = graph.Input(0, {-4, 3});
  const Term three = graph.Add({x, 2, false}, {x, 0, true});  // 4x - x
  EXPECT_EQ(graph.node(three.node).range, (Range{three.negate ? -9 : -12, three.negate ? 12 : 9}));
}

TEST(GraphTest, DifferencesByPositionBypassLowBits) {
  Graph graph;
  const int x = graph.Input(0, {-4, 3});
  const int y = graph.Input(1, {-4, 3});
  // (y << 3) - x keeps the minuend low: the result is negated instead.
  const Term term = graph.Add({x, 0, true}, {y, 3, false});
  EXPECT_TRUE(term.negate);
  const std::vector<int64_t> values = graph.Evaluate({2, 3});
  EXPECT_EQ(-values[term.node], 3 * 8 - 2);
  const int plain = graph.Resolve(term);
  EXPECT_EQ(graph.Evaluate({2, 3})[plain], 3 * 8 - 2);
}

TEST(GraphTest, WidthsBeyondSixtyOneBitsAreAnError) {
  Graph graph;
  const int x = graph.Input(0, {-(int64_t{1} << 40), int64_t{1} << 40});
  graph.Shift(x, 30);
  EXPECT_EQ(graph.status().code(), absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace dovetail::hardware
