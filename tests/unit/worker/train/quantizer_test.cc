#include "services/worker/train/quantizer.h"

#include <gtest/gtest.h>

namespace dovetail::train {
namespace {

FixedType TypeOf(const char* text) { return ParseFixedType(text).value(); }

TEST(CastToGridTest, EveryRoundingModeTakesItsSideOfAHalf) {
  struct Case {
    const char* mode;
    double of_plus_half;   // 2.5 on an integer grid
    double of_minus_half;  // -2.5
  };
  for (const Case& c : {Case{"AP_TRN", 2, -3}, Case{"AP_TRN_ZERO", 2, -2}, Case{"AP_RND", 3, -2},
                        Case{"AP_RND_ZERO", 2, -2}, Case{"AP_RND_MIN_INF", 2, -3},
                        Case{"AP_RND_INF", 3, -3}, Case{"AP_RND_CONV", 2, -2}}) {
    const FixedType type = TypeOf((std::string("ap_fixed<8,8,") + c.mode + ">").c_str());
    EXPECT_EQ(CastToGrid(2.5, type), c.of_plus_half) << c.mode;
    EXPECT_EQ(CastToGrid(-2.5, type), c.of_minus_half) << c.mode;
  }
}

TEST(CastToGridTest, EveryOverflowModeBringsTheValueIntoRange) {
  EXPECT_EQ(CastToGrid(9, TypeOf("ap_fixed<4,4,AP_TRN,AP_WRAP>")), -7);
  EXPECT_EQ(CastToGrid(9, TypeOf("ap_fixed<4,4,AP_TRN,AP_SAT>")), 7);
  EXPECT_EQ(CastToGrid(-9, TypeOf("ap_fixed<4,4,AP_TRN,AP_SAT>")), -8);
  EXPECT_EQ(CastToGrid(9, TypeOf("ap_fixed<4,4,AP_TRN,AP_SAT_ZERO>")), 0);
  EXPECT_EQ(CastToGrid(-9, TypeOf("ap_fixed<4,4,AP_TRN,AP_SAT_SYM>")), -7);
  EXPECT_EQ(CastToGrid(-1, TypeOf("ap_ufixed<4,4,AP_TRN,AP_SAT>")), 0);
  EXPECT_EQ(CastToGrid(16, TypeOf("ap_ufixed<4,4,AP_TRN,AP_WRAP>")), 0);
}

TEST(CastToGridTest, NegativeIntegerBitsScaleTheGrid) {
  EXPECT_EQ(CastToGrid(0.3, TypeOf("ap_ufixed<4,-1,AP_RND,AP_SAT>")), 10.0 / 32);
}

TEST(QuantizerTest, ModesThatRetrainingDoesNotKnowAreUnimplemented) {
  EXPECT_EQ(Quantizer::Make(TypeOf("ap_fixed<8,8,AP_RND_INF,AP_SAT>")).status().code(),
            absl::StatusCode::kUnimplemented);
  EXPECT_EQ(Quantizer::Make(TypeOf("ap_fixed<8,8,AP_RND,AP_SAT_ZERO>")).status().code(),
            absl::StatusCode::kUnimplemented);
  EXPECT_TRUE(Quantizer::Make(TypeOf("ap_fixed<18,8>")).ok());
}

}  // namespace
}  // namespace dovetail::train
