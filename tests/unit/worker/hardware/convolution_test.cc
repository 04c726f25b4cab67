// Convolutions, pooling and scales, fully unrolled, against the fixed-point engine.
#include <gtest/gtest.h>

#include "common/base/rng.h"
#include "services/worker/fixedpoint/engine.h"
#include "services/worker/hardware/design.h"
#include "tests/support/quantized_networks.h"
#include "tests/support/status_matchers.h"

namespace dovetail::hardware {
namespace {

TEST(ConvolutionTest, UnrolledConvolutionEqualsTheEngine) {
  constexpr int64_t kSamples = 50;
  const nn::Network network = testing::SmallConvolution();
  ASSERT_OK(nn::Check(network));
  ASSERT_OK_AND_ASSIGN(const auto engine, fixedpoint::Engine::Make(network));
  for (const char* strategy : {"latency", "distributed_arithmetic"}) {
    ASSERT_OK_AND_ASSIGN(const Design design, LowerNetwork(network, {.strategy = strategy}));
    EXPECT_EQ(design.layers.size(), 3);
    Rng rng(2);
    std::vector<float> features;
    for (int64_t i = 0; i < kSamples * 72; ++i) {
      features.push_back(static_cast<float>(2 * rng.Normal()));
    }
    ASSERT_OK_AND_ASSIGN(const auto raw, engine->QuantizeInputs(features, kSamples));
    ASSERT_OK_AND_ASSIGN(const auto logits, engine->RunRaw(features, kSamples));
    for (int64_t n = 0; n < kSamples; ++n) {
      const std::vector<int64_t> expected(logits.begin() + 4 * n, logits.begin() + 4 * (n + 1));
      ASSERT_EQ(design.Evaluate(absl::MakeSpan(raw).subspan(72 * n, 72)), expected);
    }
  }
}

TEST(ConvolutionTest, ALayerWithoutHardwareIsNamed) {
  nn::Network network = testing::SmallConvolution();
  network.Find("pool")->op = nn::Op::kAveragePool;
  EXPECT_THAT(LowerNetwork(network, {}), testing::StatusIs(absl::StatusCode::kUnimplemented,
                                                           ::testing::HasSubstr("\"pool\"")));
}

}  // namespace
}  // namespace dovetail::hardware
