// The scalar semantics against the public ap_fixed headers, on random values over all modes.
// tests/support/fetch_ap_types puts the headers where this finds them.
#if __has_include("ap_fixed.h")
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#include "ap_fixed.h"
#define HAS_AP_FIXED 1
#endif

#include <cmath>
#include <cstring>

#include "common/base/rng.h"
#include "gtest/gtest.h"
#include "services/worker/fixedpoint/fixed_value.h"

namespace dovetail::fixedpoint {
namespace {

#ifdef HAS_AP_FIXED

constexpr Quantization kQuantizations[] = {
    Quantization::kRnd,     Quantization::kRndZero, Quantization::kRndMinInf, Quantization::kRndInf,
    Quantization::kRndConv, Quantization::kTrn,     Quantization::kTrnZero,
};  // in the order of ap_q_mode
constexpr Overflow kOverflows[] = {
    Overflow::kSat, Overflow::kSatZero, Overflow::kSatSym, Overflow::kWrap, Overflow::kWrapSm,
};  // in the order of ap_o_mode

// Mixes plain random numbers with edges: all ones, single bits, ties.
int64_t DrawRaw(Rng& rng, int width) {
  uint64_t bits = rng.Next();
  const uint64_t kind = rng.Below(6);
  if (kind == 0) bits = uint64_t{1} << rng.Below(static_cast<uint64_t>(width));
  if (kind == 1) bits = ~uint64_t{0} << rng.Below(static_cast<uint64_t>(width));
  if (kind == 2) bits = ~(~uint64_t{0} << rng.Below(static_cast<uint64_t>(width)));
  if (kind == 3) bits &= 0xff;
  return static_cast<int64_t>(bits << (64 - width)) >> (64 - width);
}

template <typename Fixed>
int64_t RawOf(const Fixed& value) {
  return static_cast<int64_t>(value.range().to_int64());
}

template <int W, int I, int Q, int O, bool S>
struct Target {
  using Type =
      std::conditional_t<S, ap_fixed<W, I, static_cast<ap_q_mode>(Q), static_cast<ap_o_mode>(O)>,
                         ap_ufixed<W, I, static_cast<ap_q_mode>(Q), static_cast<ap_o_mode>(O)>>;
  static constexpr int kFractionBits = W - I;
  static FixedType Mine() { return {W, I, S, kQuantizations[Q], kOverflows[O]}; }
  static int64_t Bits(const Type& value) {
    const uint64_t bits = static_cast<uint64_t>(value.range().to_uint64());
    return S ? static_cast<int64_t>(bits << (64 - W)) >> (64 - W) : static_cast<int64_t>(bits);
  }
};

int64_t checked = 0;

template <int SW, int SI, typename T>
void CheckFixed(Rng& rng, int count) {
  for (int i = 0; i < count; ++i) {
    const int64_t raw = DrawRaw(rng, SW);
    ap_fixed<SW, SI> source;
    source.range() = static_cast<ap_int<SW>>(static_cast<long long>(raw));
    const typename T::Type theirs = source;
    ASSERT_EQ(CastRaw(raw, SW - SI, T::Mine()), T::Bits(theirs))
        << FixedTypeToText(T::Mine()) << " of ap_fixed<" << SW << "," << SI << "> raw " << raw;
    ++checked;
  }
}

template <typename T>
void CheckDouble(Rng& rng, int count) {
  for (int i = 0; i < count; ++i) {
    const double value =
        std::ldexp(static_cast<double>(DrawRaw(rng, 54)), -static_cast<int>(rng.Below(70)));
    const typename T::Type theirs = value;
    ASSERT_EQ(FromDouble(value, T::Mine()), T::Bits(theirs))
        << FixedTypeToText(T::Mine()) << " of " << value;
    ++checked;
  }
}

template <typename T>
void CheckTarget(Rng& rng) {
  CheckFixed<24, 10, T>(rng, 4000);
  CheckFixed<63, 20, T>(rng, 4000);
  // The headers read beyond their most significant bit where all bits of the source are dropped.
  if constexpr (T::kFractionBits > 3) CheckFixed<13, -3, T>(rng, 4000);
  CheckDouble<T>(rng, 4000);
}

template <int Q, int O>
void CheckModes() {
  Rng rng(100 + Q * 8 + O);
  CheckTarget<Target<6, 2, Q, O, true>>(rng);
  CheckTarget<Target<16, 6, Q, O, true>>(rng);
  CheckTarget<Target<40, 45, Q, O, true>>(rng);
  if constexpr (O != AP_WRAP_SM) CheckTarget<Target<6, 0, Q, O, false>>(rng);
}

TEST(ApFixedOracleTest, EveryQuantizationAgrees) {
  CheckModes<AP_RND, AP_SAT>();
  CheckModes<AP_RND_ZERO, AP_SAT>();
  CheckModes<AP_RND_MIN_INF, AP_SAT>();
  CheckModes<AP_RND_INF, AP_SAT>();
  CheckModes<AP_RND_CONV, AP_SAT>();
  CheckModes<AP_TRN, AP_SAT>();
  CheckModes<AP_TRN_ZERO, AP_SAT>();
  CheckModes<AP_RND, AP_WRAP>();
  CheckModes<AP_TRN, AP_WRAP>();
  RecordProperty("checked", static_cast<int>(checked));
}

TEST(ApFixedOracleTest, EveryOverflowAgrees) {
  CheckModes<AP_RND_CONV, AP_SAT_ZERO>();
  CheckModes<AP_RND_CONV, AP_SAT_SYM>();
  CheckModes<AP_RND_CONV, AP_WRAP>();
  CheckModes<AP_RND_CONV, AP_WRAP_SM>();
  CheckModes<AP_TRN, AP_WRAP_SM>();
  RecordProperty("checked", static_cast<int>(checked));
}

#else

TEST(ApFixedOracleTest, Skipped) {
  GTEST_SKIP() << "no ap_fixed.h; run tests/support/fetch_ap_types and build again";
}

#endif

}  // namespace
}  // namespace dovetail::fixedpoint
