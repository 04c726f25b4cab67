#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <set>

#include "common/base/rng.h"
#include "services/worker/hardware/design.h"
#include "tests/support/quantized_networks.h"
#include "tests/support/status_matchers.h"

namespace dovetail::hardware {
namespace {

using ::dovetail::testing::QuantizedDenseNetwork;
using ::dovetail::testing::QuantizeOptions;
using ::dovetail::testing::RandomRawInput;
using ::dovetail::testing::RunSlowly;
using ::dovetail::testing::StatusIs;
using ::testing::HasSubstr;

void ExpectEqualToReference(const nn::Network& network, const Design& design, uint64_t seed) {
  Rng rng(seed);
  for (int n = 0; n < 200; ++n) {
    const std::vector<int64_t> input = RandomRawInput(network, rng);
    ASSERT_EQ(design.Evaluate(input), RunSlowly(network, input)) << "vector " << n;
  }
}

TEST(LowerNetworkTest, EveryWidthAndSparsityComputesTheReference) {
  for (int bits : {2, 4, 6, 9, 12, 18}) {
    for (double kept : {0.05, 0.3, 1.0}) {
      const nn::Network network = QuantizedDenseNetwork(
          {7, 9, 6, 4}, 3 * bits,
          {.weight_bits = bits, .activation_bits = bits, .kept_fraction = kept});
      ASSERT_OK_AND_ASSIGN(const Design design, LowerNetwork(network, {}));
      SCOPED_TRACE(::testing::Message() << bits << " bits, kept " << kept);
      ExpectEqualToReference(network, design, bits);
    }
  }
}

TEST(LowerNetworkTest, EveryRoundingAndOverflowModeComputesTheReference) {
  for (Quantization rounding :
       {Quantization::kTrn, Quantization::kTrnZero, Quantization::kRnd, Quantization::kRndZero,
        Quantization::kRndMinInf, Quantization::kRndInf, Quantization::kRndConv}) {
    for (Overflow overflow :
         {Overflow::kWrap, Overflow::kSat, Overflow::kSatZero, Overflow::kSatSym}) {
      const nn::Network network = QuantizedDenseNetwork(
          {5, 6, 3}, 11, {.rounding = rounding, .overflow = overflow, .result_integer_bits = 1});
      ASSERT_OK_AND_ASSIGN(const Design design, LowerNetwork(network, {}));
      SCOPED_TRACE(QuantizationToText(rounding) + " " + OverflowToText(overflow));
      ExpectEqualToReference(network, design, 5);
    }
  }
}

TEST(LowerNetworkTest, NarrowNetworksUseNoDspAndWideOnesFollowTheRule) {
  const std::vector<int64_t> widths = {6, 5, 3};
  ASSERT_OK_AND_ASSIGN(
      const Design narrow,
      LowerNetwork(QuantizedDenseNetwork(widths, 1, {.weight_bits = 10, .activation_bits = 10}),
                   {}));
  EXPECT_EQ(narrow.DspCount(), 0);
  const nn::Network network =
      QuantizedDenseNetwork(widths, 1, {.weight_bits = 16, .activation_bits = 16});
  ASSERT_OK_AND_ASSIGN(const Design wide, LowerNetwork(network, {}));
  // By the rule: odd parts with three or more signed digits, once per input.
  int64_t expected = 0;
  for (const nn::Layer& layer : network.layers) {
    if (!layer.HasWeights()) continue;
    const nn::Tensor& kernel = layer.parameters.at("kernel");
    for (int64_t i = 0; i < kernel.shape[0]; ++i) {
      std::set<int64_t> odd_parts;
      for (int64_t j = 0; j < kernel.shape[1]; ++j) {
        int64_t raw = std::llabs(
            static_cast<int64_t>(std::ldexp(kernel.values[i * kernel.shape[1] + j],
                                            layer.types.at("kernel").type.fraction_bits())));
        while (raw != 0 && raw % 2 == 0) raw /= 2;
        if (CsdDigits(raw).size() >= 3) odd_parts.insert(raw);
      }
      expected += static_cast<int64_t>(odd_parts.size());
    }
  }
  EXPECT_EQ(wide.DspCount(), expected);
  EXPECT_GT(expected, 30);
}

TEST(LowerNetworkTest, AFasterClockTakesMoreCyclesOfLessDelay) {
  const nn::Network network = QuantizedDenseNetwork({16, 16, 5}, 2, {});
  ASSERT_OK_AND_ASSIGN(const Design slow, LowerNetwork(network, {.clock_period_ns = 10}));
  ASSERT_OK_AND_ASSIGN(const Design fast, LowerNetwork(network, {.clock_period_ns = 2}));
  EXPECT_LT(slow.latency_cycles, fast.latency_cycles);
  EXPECT_LE(slow.critical_path_ps, 8750);
  EXPECT_LE(fast.critical_path_ps, 1750);
  EXPECT_TRUE(fast.warnings.empty());
}

TEST(LowerNetworkTest, AClockNoOperationMeetsIsWarnedOf) {
  const nn::Network network = QuantizedDenseNetwork({4, 4, 2}, 2, {});
  ASSERT_OK_AND_ASSIGN(const Design design, LowerNetwork(network, {.clock_period_ns = 0.3}));
  ASSERT_EQ(design.warnings.size(), 1);
  EXPECT_THAT(design.warnings[0], HasSubstr("a single operation"));
}

TEST(LowerNetworkTest, ANetworkPrunedToNothingIsItsBiases) {
  nn::Network network = QuantizedDenseNetwork({4, 4, 2}, 2, {});
  for (float& value : network.Find("fc2")->parameters["kernel"].values) value = 0;
  ASSERT_OK_AND_ASSIGN(const Design design, LowerNetwork(network, {}));
  EXPECT_EQ(design.AdderCount(), 0);
  ExpectEqualToReference(network, design, 1);
}

TEST(LowerNetworkTest, AFloatNetworkIsRefusedByItsLayer) {
  const nn::Network network = ::dovetail::testing::DenseNetwork({4, 4, 2}, 2);
  EXPECT_THAT(LowerNetwork(network, {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("quantise the network")));
}

TEST(LowerNetworkTest, WeightsOffTheirGridAreRefused) {
  nn::Network network = QuantizedDenseNetwork({4, 4, 2}, 2, {});
  network.Find("fc1")->parameters["kernel"].values[3] += 0.001f;
  EXPECT_THAT(LowerNetwork(network, {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("\"fc1\"")));
}

TEST(LowerNetworkTest, ANarrowAccumulatorIsUnimplemented) {
  nn::Network network = QuantizedDenseNetwork({4, 4, 2}, 2, {});
  network.Find("fc2")->types["accumulator"] = {.type = {.width_bits = 5, .integer_bits = 3}};
  EXPECT_THAT(LowerNetwork(network, {}),
              StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("narrower than exact")));
}

TEST(LowerNetworkTest, AnUnknownPartNamesTheNearest) {
  const nn::Network network = QuantizedDenseNetwork({4, 4, 2}, 2, {});
  EXPECT_THAT(LowerNetwork(network, {.part = "xcu251-figd2104-2L-e"}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("did you mean \"xcu250\"")));
}

}  // namespace
}  // namespace dovetail::hardware
