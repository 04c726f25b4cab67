#include "services/worker/train/magnitude_pruning.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace dovetail::train {
namespace {

TEST(CubicSparsityTest, RisesFromInitialToFinalOverTheWindow) {
  EXPECT_EQ(CubicSparsity(0.1, 0.9, 0.2, 0.6, 0.1), 0.1);
  EXPECT_EQ(CubicSparsity(0.1, 0.9, 0.2, 0.6, 0.6), 0.9);
  EXPECT_NEAR(CubicSparsity(0.1, 0.9, 0.2, 0.6, 0.4), 0.9 - 0.8 / 8, 1e-12);
}

TEST(RemoveSmallestTest, RemovesExactlyTheRoundedShareByMagnitude) {
  const std::vector<float> a = {0.5f, -0.1f, 0.3f};
  const std::vector<float> b = {-0.2f, 0.4f};
  std::vector<uint8_t> keeps_a(3, 1), keeps_b(2, 1);
  std::vector<PrunableTensor> tensors = {{a, absl::MakeSpan(keeps_a)},
                                         {b, absl::MakeSpan(keeps_b)}};
  RemoveSmallest(0.5, absl::MakeSpan(tensors));  // round(2.5) = 3 of 5
  EXPECT_EQ(keeps_a, (std::vector<uint8_t>{1, 0, 0}));
  EXPECT_EQ(keeps_b, (std::vector<uint8_t>{0, 1}));
}

TEST(RemoveSmallestTest, WhatIsRemovedStaysRemovedAndCounts) {
  const std::vector<float> values = {9, 1, 2, 3};
  std::vector<uint8_t> keeps = {0, 1, 1, 1};
  std::vector<PrunableTensor> tensors = {{values, absl::MakeSpan(keeps)}};
  RemoveSmallest(0.5, absl::MakeSpan(tensors));
  EXPECT_EQ(keeps, (std::vector<uint8_t>{0, 0, 1, 1}));
  RemoveSmallest(0.25, absl::MakeSpan(tensors));
  EXPECT_EQ(keeps, (std::vector<uint8_t>{0, 0, 1, 1}));
}

TEST(RemoveSmallestTest, TiesGoByPosition) {
  const std::vector<float> values(10, 1.0f);
  std::vector<uint8_t> keeps(10, 1);
  std::vector<PrunableTensor> tensors = {{values, absl::MakeSpan(keeps)}};
  RemoveSmallest(0.3, absl::MakeSpan(tensors));
  EXPECT_EQ(keeps, (std::vector<uint8_t>{0, 0, 0, 1, 1, 1, 1, 1, 1, 1}));
}

}  // namespace
}  // namespace dovetail::train
