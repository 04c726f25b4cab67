#include "services/worker/nn/weight_statistics.h"

#include "gtest/gtest.h"

namespace dovetail::nn {
namespace {

TEST(WeightStatisticsTest, CsdDigitsOfSmallNumbers) {
  EXPECT_EQ(CsdDigitCount(0), 0);
  EXPECT_EQ(CsdDigitCount(-8), 1);
  EXPECT_EQ(CsdDigitCount(7), 2);   // 8 - 1
  EXPECT_EQ(CsdDigitCount(11), 3);  // 8 + 4 - 1
  EXPECT_EQ(CsdDigitCount(-11), 3);
  EXPECT_EQ(CsdDigitCount(85), 4);  // 64 + 16 + 4 + 1
}

TEST(WeightStatisticsTest, FittedTypeReachesTheLargestWeight) {
  EXPECT_EQ(FitWeightType({0.9f, -0.3f}, 6).integer_bits, 1);
  EXPECT_EQ(FitWeightType({1.0f, -0.3f}, 6).integer_bits, 1);
  EXPECT_EQ(FitWeightType({1.01f}, 6).integer_bits, 2);
  EXPECT_EQ(FitWeightType({-0.12f}, 6).integer_bits, -2);
  EXPECT_EQ(FitWeightType({0.0f}, 6).integer_bits, 1);
}

TEST(WeightStatisticsTest, EqualWeightsOfOneInputAreOneMultiplier) {
  // 8 bits, integer_bits 1: steps of 1/128. 11/128 needs three digits.
  const float w = 11.0f / 128;
  const std::vector<float> kernel = {w, w, -w,   1.0f,  //
                                     w, 0, 0.5f, 0};
  const LayerSummary::CsdStatistics statistics = CsdStatisticsOf(kernel, 4, 8);
  EXPECT_EQ(statistics.distinct_multipliers, 3);  // w and -w of input 0, w of input 1
  EXPECT_EQ(statistics.nonzero_weights, 6);
  // 1.0 saturates at 127 / 128: two digits.
  EXPECT_DOUBLE_EQ(statistics.mean_nonzero_digits, (4 * 3 + 2 + 1) / 8.0);
}

}  // namespace
}  // namespace dovetail::nn
