#include "common/hardware/open_path_model.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace dovetail::hardware {
namespace {

using ::dovetail::testing::StatusIs;
using ::testing::HasSubstr;

NetworkSummary JetSummary() {
  NetworkSummary network;
  const std::vector<int64_t> widths = {16, 64, 32, 32, 5};
  for (size_t i = 1; i < widths.size(); ++i) {
    network.layers.push_back(
        {.name = "fc", .kind = "dense", .n_in = widths[i - 1], .n_out = widths[i]});
    network.layers.push_back({.name = "relu", .kind = "relu"});
  }
  return network;
}

OpenPathEstimate Estimate(const OpenPathKnobs& knobs) {
  return EstimateOpenPath(JetSummary(), "xcu250-figd2104-2L-e", knobs).value();
}

// Counted by synthesis of random networks of this shape at 5 ns: 30 % of weights at 6 bits, all at
// 6 bits, all at 18 bits.
TEST(OpenPathModelTest, JetNetworksAreNearTheirSynthesis) {
  const OpenPathEstimate pruned = Estimate({.kept_fraction = {0.3}});
  EXPECT_NEAR(pruned.lut, 14462, 0.15 * 14462);
  EXPECT_LT(pruned.dsp, 1);
  EXPECT_NEAR(pruned.latency_cycles, 8, 1);
  const OpenPathEstimate dense = Estimate({});
  EXPECT_NEAR(dense.lut, 36184, 0.15 * 36184);
  const OpenPathEstimate wide = Estimate({.weight_bits = {18}, .activation_bits = {18}});
  EXPECT_NEAR(wide.lut, 136938, 0.15 * 136938);
  EXPECT_NEAR(wide.dsp, 4236, 0.1 * 4236);
  EXPECT_NEAR(wide.latency_cycles, 13, 2);
}

TEST(OpenPathModelTest, FewerWeightsAndBitsNeverCostMore) {
  double last = 1e9;
  for (double kept : {1.0, 0.7, 0.4, 0.2, 0.1, 0.03}) {
    const double lut = Estimate({.kept_fraction = {kept}}).lut;
    EXPECT_LT(lut, last) << kept;
    last = lut;
  }
  for (double bits : {9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0}) {
    EXPECT_LT(Estimate({.weight_bits = {bits}}).lut, Estimate({.weight_bits = {bits + 1}}).lut);
  }
}

TEST(OpenPathModelTest, AKnobPerLayerIsTaken) {
  const OpenPathEstimate one = Estimate({.kept_fraction = {0.3, 0.3, 0.3, 0.3}});
  EXPECT_EQ(one.lut, Estimate({.kept_fraction = {0.3}}).lut);
  EXPECT_THAT(EstimateOpenPath(JetSummary(), "xcu250", {.weight_bits = {6, 6}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("2 values for 4 layers")));
}

TEST(OpenPathModelTest, AnUnknownPartIsNotFound) {
  EXPECT_THAT(EstimateOpenPath(JetSummary(), "xcz", {}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("did you mean")));
}

}  // namespace
}  // namespace dovetail::hardware
