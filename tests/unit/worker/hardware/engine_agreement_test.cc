// The hardware IR and the fixed-point engine compute the same bits on random networks.
#include <gtest/gtest.h>

#include "common/base/rng.h"
#include "services/worker/fixedpoint/engine.h"
#include "services/worker/hardware/design.h"
#include "tests/support/quantized_networks.h"
#include "tests/support/status_matchers.h"

namespace dovetail::hardware {
namespace {

void ExpectAgreement(const nn::Network& network, uint64_t seed) {
  constexpr int64_t kSamples = 100;
  ASSERT_OK_AND_ASSIGN(const Design design, LowerNetwork(network, {}));
  ASSERT_OK_AND_ASSIGN(const auto engine, fixedpoint::Engine::Make(network));
  const int64_t inputs = static_cast<int64_t>(design.input_types.size());
  Rng rng(seed);
  std::vector<float> features;
  for (int64_t i = 0; i < kSamples * inputs; ++i) {
    features.push_back(static_cast<float>(3 * rng.Normal()));
  }
  ASSERT_OK_AND_ASSIGN(const std::vector<int64_t> raw, engine->QuantizeInputs(features, kSamples));
  ASSERT_OK_AND_ASSIGN(const std::vector<int64_t> logits, engine->RunRaw(features, kSamples));
  const int64_t outputs = engine->output_count();
  for (int64_t n = 0; n < kSamples; ++n) {
    const std::vector<int64_t> expected(logits.begin() + n * outputs,
                                        logits.begin() + (n + 1) * outputs);
    ASSERT_EQ(design.Evaluate(absl::MakeSpan(raw).subspan(n * inputs, inputs)), expected)
        << "sample " << n;
  }
}

TEST(EngineAgreementTest, RandomNetworksOfEveryWidth) {
  for (int bits = 2; bits <= 18; bits += 2) {
    SCOPED_TRACE(bits);
    ExpectAgreement(testing::QuantizedDenseNetwork({8, 10, 6, 5}, bits,
                                                   {.weight_bits = bits,
                                                    .activation_bits = bits,
                                                    .kept_fraction = bits % 4 == 0 ? 0.4 : 1}),
                    bits);
  }
}

TEST(EngineAgreementTest, EveryRoundingAndOverflowMode) {
  for (Quantization rounding :
       {Quantization::kTrn, Quantization::kTrnZero, Quantization::kRnd, Quantization::kRndZero,
        Quantization::kRndMinInf, Quantization::kRndInf, Quantization::kRndConv}) {
    for (Overflow overflow :
         {Overflow::kWrap, Overflow::kSat, Overflow::kSatZero, Overflow::kSatSym}) {
      SCOPED_TRACE(QuantizationToText(rounding) + " " + OverflowToText(overflow));
      ExpectAgreement(
          testing::QuantizedDenseNetwork(
              {5, 6, 3}, 3, {.rounding = rounding, .overflow = overflow, .result_integer_bits = 1}),
          7);
    }
  }
}

}  // namespace
}  // namespace dovetail::hardware
