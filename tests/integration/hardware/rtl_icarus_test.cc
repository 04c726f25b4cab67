// The printed Verilog, simulated by Icarus, equals the reference for every rounding and overflow
// mode and width: many small networks, no compilation.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "common/base/rng.h"
#include "services/worker/hardware/design.h"
#include "services/worker/rtl/verilog_printer.h"
#include "services/worker/sandbox/run_caged.h"
#include "tests/support/quantized_networks.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace dovetail {
namespace {

using testing::QuantizedDenseNetwork;
using testing::QuantizeOptions;

constexpr int kVectors = 60;

std::string BitsOf(const std::vector<int64_t>& values, const std::vector<FixedType>& types) {
  std::string bits;
  for (size_t i = values.size(); i-- > 0;) {
    for (int bit = types[i].width_bits - 1; bit >= 0; --bit) {
      bits.push_back(((values[i] >> bit) & 1) != 0 ? '1' : '0');
    }
  }
  return bits;
}

// One line of output bits per vector, vectors back to back.
std::string Testbench(int64_t latency, size_t x_bits, size_t y_bits) {
  return absl::StrCat("module bench;\n  reg clk = 0;\n  reg [", x_bits - 1,
                      ":0] xs [0:", kVectors - 1, "];\n  reg [", x_bits - 1, ":0] x;\n  wire [",
                      y_bits - 1,
                      ":0] y;\n  myproject d(.clk(clk), .x(x), .y(y));\n  integer t;\n"
                      "  initial begin\n    $readmemb(\"x.txt\", xs);\n    for (t = 0; t < ",
                      kVectors + latency - 1, "; t = t + 1) begin\n      x = xs[t < ", kVectors,
                      " ? t : ", kVectors - 1, "]; #1 clk = 1; #1;\n      if (t >= ", latency - 1,
                      ") $display(\"%b\", y);\n      clk = 0; #1;\n    end\n    $finish(0);\n"
                      "  end\nendmodule\n");
}

void ExpectRtlEqualsReference(const nn::Network& network, const hardware::LowerOptions& options,
                              bool chain_of_dense = true) {
  ASSERT_OK_AND_ASSIGN(const hardware::Design design, hardware::LowerNetwork(network, options));
  testing::TempDir directory;
  const int64_t latency = std::max<int64_t>(1, design.latency_cycles);  // 0: all constant
  Rng rng(4);
  std::string inputs;
  std::string expected;
  for (int n = 0; n < kVectors; ++n) {
    const std::vector<int64_t> input = testing::RandomRawInput(network, rng);
    inputs += BitsOf(input, design.input_types) + "\n";
    expected += BitsOf(design.Evaluate(input), design.output_types) + "\n";
    if (!chain_of_dense) continue;
    ASSERT_EQ(design.Evaluate(input), testing::RunSlowly(network, input));
  }
  std::ofstream(directory / "x.txt") << inputs;
  std::ofstream(directory / "d.v") << rtl::PrintVerilog(design).Text()
                                   << Testbench(latency, inputs.find('\n'), expected.find('\n'));
  sandbox::CommandSpec spec{.argv = {"iverilog", absl::StrCat("-D", rtl::kBehaviouralMacro), "-o",
                                     "d.vvp", "-s", "bench", "d.v"},
                            .working_directory = directory.path(),
                            .captured_bytes = 1 << 20,
                            .writable = {directory.path()},
                            .cage = sandbox::CageKind::kPlain};
  auto compiled = sandbox::RunCaged(spec);
  if (absl::IsNotFound(compiled.status())) GTEST_SKIP() << "no iverilog here";
  ASSERT_OK(compiled);
  ASSERT_EQ(compiled->exit_code, 0) << compiled->stderr_text;
  spec.argv = {"vvp", "-n", "d.vvp"};
  ASSERT_OK_AND_ASSIGN(const sandbox::CommandResult run, sandbox::RunCaged(spec));
  ASSERT_EQ(run.stdout_text, expected);
}

TEST(RtlIcarusTest, EveryRoundingAndOverflowModeEqualsTheReference) {
  for (Quantization rounding :
       {Quantization::kTrn, Quantization::kTrnZero, Quantization::kRnd, Quantization::kRndZero,
        Quantization::kRndMinInf, Quantization::kRndInf, Quantization::kRndConv}) {
    for (Overflow overflow :
         {Overflow::kWrap, Overflow::kSat, Overflow::kSatZero, Overflow::kSatSym}) {
      SCOPED_TRACE(QuantizationToText(rounding) + " " + OverflowToText(overflow));
      ExpectRtlEqualsReference(
          QuantizedDenseNetwork({5, 6, 3}, 11,
                                {.rounding = rounding,
                                 .overflow = overflow,
                                 .result_integer_bits = rounding == Quantization::kTrn ? 1 : 2}),
          {});
    }
  }
}

TEST(RtlIcarusTest, EveryWidthSparsityAndClockEqualsTheReference) {
  for (int bits : {2, 5, 8, 12, 18}) {
    for (double kept : {0.1, 1.0}) {
      for (double clock_ns : {1.5, 3.0, 10.0}) {
        SCOPED_TRACE(absl::StrCat(bits, " bits, kept ", kept, ", ", clock_ns, " ns"));
        ExpectRtlEqualsReference(
            QuantizedDenseNetwork(
                {6, 8, 4}, bits,
                {.weight_bits = bits, .activation_bits = bits, .kept_fraction = kept}),
            {.part = clock_ns == 3.0 ? "xc7z045ffg900-2" : "xcu250-figd2104-2L-e",
             .clock_period_ns = clock_ns,
             .strategy = clock_ns == 1.5 ? "distributed_arithmetic" : "latency"});
      }
    }
  }
}

// The IR of this network against the engine: tests/unit/worker/hardware/convolution_test.cc.
TEST(RtlIcarusTest, AConvolutionWithPoolingEqualsTheIr) {
  ExpectRtlEqualsReference(testing::SmallConvolution(), {.clock_period_ns = 3},
                           /*chain_of_dense=*/false);
}

}  // namespace
}  // namespace dovetail
