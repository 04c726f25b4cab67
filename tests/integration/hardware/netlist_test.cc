// The mapped netlist equals the reference, vector after vector, in the cycle the design says.
#include "services/worker/rtl/netlist.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "common/base/rng.h"
#include "services/worker/backends/yosys/yosys_backend.h"
#include "services/worker/hardware/design.h"
#include "services/worker/rtl/verilog_printer.h"
#include "tests/support/quantized_networks.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace dovetail {
namespace {

constexpr int kLanes = 64;

void Scatter(const std::vector<int64_t>& values, const std::vector<FixedType>& types, int lane,
             std::vector<uint64_t>& words) {
  size_t at = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    for (int bit = 0; bit < types[i].width_bits; ++bit, ++at) {
      words[at] |= static_cast<uint64_t>((values[i] >> bit) & 1) << lane;
    }
  }
}

// 64 lanes over `groups` cycles back to back.
void ExpectNetlistEqualsReference(const nn::Network& network, const hardware::LowerOptions& options,
                                  int groups) {
  ASSERT_OK_AND_ASSIGN(const hardware::Design design, hardware::LowerNetwork(network, options));
  testing::TempDir scratch;
  const auto synthesis = backends::SynthesizeWithYosys(
      rtl::SplitModules(rtl::PrintVerilog(design).Text()), design.device.family,
      {.scratch_directory = scratch.path(), .keep_netlists = true});
  if (absl::IsFailedPrecondition(synthesis.status())) GTEST_SKIP() << synthesis.status().message();
  ASSERT_OK(synthesis);
  std::vector<std::string> texts;
  for (const std::string& file : synthesis->netlist_files) {
    std::ifstream in(file);
    texts.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  ASSERT_OK_AND_ASSIGN(const auto netlist, rtl::Netlist::Load(texts, "myproject"));
  Rng rng(17);
  std::vector<std::vector<uint64_t>> inputs;
  std::vector<std::vector<uint64_t>> expected;
  for (int g = 0; g < groups; ++g) {
    inputs.emplace_back(netlist->input_bits(), 0);
    expected.emplace_back(netlist->output_bits(), 0);
    for (int lane = 0; lane < kLanes; ++lane) {
      const std::vector<int64_t> input = testing::RandomRawInput(network, rng);
      Scatter(input, design.input_types, lane, inputs.back());
      Scatter(testing::RunSlowly(network, input), design.output_types, lane, expected.back());
    }
  }
  const int64_t latency = design.latency_cycles;
  for (int64_t t = 0; t < groups + latency - 1; ++t) {
    const std::vector<uint64_t> y = netlist->Clock(inputs[std::min<int64_t>(t, groups - 1)]);
    if (t < latency - 1) continue;
    ASSERT_EQ(y, expected[t - latency + 1]) << "cycle " << t;
  }
}

TEST(NetlistTest, ANarrowNetworkEqualsTheReferenceOnAThousandVectors) {
  ExpectNetlistEqualsReference(testing::QuantizedDenseNetwork({8, 12, 6, 4}, 3, {}), {}, 16);
}

TEST(NetlistTest, SharedSubexpressionsEqualTheReference) {
  ExpectNetlistEqualsReference(testing::QuantizedDenseNetwork({8, 12, 4}, 4, {}),
                               {.clock_period_ns = 2, .strategy = "distributed_arithmetic"}, 4);
}

TEST(NetlistTest, MultipliersAndRareModesEqualTheReference) {
  ExpectNetlistEqualsReference(testing::QuantizedDenseNetwork({5, 6, 3}, 5,
                                                              {.weight_bits = 13,
                                                               .activation_bits = 13,
                                                               .rounding = Quantization::kRndConv,
                                                               .overflow = Overflow::kSatSym,
                                                               .result_integer_bits = 2}),
                               {.part = "xc7z020clg400-1", .clock_period_ns = 3}, 4);
}

TEST(NetlistTest, GarbageIsRefused) {
  EXPECT_THAT(rtl::Netlist::Load({"{"}, "top"),
              testing::StatusIs(absl::StatusCode::kInvalidArgument, ::testing::_));
  EXPECT_THAT(rtl::Netlist::Load({"{\"modules\":{}}"}, "top"),
              testing::StatusIs(absl::StatusCode::kInvalidArgument, ::testing::HasSubstr("top")));
}

}  // namespace
}  // namespace dovetail
