#include "services/worker/fixedpoint/fixed_value.h"

#include <cmath>
#include <limits>

#include "common/base/rng.h"
#include "gtest/gtest.h"

namespace dovetail::fixedpoint {
namespace {

FixedType Type(int width, int integer, Quantization q = Quantization::kTrn,
               Overflow o = Overflow::kWrap, bool is_signed = true) {
  return {width, integer, is_signed, q, o};
}

// Values in quarters, cast to integers.
int64_t Rounded(double value, Quantization mode) {
  return CastRaw(static_cast<Wide>(value * 4), 2, Type(16, 16, mode));
}

TEST(FixedValueTest, EveryQuantizationModeOnTiesAndBesideThem) {
  struct Row {
    double value;
    int trn, trn_zero, rnd, rnd_zero, rnd_min_inf, rnd_inf, rnd_conv;
  };
  const Row rows[] = {
      {2.25, 2, 2, 2, 2, 2, 2, 2},         {2.5, 2, 2, 3, 2, 2, 3, 2},
      {2.75, 2, 2, 3, 3, 3, 3, 3},         {3.5, 3, 3, 4, 3, 3, 4, 4},
      {-2.25, -3, -2, -2, -2, -2, -2, -2}, {-2.5, -3, -2, -2, -2, -3, -3, -2},
      {-2.75, -3, -2, -3, -3, -3, -3, -3}, {-3.5, -4, -3, -3, -3, -4, -4, -4},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(Rounded(row.value, Quantization::kTrn), row.trn) << row.value;
    EXPECT_EQ(Rounded(row.value, Quantization::kTrnZero), row.trn_zero) << row.value;
    EXPECT_EQ(Rounded(row.value, Quantization::kRnd), row.rnd) << row.value;
    EXPECT_EQ(Rounded(row.value, Quantization::kRndZero), row.rnd_zero) << row.value;
    EXPECT_EQ(Rounded(row.value, Quantization::kRndMinInf), row.rnd_min_inf) << row.value;
    EXPECT_EQ(Rounded(row.value, Quantization::kRndInf), row.rnd_inf) << row.value;
    EXPECT_EQ(Rounded(row.value, Quantization::kRndConv), row.rnd_conv) << row.value;
  }
}

TEST(FixedValueTest, EveryOverflowMode) {
  const auto cast = [](int64_t raw, Overflow mode, bool is_signed = true) {
    return CastRaw(raw, 0, Type(4, 4, Quantization::kTrn, mode, is_signed));
  };
  EXPECT_EQ(cast(9, Overflow::kWrap), -7);
  EXPECT_EQ(cast(-9, Overflow::kWrap), 7);
  EXPECT_EQ(cast(9, Overflow::kSat), 7);
  EXPECT_EQ(cast(-9, Overflow::kSat), -8);
  EXPECT_EQ(cast(9, Overflow::kSatZero), 0);
  EXPECT_EQ(cast(-8, Overflow::kSatZero), -8);
  EXPECT_EQ(cast(-8, Overflow::kSatSym), -7);
  EXPECT_EQ(cast(-1, Overflow::kSat, false), 0);
  EXPECT_EQ(cast(17, Overflow::kSat, false), 15);
  EXPECT_EQ(cast(17, Overflow::kWrap, false), 1);
  EXPECT_EQ(cast(-1, Overflow::kWrap, false), 15);
}

TEST(FixedValueTest, SaturationIsJudgedAfterRounding) {
  EXPECT_EQ(CastRaw(15, 1, Type(4, 4, Quantization::kRnd, Overflow::kSat)), 7);  // 7.5 -> 8 -> 7
  EXPECT_EQ(CastRaw(15, 1, Type(4, 4, Quantization::kRnd, Overflow::kWrap)), -8);
  EXPECT_EQ(CastRaw(-1, 1, Type(4, 4, Quantization::kRnd, Overflow::kSat, false)), 0);
}

TEST(FixedValueTest, ShiftsBeyondEveryWidth) {
  EXPECT_EQ(CastRaw(-1, 500, Type(8, 8)), -1);
  EXPECT_EQ(CastRaw(-1, 500, Type(8, 8, Quantization::kRnd)), 0);
  EXPECT_EQ(CastRaw(1, 500, Type(8, 8, Quantization::kRndInf)), 0);
  EXPECT_EQ(CastRaw(3, -500, Type(8, 8)), 0);
  EXPECT_EQ(CastRaw(3, -500, Type(8, 8, Quantization::kTrn, Overflow::kSat)), 127);
  EXPECT_EQ(CastRaw(-3, -500, Type(8, 8, Quantization::kTrn, Overflow::kSat)), -128);
}

TEST(FixedValueTest, WidthsOf64AndNegativeIntegerBits) {
  const FixedType wide = Type(64, 64, Quantization::kTrn, Overflow::kSat);
  EXPECT_EQ(CastRaw(static_cast<Wide>(1) << 100, 0, wide), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(CastRaw(-(static_cast<Wide>(1) << 100), 0, wide), std::numeric_limits<int64_t>::min());
  const FixedType unsigned_wide = Type(64, 64, Quantization::kTrn, Overflow::kSat, false);
  const int64_t all_ones = CastRaw(static_cast<Wide>(1) << 100, 0, unsigned_wide);
  EXPECT_EQ(WideRaw(all_ones, unsigned_wide), (static_cast<Wide>(1) << 64) - 1);
  // ap_fixed<4, -2>: steps of 1/64.
  EXPECT_EQ(FromDouble(3.0 / 64, Type(4, -2)), 3);
  EXPECT_EQ(ToDouble(3, Type(4, -2)), 3.0 / 64);
  // ap_fixed<4, 8>: steps of 16.
  EXPECT_EQ(FromDouble(40, Type(4, 8)), 2);
  EXPECT_EQ(ToDouble(2, Type(4, 8)), 32);
}

TEST(FixedValueTest, DoublesAreTakenExactly) {
  EXPECT_EQ(FromDouble(-0.0001, Type(16, 6)), -1);
  EXPECT_EQ(FromDouble(0.49999999999999994, Type(8, 8, Quantization::kRnd)), 0);
  EXPECT_EQ(FromDouble(1e300, Type(8, 8, Quantization::kRnd, Overflow::kSat)), 127);
  EXPECT_EQ(FromDouble(-std::numeric_limits<double>::infinity(),
                       Type(8, 8, Quantization::kTrn, Overflow::kSat)),
            -128);
  EXPECT_EQ(FromDouble(std::nan(""), Type(8, 8)), 0);
  EXPECT_EQ(FromDouble(std::numeric_limits<double>::denorm_min(), Type(8, 8)), 0);
  EXPECT_EQ(FromDouble(-std::numeric_limits<double>::denorm_min(), Type(8, 8)), -1);
}

// The definition again, by long division on doubles, where doubles are exact.
TEST(FixedValueTest, AgreesWithArithmeticOnDoubles) {
  Rng rng(11);
  for (int i = 0; i < 200000; ++i) {
    const int width = 2 + static_cast<int>(rng.Below(14));
    const int integer = static_cast<int>(rng.Below(20)) - 4;
    const bool is_signed = rng.Below(2) == 1;
    const FixedType type = Type(width, integer, Quantization::kRndConv, Overflow::kSat, is_signed);
    const int64_t raw = static_cast<int64_t>(rng.Below(1 << 24)) - (1 << 23);
    const int bits = static_cast<int>(rng.Below(20));
    const double scaled = std::ldexp(static_cast<double>(raw), type.fraction_bits() - bits);
    const double high = std::ldexp(1.0, width - (is_signed ? 1 : 0)) - 1;
    const double low = is_signed ? -high - 1 : 0;
    const double expected = std::min(std::max(std::nearbyint(scaled), low), high);
    ASSERT_EQ(static_cast<double>(CastRaw(raw, bits, type)), expected)
        << FixedTypeToText(type) << " of " << raw << " / 2^" << bits;
  }
}

}  // namespace
}  // namespace dovetail::fixedpoint
