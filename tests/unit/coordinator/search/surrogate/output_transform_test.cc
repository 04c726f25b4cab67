#include "services/coordinator/search/surrogate/output_transform.h"

#include <gtest/gtest.h>

#include <cmath>

namespace dovetail::search {
namespace {

TEST(OutputTransformTest, RoundTripsAndStandardises) {
  const std::vector<double> raw = {1, 10, 100, 1000, 5, 50};
  for (Warp warp : {Warp::kNone, Warp::kLog, Warp::kLog1p}) {
    for (double sign : {1.0, -1.0}) {
      const OutputTransform t = FitTransform(raw, warp, sign, Tail::kKept);
      double sum = 0, squares = 0;
      for (double y : raw) {
        EXPECT_NEAR(t.Backward(t.Forward(y)) / y, 1, 1e-12);
        sum += t.Forward(y);
        squares += t.Forward(y) * t.Forward(y);
      }
      EXPECT_NEAR(sum, 0, 1e-12);
      EXPECT_NEAR(squares / 5, 1, 1e-12);
      const OutputTransform again = OutputTransform::FromValue(t.ToValue());
      EXPECT_EQ(again.Forward(7.0), t.Forward(7.0));
    }
  }
}

TEST(OutputTransformTest, ExtremeOutputsStayFinite) {
  for (const std::vector<double>& raw :
       {std::vector<double>{5, 5, 5}, {3e12, 4e12, 5e12}, {1e-300, 2e-300}, {1e300, -1e300}, {7}}) {
    const OutputTransform t = FitTransform(raw, Warp::kNone, 1, Tail::kObjective);
    for (double y : raw) EXPECT_TRUE(std::isfinite(t.Clipped(y))) << y;
  }
}

TEST(OutputTransformTest, BadTailIsClippedGoodTailIsNot) {
  std::vector<double> raw = {1, 2, 3, 4, 5, 6, 7, 8, 1e6, -1e6};
  const OutputTransform t = FitTransform(raw, Warp::kNone, 1, Tail::kObjective);
  EXPECT_LT(t.Clipped(1e6), t.Forward(1e6));
  EXPECT_EQ(t.Clipped(-1e6), t.Forward(-1e6));
}

TEST(OutputTransformTest, ConstraintsAreClippedOnTheirBadSideOnly) {
  const std::vector<double> raw = {0.9, 1.1, 1.2, 0.8, 1.3, 0.7, 50, 90, -80};
  const OutputTransform at_most = FitTransform(raw, Warp::kNone, 1, Tail::kConstraint, 1.0);
  EXPECT_EQ(at_most.Clipped(50), at_most.Clipped(90));
  EXPECT_EQ(at_most.Clipped(-80), at_most.Forward(-80));
  EXPECT_GT(at_most.clip, at_most.Forward(1.0));
  const OutputTransform at_least = FitTransform(raw, Warp::kNone, -1, Tail::kConstraint, 1.0);
  EXPECT_EQ(at_least.Clipped(50), at_least.Forward(50));
  EXPECT_GT(at_least.Clipped(-80), at_least.Forward(1.0));
}

TEST(OutputTransformTest, LogarithmsOnlyWherePlausible) {
  EXPECT_EQ(PlausibleWarps({1, 2, 3, 4, 5}).size(), 1u);
  EXPECT_EQ(PlausibleWarps({1, 5, 20, 60, 200}).size(), 2u);
  EXPECT_EQ(PlausibleWarps({-1, 5, 20, 60, 200}).size(), 1u);
  EXPECT_EQ(PlausibleWarps({0, 5, 20, 60, 200}).size(), 2u);
  EXPECT_EQ(PlausibleWarps({1e-17, 1, 2, 3, 4, 5, 6, 7}).size(), 1u);  // a zero by rounding
}

}  // namespace
}  // namespace dovetail::search
