#include "services/worker/fixedpoint/tables.h"

#include <cmath>

#include "gtest/gtest.h"

namespace dovetail::fixedpoint {
namespace {

nn::Layer LayerOf(nn::Op op) {
  nn::Layer layer;
  layer.op = op;
  return layer;
}

TEST(TablesTest, ExpIsExactBeyondDoubles) {
  for (double x = -20; x <= 20; x += 0.37) {
    EXPECT_NEAR(static_cast<double>(ExpExact(x) / std::exp(static_cast<long double>(x))), 1.0,
                3e-16)
        << x;
  }
  EXPECT_EQ(ExpExact(0), 1);
}

TEST(TablesTest, SigmoidEntriesAreTruncatedFloats) {
  const ActivationTable table = TableOf(LayerOf(nn::Op::kSigmoid));
  ASSERT_EQ(table.entries.size(), 1024u);
  EXPECT_EQ(table.entries[512], 512);  // 0.5 in steps of 1/1024
  EXPECT_EQ(table.entries[0], 0);      // 1 / (1 + e^8) = 0.00034
  EXPECT_EQ(table.entries[1023], 1023);
  for (size_t i = 0; i < 1024; ++i) {
    const double x = 16 * (static_cast<double>(i) - 512) / 1024;
    EXPECT_EQ(table.entries[i], std::floor(1024 / (1 + std::exp(-x)))) << i;
  }
}

TEST(TablesTest, TanhIsOddAndTruncatedDownwards) {
  const ActivationTable table = TableOf(LayerOf(nn::Op::kTanh));
  EXPECT_EQ(table.entries[512], 0);
  EXPECT_EQ(table.entries[512 + 128], static_cast<int64_t>(std::floor(1024 * std::tanh(1.0))));
  EXPECT_EQ(table.entries[512 - 128], static_cast<int64_t>(std::floor(1024 * std::tanh(-1.0))));
}

TEST(TablesTest, IndexTruncatesTowardsZeroAndClamps) {
  const ActivationTable table = TableOf(LayerOf(nn::Op::kSigmoid));
  EXPECT_EQ(table.IndexOf(0, 10), 512);
  EXPECT_EQ(table.IndexOf(15, 10), 512);   // less than one step of 1/64
  EXPECT_EQ(table.IndexOf(-15, 10), 512);  // towards zero, not down
  EXPECT_EQ(table.IndexOf(-16, 10), 511);
  EXPECT_EQ(table.IndexOf(1 << 20, 10), 1023);
  EXPECT_EQ(table.IndexOf(-(1 << 20), 10), 0);
  EXPECT_EQ(table.IndexOf(1, -3), 1023);  // 8
  EXPECT_EQ(table.IndexOf(-1, -2), 256);  // -4
}

}  // namespace
}  // namespace dovetail::fixedpoint
