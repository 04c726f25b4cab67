#include <gtest/gtest.h>

#include "services/worker/backends/verilator/verilator_backend.h"
#include "services/worker/hardware/design.h"
#include "services/worker/rtl/verilog_printer.h"
#include "tests/support/quantized_networks.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace dovetail {
namespace {

using testing::QuantizedDenseNetwork;

backends::SimulationRequest RequestFor(const nn::Network& network, const hardware::Design& design,
                                       int vectors) {
  backends::SimulationRequest request{.verilog = rtl::PrintVerilog(design).Text(),
                                      .defines = {rtl::kBehaviouralMacro},
                                      .latency_cycles = design.latency_cycles};
  for (const FixedType& type : design.input_types) {
    request.inputs.push_back({type.width_bits, type.is_signed});
  }
  for (const FixedType& type : design.output_types) {
    request.outputs.push_back({type.width_bits, type.is_signed});
  }
  Rng rng(8);
  for (int k = 0; k < vectors; ++k) {
    const std::vector<int64_t> input = testing::RandomRawInput(network, rng);
    const std::vector<int64_t> output = testing::RunSlowly(network, input);
    request.vectors.insert(request.vectors.end(), input.begin(), input.end());
    request.expected.insert(request.expected.end(), output.begin(), output.end());
  }
  return request;
}

TEST(RtlVerilatorTest, AWideNetworkWithDspsMatchesAndItsLatencyIsMeasured) {
  const nn::Network network =
      QuantizedDenseNetwork({8, 8, 4}, 5, {.weight_bits = 14, .activation_bits = 14});
  ASSERT_OK_AND_ASSIGN(const hardware::Design design,
                       hardware::LowerNetwork(network, {.clock_period_ns = 3}));
  ASSERT_GT(design.DspCount(), 50);
  backends::SimulationRequest request = RequestFor(network, design, 300);
  request.expected[4 * 77 + 2] ^= 1;  // one wrong expectation is one mismatch
  request.latency_cycles += 3;        // the latency is measured, not believed
  testing::TempDir directory;
  const auto result =
      backends::SimulateWithVerilator(request, {.scratch_directory = directory.path()});
  if (absl::IsFailedPrecondition(result.status())) GTEST_SKIP() << result.status().message();
  ASSERT_OK(result);
  EXPECT_EQ(result->vector_count, 300);
  EXPECT_EQ(result->mismatched_vectors, 1);
  EXPECT_EQ(result->first_mismatch, 77);
  EXPECT_EQ(result->latency_cycles, design.latency_cycles);
}

}  // namespace
}  // namespace dovetail
