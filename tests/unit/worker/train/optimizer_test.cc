#include "services/worker/train/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace dovetail::train {
namespace {

const std::vector<float> kNoLow(2, -std::numeric_limits<float>::infinity());
const std::vector<float> kNoHigh(2, std::numeric_limits<float>::infinity());

// Minimises (p0 - 3)^2 + 10 (p1 + 1)^2.
std::vector<float> Minimize(const OptimizerOptions& options, double rate, int steps) {
  Optimizer optimizer(options);
  optimizer.Reset(2);
  std::vector<float> p = {0, 0};
  for (int i = 0; i < steps; ++i) {
    optimizer.Step(rate, {2 * (p[0] - 3), 20 * (p[1] + 1)}, {1, 1}, kNoLow, kNoHigh, p);
  }
  return p;
}

TEST(OptimizerTest, EveryKindFindsTheMinimumOfAParabola) {
  for (const char* name : {"adam", "adamw", "sgd"}) {
    OptimizerOptions options;
    options.kind = ParseOptimizerKind(name).value();
    const std::vector<float> p = Minimize(options, name == std::string("sgd") ? 0.01 : 0.05, 800);
    EXPECT_NEAR(p[0], 3, 0.02) << name;
    EXPECT_NEAR(p[1], -1, 0.02) << name;
  }
}

TEST(OptimizerTest, FirstAdamStepIsTheLearningRate) {
  Optimizer optimizer({});
  optimizer.Reset(2);
  std::vector<float> p = {1, 1};
  optimizer.Step(0.1, {5.0f, -0.001f}, {1, 1}, kNoLow, kNoHigh, p);
  EXPECT_NEAR(p[0], 0.9, 1e-5);
  EXPECT_NEAR(p[1], 1.1, 1e-4);
}

TEST(OptimizerTest, BoundsAreKeptAndPenaltiesSpareBiases) {
  OptimizerOptions options;
  options.kind = OptimizerKind::kSgd;
  options.l2 = 1;
  Optimizer optimizer(options);
  optimizer.Reset(2);
  std::vector<float> p = {2, 2};
  optimizer.Step(0.1, {0, 0}, {1, 0}, kNoLow, {1.5f, 5}, p);
  EXPECT_FLOAT_EQ(p[0], 1.5f);
  EXPECT_FLOAT_EQ(p[1], 2.0f);
}

TEST(OptimizerTest, KeepRenumbersTheState) {
  OptimizerOptions options;
  options.kind = OptimizerKind::kSgd;
  Optimizer optimizer(options);
  optimizer.Reset(2);
  std::vector<float> p = {0, 0};
  optimizer.Step(1, {1, 10}, {0, 0}, kNoLow, kNoHigh, p);
  optimizer.Keep({1});
  std::vector<float> rest = {0};
  optimizer.Step(1, {0}, {0}, kNoLow, kNoHigh, rest);
  EXPECT_FLOAT_EQ(rest[0], -9);  // momentum 0.9 of the second entry
}

TEST(LearningRateFactorTest, RisesOnceAndEndsAtZero) {
  for (const ScheduleKind kind : {ScheduleKind::kCosine, ScheduleKind::kOneCycle}) {
    EXPECT_EQ(LearningRateFactor(kind, 0), 0);
    EXPECT_NEAR(LearningRateFactor(kind, 1), 0, 1e-12);
  }
  EXPECT_NEAR(LearningRateFactor(ScheduleKind::kCosine, 0.03), 1, 1e-12);
  EXPECT_NEAR(LearningRateFactor(ScheduleKind::kOneCycle, 0.3), 1, 1e-12);
  EXPECT_EQ(LearningRateFactor(ScheduleKind::kConstant, 0.9), 1);
}

TEST(ParseTest, UnknownNamesListTheKnown) {
  EXPECT_NE(ParseOptimizerKind("adan").status().message().find("adam, adamw, sgd"),
            absl::string_view::npos);
  EXPECT_NE(ParseScheduleKind("x").status().message().find("one_cycle"), absl::string_view::npos);
}

}  // namespace
}  // namespace dovetail::train
