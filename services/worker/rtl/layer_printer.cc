#include "services/worker/rtl/layer_printer.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"

namespace dovetail::rtl {

using hardware::Node;
using hardware::NodeKind;

LayerPrinter::LayerPrinter(const hardware::Design& design, const hardware::LayerDesign& layer,
                           std::map<std::string, std::string>& shapes)
    : design_(design), layer_(layer), graph_(layer.graph), shapes_(shapes) {
  std::vector<int> outputs;
  for (int element : layer.output_ports) outputs.push_back(layer.output_nodes[element]);
  last_use_ = hardware::LastUse(graph_, outputs, layer.schedule);
}

Operand LayerPrinter::At(int index, int stage) const {
  const Node& node = graph_.node(index);
  Operand operand{.width_bits = node.range.WidthBits(), .is_signed = node.range.IsSigned()};
  if (node.kind == NodeKind::kConstant) {
    operand.value = node.constant;
    operand.width_bits = std::max(1, operand.width_bits);
    return operand;
  }
  const int delay = stage - layer_.schedule.stage[index];
  operand.name = delay == 0 ? absl::StrCat("n", index) : absl::StrCat("n", index, "_d", delay);
  return operand;
}

void LayerPrinter::Assign(int index, const std::string& expression) {
  absl::StrAppend(&body_, "  wire [", graph_.node(index).range.WidthBits() - 1, ":0] n", index,
                  " = ", expression, ";\n");
}

void LayerPrinter::Instance(int index, const std::string& module, const std::string& text,
                            const std::string& ports) {
  shapes_.emplace(module, text);
  ++printed_.shapes[module];
  absl::StrAppend(&body_, "  ", module, " u", index, " (", ports, ");\n");
}

void LayerPrinter::PrintInputs() {
  for (int element : layer_.input_ports) {
    const int index = layer_.input_nodes[element];
    const int width = graph_.node(index).range.WidthBits();
    Assign(index, absl::StrCat("x[", input_bits_ + width - 1, ":", input_bits_, "]"));
    input_bits_ += width;
  }
}

void LayerPrinter::PrintAdder(int index) {
  const Node& node = graph_.node(index);
  const int stage = layer_.schedule.stage[index];
  Operand a = At(node.a, stage);
  Operand b = At(node.b, stage);
  const int width = node.range.WidthBits();
  const int low = std::min(node.shift, width);
  const int core = width - low;
  if (core == 0 || hardware::CarryBits(graph_, node) == 0) {
    std::string high = core == 0 ? "" : absl::StrCat(b.Bits(0, core), ", ");
    Assign(index, absl::StrCat("{", high, a.Bits(0, low), "}"));
    return;
  }
  absl::StrAppend(&body_, "  wire [", width - 1, ":0] n", index, ";\n");
  if (low > 0) {
    absl::StrAppend(&body_, "  assign n", index, "[", low - 1, ":0] = ", a.Bits(0, low), ";\n");
  }
  AdderShape shape{.subtract = node.kind == NodeKind::kSubtract, .y_bits = core};
  const auto cut = [core](int bits, bool is_signed) {
    return bits >= core ? std::make_pair(core, false) : std::make_pair(bits, is_signed);
  };
  std::tie(shape.a_bits, shape.a_signed) = cut(std::max(1, a.width_bits - low), a.is_signed);
  std::tie(shape.b_bits, shape.b_signed) = cut(b.width_bits, b.is_signed);
  std::string a_bits = a.Bits(low, shape.a_bits);
  std::string b_bits = b.Bits(0, shape.b_bits);
  if (!shape.subtract &&
      std::make_pair(shape.a_bits, shape.a_signed) < std::make_pair(shape.b_bits, shape.b_signed)) {
    std::swap(shape.a_bits, shape.b_bits);
    std::swap(shape.a_signed, shape.b_signed);
    std::swap(a_bits, b_bits);
  }
  Instance(index, shape.Name(), shape.Text(),
           absl::StrCat(".a(", a_bits, "), .b(", b_bits, "), .y(n", index, "[", width - 1, ":", low,
                        "])"));
}

void LayerPrinter::PrintMultiplier(int index) {
  const Node& node = graph_.node(index);
  const int cycles = layer_.schedule.dsp_registers.Cycles();
  Operand a = At(node.a, layer_.schedule.stage[index] - cycles);
  const hardware::Range constant{node.constant, node.constant};
  Operand b{
      .width_bits = constant.WidthBits(), .is_signed = constant.IsSigned(), .value = node.constant};
  // The wider signed operand takes the DSP's wide port.
  const auto signed_width = [](const Operand& o) { return o.width_bits + (o.is_signed ? 0 : 1); };
  if (signed_width(b) > signed_width(a)) std::swap(a, b);
  const MultiplierShape shape{.family = design_.device.family,
                              .a_bits = a.width_bits,
                              .a_signed = a.is_signed,
                              .b_bits = b.width_bits,
                              .b_signed = b.is_signed,
                              .y_bits = node.range.WidthBits(),
                              .registers = layer_.schedule.dsp_registers};
  absl::StrAppend(&body_, "  wire [", shape.y_bits - 1, ":0] n", index, ";\n");
  Instance(index, shape.Name(), shape.Text(),
           absl::StrCat(".clk(clk), .a(", a.Bits(0, a.width_bits), "), .b(",
                        b.Bits(0, b.width_bits), "), .y(n", index, ")"));
}

void LayerPrinter::PrintRound(int index) {
  const Node& node = graph_.node(index);
  const Operand a = At(node.a, layer_.schedule.stage[index]);
  const int width = node.range.WidthBits();
  const std::string half = a.Bits(node.shift - 1, 1);
  const std::string below =
      node.shift > 1 ? absl::StrCat("(|", a.Bits(0, node.shift - 1), ")") : "1'b0";
  const std::string sign = a.Sign();
  std::string up;
  switch (node.type.quantization) {
    case Quantization::kTrn:
      up = "1'b0";
      break;
    case Quantization::kTrnZero:
      up = absl::StrCat(sign, " & (", half, " | ", below, ")");
      break;
    case Quantization::kRnd:
      up = half;
      break;
    case Quantization::kRndZero:
      up = absl::StrCat(half, " & (", sign, " | ", below, ")");
      break;
    case Quantization::kRndMinInf:
      up = absl::StrCat(half, " & ", below);
      break;
    case Quantization::kRndInf:
      up = absl::StrCat(half, " & (~", sign, " | ", below, ")");
      break;
    case Quantization::kRndConv:
      up = absl::StrCat(half, " & (", below, " | ", a.Bits(node.shift, 1), ")");
      break;
  }
  absl::StrAppend(&body_, "  wire up", index, " = ", up, ";\n  wire [", width - 1, ":0] n", index,
                  ";\n");
  const AdderShape shape{.a_bits = width, .b_bits = 1, .y_bits = width};
  Instance(
      index, shape.Name(), shape.Text(),
      absl::StrCat(".a(", a.Bits(node.shift, width), "), .b(up", index, "), .y(n", index, ")"));
}

void LayerPrinter::PrintClamp(int index) {
  const Node& node = graph_.node(index);
  const Operand a = At(node.a, layer_.schedule.stage[index]);
  const int width = node.range.WidthBits();
  const FixedType& type = node.type;
  if (type.overflow == Overflow::kWrap) {
    Assign(index, a.Bits(0, width));
    return;
  }
  // Bits that must all be copies of the sign (signed types) or zero.
  const int first = type.is_signed ? type.width_bits - 1 : type.width_bits;
  const int excess = a.width_bits - first;
  std::string beyond = "1'b0";
  if (excess > 0) {
    const std::string high = a.Bits(first, excess);
    beyond = type.is_signed && a.is_signed ? absl::StrCat("~(&", high, " | ~|", high, ")")
                                           : absl::StrCat("|", high);
  }
  if (!type.is_signed && a.is_signed) beyond = absl::StrCat(a.Sign(), " | (", beyond, ")");
  const hardware::Range bounds = hardware::RangeOfType(type);
  int64_t low = bounds.low;
  int64_t high = bounds.high;
  if (type.overflow == Overflow::kSatSym && type.is_signed) {
    low = -high;
    const std::string magnitude = type.width_bits > 1
                                      ? absl::StrCat("~|", a.Bits(0, type.width_bits - 1))
                                      : std::string("1'b1");
    beyond = absl::StrCat("(", beyond, ") | (", a.Sign(), " & ", magnitude, ")");
  }
  if (type.overflow == Overflow::kSatZero) low = high = 0;
  absl::StrAppend(&body_, "  wire beyond", index, " = ", beyond, ";\n");
  Assign(index, absl::StrCat("beyond", index, " ? (", a.Sign(), " ? ", Literal(low, width), " : ",
                             Literal(high, width), ") : ", a.Bits(0, width)));
}

void LayerPrinter::PrintMaximum(int index) {
  const Node& node = graph_.node(index);
  const int stage = layer_.schedule.stage[index];
  const Operand a = At(node.a, stage);
  const Operand b = At(node.b, stage);
  const int width = node.range.WidthBits();
  const auto is_zero = [](const Operand& o) { return o.IsConstant() && o.value == 0; };
  if (is_zero(a) || is_zero(b)) {
    const Operand& x = is_zero(a) ? b : a;
    Assign(index, absl::StrCat(x.Sign(), " ? ", Literal(0, width), " : ", x.Bits(0, width)));
    return;
  }
  const int wide = std::max(a.width_bits, b.width_bits) + 1;
  Assign(index, absl::StrCat("($signed(", a.Bits(0, wide), ") > $signed(", b.Bits(0, wide), ")) ? ",
                             a.Bits(0, width), " : ", b.Bits(0, width)));
}

void LayerPrinter::PrintNode(int index) {
  const Node& node = graph_.node(index);
  const int width = node.range.WidthBits();
  const int stage = layer_.schedule.stage[index];
  switch (node.kind) {
    case NodeKind::kInput:
    case NodeKind::kConstant:
      return;
    case NodeKind::kAdd:
    case NodeKind::kSubtract:
      return PrintAdder(index);
    case NodeKind::kNot:
      return Assign(index, absl::StrCat("~", At(node.a, stage).Bits(0, width)));
    case NodeKind::kMultiply:
      return PrintMultiplier(index);
    case NodeKind::kShift: {
      const Operand a = At(node.a, stage);
      if (node.shift < 0) return Assign(index, a.Bits(-node.shift, width));
      return Assign(index,
                    absl::StrCat("{", a.Bits(0, width - node.shift), ", ", node.shift, "'d0}"));
    }
    case NodeKind::kRound:
      return PrintRound(index);
    case NodeKind::kClamp:
      return PrintClamp(index);
    case NodeKind::kMaximum:
      return PrintMaximum(index);
  }
}

void LayerPrinter::PrintRegisters() {
  for (size_t i = 0; i < graph_.nodes().size(); ++i) {
    const int delays = last_use_[i] - layer_.schedule.stage[i];
    if (graph_.node(i).kind == NodeKind::kConstant || last_use_[i] < 0 || delays <= 0) continue;
    std::string names;
    std::string before = absl::StrCat("n", i);
    for (int d = 1; d <= delays; ++d) {
      const std::string name = absl::StrCat("n", i, "_d", d);
      absl::StrAppend(&names, d > 1 ? ", " : "", name);
      absl::StrAppend(&moves_, "    ", name, " <= ", before, ";\n");
      before = name;
    }
    absl::StrAppend(&body_, "  reg [", graph_.node(i).range.WidthBits() - 1, ":0] ", names, ";\n");
  }
}

void LayerPrinter::PrintOutputs() {
  std::string parts;
  for (int element : layer_.output_ports) {
    const Operand operand = At(layer_.output_nodes[element], layer_.schedule.latency_cycles);
    parts = absl::StrCat(operand.name, parts.empty() ? "" : ", ", parts);
    output_bits_ += operand.width_bits;
  }
  absl::StrAppend(&body_, "  assign y = {", parts, "};\n");
}

PrintedLayer LayerPrinter::Print() {
  printed_.module = layer_.module;
  PrintInputs();
  PrintRegisters();
  for (size_t i = 0; i < graph_.nodes().size(); ++i) {
    if (last_use_[i] >= 0) PrintNode(static_cast<int>(i));
  }
  absl::StrAppend(&body_, "  always @(posedge clk) begin\n", moves_, "  end\n");
  PrintOutputs();
  printed_.text =
      absl::StrCat("module ", layer_.module, "(input clk, input [", input_bits_ - 1,
                   ":0] x, output [", output_bits_ - 1, ":0] y);\n", body_, "endmodule\n");
  return std::move(printed_);
}

}  // namespace dovetail::rtl
