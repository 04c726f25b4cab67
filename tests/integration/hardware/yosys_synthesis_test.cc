#include <gtest/gtest.h>

#include "services/worker/backends/yosys/yosys_backend.h"
#include "services/worker/hardware/design.h"
#include "services/worker/rtl/verilog_printer.h"
#include "tests/support/quantized_networks.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace dovetail {
namespace {

using ::testing::HasSubstr;
using testing::QuantizedDenseNetwork;
using testing::StatusIs;

std::map<std::string, std::string> ModulesOf(const nn::Network& network) {
  const auto design = hardware::LowerNetwork(network, {});
  return rtl::SplitModules(rtl::PrintVerilog(*design).Text());
}

TEST(YosysSynthesisTest, ASecondRunComesFromTheCacheAndAChangedLayerCostsOnlyItself) {
  nn::Network network =
      QuantizedDenseNetwork({6, 8, 4}, 5, {.weight_bits = 12, .activation_bits = 12});
  testing::TempDir directory;
  testing::TempDir cache;
  const backends::YosysOptions options{.scratch_directory = directory.path(),
                                       .cache_directory = cache.path()};
  const auto family = hardware::Family::kUltraScalePlus;
  const auto first = backends::SynthesizeWithYosys(ModulesOf(network), family, options);
  if (absl::IsFailedPrecondition(first.status())) GTEST_SKIP() << first.status().message();
  ASSERT_OK(first);
  const auto design = hardware::LowerNetwork(network, {});
  EXPECT_EQ(first->total.dsp, design->DspCount());
  EXPECT_GT(first->total.dsp, 10);
  EXPECT_GT(first->total.Lut(), 100);
  EXPECT_LE(first->total.ff, design->RegisterBits());
  EXPECT_EQ(first->shapes_cached, 0);

  ASSERT_OK_AND_ASSIGN(const backends::YosysResult second,
                       backends::SynthesizeWithYosys(ModulesOf(network), family, options));
  EXPECT_EQ(second.total, first->total);
  EXPECT_EQ(second.shapes_cached, second.shape_count);
  EXPECT_EQ(second.tool_seconds, 0);

  nn::Tensor& kernel = network.Find("fc2")->parameters["kernel"];
  for (float& value : kernel.values) value = -value;
  ASSERT_OK_AND_ASSIGN(const backends::YosysResult third,
                       backends::SynthesizeWithYosys(ModulesOf(network), family, options));
  ASSERT_EQ(third.layers.size(), 2);
  EXPECT_TRUE(third.layers[0].cached);
  EXPECT_FALSE(third.layers[1].cached);
}

TEST(YosysSynthesisTest, AMissingProgramIsToldInOneLine) {
  testing::TempDir directory;
  EXPECT_THAT(backends::SynthesizeWithYosys(
                  {}, hardware::Family::kSeries7,
                  {.program = "no-such-yosys", .scratch_directory = directory.path()}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("install Yosys")));
}

TEST(YosysSynthesisTest, AFamilyWithoutAScriptIsUnimplemented) {
  EXPECT_THAT(backends::SynthesizeWithYosys({}, hardware::Family::kEcp5, {}),
              StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("ecp5")));
}

}  // namespace
}  // namespace dovetail
