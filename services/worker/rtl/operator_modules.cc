#include "services/worker/rtl/operator_modules.h"

#include "absl/strings/str_cat.h"
#include "services/worker/rtl/operand.h"
#include "services/worker/rtl/verilog_printer.h"

namespace dovetail::rtl {
namespace {

std::string Width(bool is_signed, int bits) { return absl::StrCat(is_signed ? "s" : "u", bits); }

std::string Bus(int bits) { return absl::StrCat("[", bits - 1, ":0]"); }

bool IsSeries7(hardware::Family family) { return family == hardware::Family::kSeries7; }

}  // namespace

std::string AdderShape::Name() const {
  return absl::StrCat(subtract ? "sub_" : "add_", Width(a_signed, a_bits), "_",
                      Width(b_signed, b_bits), "_", y_bits);
}

std::string AdderShape::Text() const {
  const Operand a{"a", a_bits, a_signed};
  const Operand b{"b", b_bits, b_signed};
  return absl::StrCat("module ", Name(), "(input ", Bus(a_bits), " a, input ", Bus(b_bits),
                      " b, output ", Bus(y_bits), " y);\n  assign y = ", a.Bits(0, y_bits),
                      subtract ? " - " : " + ", b.Bits(0, y_bits), ";\nendmodule\n");
}

std::string MultiplierShape::Name() const {
  return absl::StrCat(IsSeries7(family) ? "dsp48e1_" : "dsp48e2_", Width(a_signed, a_bits), "_",
                      Width(b_signed, b_bits), "_", y_bits, "_", registers.input ? "a" : "",
                      registers.product ? "m" : "", "p");
}

std::string MultiplierShape::Text() const {
  const bool series7 = IsSeries7(family);
  const Operand a{"a", a_bits, a_signed};
  const Operand b{"b", b_bits, b_signed};
  const int input = registers.input ? 1 : 0;
  const int product = registers.product ? 1 : 0;
  std::string text = absl::StrCat("module ", Name(), "(input clk, input ", Bus(a_bits),
                                  " a, input ", Bus(b_bits), " b, output ", Bus(y_bits), " y);\n");
  absl::StrAppend(&text, "  wire [29:0] wide = ", a.Bits(0, 30),
                  ";\n  wire [17:0] narrow = ", b.Bits(0, 18),
                  ";\n  wire [47:0] p;\n  assign y = p", Bus(y_bits), ";\n");

  absl::StrAppend(&text, "`ifdef ", kBehaviouralMacro, "\n");
  std::string x = series7 ? "wide[24:0]" : "wide[26:0]";
  std::string w = "narrow";
  if (input != 0) {
    absl::StrAppend(&text, "  reg [", series7 ? 24 : 26, ":0] a_q;\n  reg [17:0] b_q;\n",
                    "  always @(posedge clk) begin a_q <= ", x, "; b_q <= ", w, "; end\n");
    x = "a_q";
    w = "b_q";
  }
  absl::StrAppend(&text, "  wire signed [47:0] m = $signed(", x, ") * $signed(", w, ");\n");
  std::string m = "m";
  if (product != 0) {
    absl::StrAppend(&text, "  reg [47:0] m_q;\n  always @(posedge clk) m_q <= m;\n");
    m = "m_q";
  }
  absl::StrAppend(&text, "  reg [47:0] p_q;\n  always @(posedge clk) p_q <= ", m,
                  ";\n  assign p = p_q;\n`else\n");

  absl::StrAppend(
      &text, "  ", series7 ? "DSP48E1" : "DSP48E2", " #(.AREG(", input, "), .ACASCREG(", input,
      "), .BREG(", input, "), .BCASCREG(", input, "), .MREG(", product,
      "), .PREG(1), .CREG(0), .DREG(0), .ADREG(0), .INMODEREG(0), .OPMODEREG(0), .ALUMODEREG(0),\n"
      "    .CARRYINREG(0), .CARRYINSELREG(0), .USE_MULT(\"MULTIPLY\")) dsp (.CLK(clk), .A(wide), "
      ".B(narrow), .C(48'd0), .D(",
      series7 ? "25" : "27", "'d0), .OPMODE(", series7 ? "7'b0000101" : "9'b000000101",
      "), .ALUMODE(4'd0), .INMODE(5'd0),\n"
      "    .CARRYIN(1'b0), .CARRYINSEL(3'd0), .CEA1(1'b0), .CEA2(1'b1), .CEB1(1'b0), .CEB2(1'b1), "
      ".CEM(1'b1), .CEP(1'b1), .CEC(1'b0), .CED(1'b0), .CEAD(1'b0),\n"
      "    .CEALUMODE(1'b0), .CECTRL(1'b0), .CEINMODE(1'b0), .CECARRYIN(1'b0), .RSTA(1'b0), "
      ".RSTB(1'b0), .RSTM(1'b0), .RSTP(1'b0), .RSTC(1'b0), .RSTD(1'b0),\n"
      "    .RSTALUMODE(1'b0), .RSTCTRL(1'b0), .RSTINMODE(1'b0), .RSTALLCARRYIN(1'b0), .P(p));\n"
      "`endif\nendmodule\n");
  return text;
}

}  // namespace dovetail::rtl
