#include "services/worker/rtl/verilog_printer.h"

#include <gtest/gtest.h>

#include <regex>

#include "services/worker/rtl/operand.h"
#include "services/worker/rtl/operator_modules.h"
#include "tests/support/quantized_networks.h"
#include "tests/support/status_matchers.h"

namespace dovetail::rtl {
namespace {

using ::testing::HasSubstr;

hardware::Design DesignOf(int bits) {
  return *hardware::LowerNetwork(
      testing::QuantizedDenseNetwork({5, 6, 3}, 4, {.weight_bits = bits, .activation_bits = bits}),
      {});
}

TEST(OperandTest, BitsBeyondTheWidthRepeatTheSign) {
  const Operand s{"a", 4, true};
  EXPECT_EQ(s.Bits(0, 4), "a");
  EXPECT_EQ(s.Bits(1, 2), "a[2:1]");
  EXPECT_EQ(s.Bits(2, 4), "{{2{a[3]}}, a[3:2]}");
  EXPECT_EQ(s.Bits(5, 2), "{2{a[3]}}");
  const Operand u{"b", 3, false};
  EXPECT_EQ(u.Bits(0, 5), "{2'd0, b}");
  const Operand constant{.width_bits = 4, .is_signed = true, .value = -3};
  EXPECT_EQ(constant.Bits(0, 6), "6'd61");
  EXPECT_EQ(constant.Bits(1, 3), "3'd6");
}

TEST(VerilogPrinterTest, TheSameDesignPrintsTheSameText) {
  EXPECT_EQ(PrintVerilog(DesignOf(12)).Text(), PrintVerilog(DesignOf(12)).Text());
}

TEST(VerilogPrinterTest, SynthesisNeverSeesABareProduct) {
  // Behavioural twins stand between `ifdef and `else.
  const std::regex twin("`ifdef DOVETAIL_BEHAVIOURAL[^`]*`else");
  const std::string seen = std::regex_replace(PrintVerilog(DesignOf(14)).Text(), twin, "");
  EXPECT_THAT(seen, HasSubstr("DSP48E2"));
  EXPECT_EQ(seen.find(" * "), std::string::npos);
}

TEST(VerilogPrinterTest, EveryInstanceHasAModule) {
  const PrintedDesign printed = PrintVerilog(DesignOf(6));
  const auto modules = SplitModules(printed.Text());
  for (const PrintedLayer& layer : printed.layers) {
    for (const auto& [shape, count] : layer.shapes) {
      EXPECT_TRUE(modules.contains(shape)) << shape;
      EXPECT_GT(count, 0);
    }
  }
  EXPECT_EQ(modules.size(), printed.shapes.size() + printed.layers.size() + 1);
}

TEST(OperatorModulesTest, NamesSayTheShape) {
  const AdderShape adder{.a_bits = 7, .a_signed = true, .b_bits = 5, .y_bits = 8};
  EXPECT_EQ(adder.Name(), "add_s7_u5_8");
  EXPECT_THAT(adder.Text(), HasSubstr("assign y = {{1{a[6]}}, a} + {3'd0, b};"));
  const MultiplierShape multiplier{.family = hardware::Family::kSeries7,
                                   .a_bits = 18,
                                   .a_signed = true,
                                   .b_bits = 12,
                                   .y_bits = 30,
                                   .registers = {.product = true}};
  EXPECT_EQ(multiplier.Name(), "dsp48e1_s18_u12_30_mp");
  EXPECT_THAT(multiplier.Text(), HasSubstr(".MREG(1)"));
}

}  // namespace
}  // namespace dovetail::rtl
