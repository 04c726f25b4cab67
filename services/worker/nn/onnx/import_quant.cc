// QONNX: Quant, BipolarQuant, Trunc.
// Source: the QONNX operator definitions (fastmachinelearning/qonnx, docs/qonnx-custom-ops).
#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/worker/nn/onnx/import_context.h"
#include "services/worker/nn/onnx/quantized_constant.h"

namespace dovetail::nn::onnx_file {
namespace {

struct QuantParameters {
  Constant scale;
  Constant bits;
  bool is_signed = true;
  bool is_narrow = false;
  std::string rounding;
};

absl::StatusOr<QuantParameters> ReadQuant(ImportContext& context, const Node& node) {
  QuantParameters quant;
  ASSIGN_OR_RETURN(const ConstantPtr scale, context.ConstantInput(node, 1));
  ASSIGN_OR_RETURN(const ConstantPtr zero_point, context.ConstantInput(node, 2));
  ASSIGN_OR_RETURN(const ConstantPtr bits, context.ConstantInput(node, 3));
  for (double zero : zero_point->values) {
    if (zero != 0) return Refuse(node, "a zero point other than 0 is not supported");
  }
  for (double one : scale->values) {
    if (!(one > 0) || !std::isfinite(one)) return Refuse(node, "a scale is not positive");
  }
  if (scale->values.empty() || bits->values.empty()) return Refuse(node, "an input is empty");
  quant.scale = *scale;
  quant.bits = *bits;
  quant.is_signed = node.Integer("signed", 1) != 0;
  quant.is_narrow = node.Integer("narrow", 0) != 0;
  quant.rounding = absl::AsciiStrToUpper(node.Text("rounding_mode", "ROUND"));
  return quant;
}

// `small` broadcast to `shape`: one number, or one per element.
absl::StatusOr<std::vector<double>> Expand(const Node& node, const Constant& small,
                                           const std::vector<int64_t>& shape) {
  if (small.values.size() == 1) return small.values;
  if (small.shape.size() > shape.size()) return Refuse(node, "its scale or width does not fit");
  std::vector<int64_t> stride(shape.size(), 0);
  int64_t step = 1;
  int64_t count = 1;
  for (int64_t extent : shape) count *= extent;
  for (size_t back = 1; back <= small.shape.size(); ++back) {
    const size_t d = shape.size() - back;
    const int64_t extent = small.shape[small.shape.size() - back];
    if (extent == 1) continue;
    if (extent != shape[d]) return Refuse(node, "its scale or width does not fit its input");
    stride[d] = step;
    step *= extent;
  }
  std::vector<double> result(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    int64_t rest = i;
    int64_t from = 0;
    for (size_t d = shape.size(); d-- > 0;) {
      from += rest % shape[d] * stride[d];
      rest /= shape[d];
    }
    result[i] = small.values[from];
  }
  return result;
}

absl::Status QuantConstant(ImportContext& context, const Node& node, const Constant& from,
                           const QuantParameters& quant) {
  Constant constant = from;
  ASSIGN_OR_RETURN(constant.quant_scale, Expand(node, quant.scale, constant.shape));
  ASSIGN_OR_RETURN(constant.quant_bits, Expand(node, quant.bits, constant.shape));
  constant.quant_signed = quant.is_signed;
  constant.quant_narrow = quant.is_narrow;
  constant.quant_rounding = quant.rounding;
  for (size_t i = 0; i < constant.values.size(); ++i) {
    const double scale = constant.quant_scale[constant.quant_scale.size() == 1 ? 0 : i];
    const double bits = constant.quant_bits[constant.quant_bits.size() == 1 ? 0 : i];
    const double steps =
        std::ldexp(1.0, static_cast<int>(std::clamp(bits, 0.0, 64.0)) - (quant.is_signed ? 1 : 0));
    const double narrow = quant.is_narrow ? 1 : 0;
    const double low = quant.is_signed ? -steps + narrow : 0;
    const double high = steps - 1 - (quant.is_signed ? 0 : narrow);
    const double raw = RoundAs(quant.rounding, std::clamp(constant.values[i] / scale, low, high));
    constant.values[i] = raw * scale;
  }
  context.BindConstant(node, std::move(constant));
  return absl::OkStatus();
}

// Per-element types of the layer `value` from per-tensor or broadcast scales and widths.
absl::StatusOr<TensorType> LayerType(ImportContext& context, const Node& node,
                                     const ImportedValue& value, const QuantParameters& quant,
                                     bool ignore_scale) {
  Constant one;
  one.values = {1.0};
  ASSIGN_OR_RETURN(const Tensor scale,
                   context.BroadcastParameter(node, value, ignore_scale ? one : quant.scale));
  ASSIGN_OR_RETURN(const Tensor bits, context.BroadcastParameter(node, value, quant.bits));
  const Tensor& longer = scale.values.size() >= bits.values.size() ? scale : bits;
  TensorType type;
  for (size_t i = 0; i < longer.values.size(); ++i) {
    ASSIGN_OR_RETURN(
        const FixedType element,
        QuantType(node, scale.values[i % scale.values.size()], bits.values[i % bits.values.size()],
                  quant.is_signed, quant.is_narrow, quant.rounding));
    type.elements.push_back(element);
  }
  type.type = type.elements[0];
  const bool uniform = std::all_of(type.elements.begin(), type.elements.end(),
                                   [&](const FixedType& t) { return t == type.type; });
  if (uniform) type.elements.clear();
  return type;
}

// The cast: the layer before takes the type where nothing else reads it, else a layer of its own.
absl::StatusOr<int> CastTo(ImportContext& context, const Node& node, int before,
                           const TensorType& type, bool may_change) {
  Layer& layer = context.layer(before);
  if (may_change && !layer.types.contains("result")) {
    layer.types["result"] = type;
    return before;
  }
  Layer cast{.op = Op::kQuantize, .inputs = {layer.name}};
  cast.types["result"] = type;
  return context.AddLayer(node, std::move(cast));
}

absl::StatusOr<int> MultiplyAfter(ImportContext& context, const Node& node, int before,
                                  Tensor scale, absl::string_view suffix) {
  Layer multiply{.op = Op::kMultiply, .inputs = {context.layer(before).name}};
  multiply.name = context.UniqueName(absl::StrCat(context.layer(before).name, suffix), multiply.op);
  multiply.parameters["scale"] = std::move(scale);
  return context.AddLayer(node, std::move(multiply));
}

absl::Status QuantLayer(ImportContext& context, const Node& node, ImportedValue value,
                        const QuantParameters& quant) {
  const bool powers = std::all_of(quant.scale.values.begin(), quant.scale.values.end(),
                                  [](double scale) { return IsPowerOfTwo(scale); });
  ASSIGN_OR_RETURN(const TensorType type, LayerType(context, node, value, quant, !powers));
  if (powers) {
    ASSIGN_OR_RETURN(value.layer,
                     CastTo(context, node, value.layer, type, context.IsExclusive(node.inputs[0])));
    context.Bind(node, std::move(value));
    return absl::OkStatus();
  }
  // x / scale, cast to integers, times scale.
  ASSIGN_OR_RETURN(Tensor scale, context.BroadcastParameter(node, value, quant.scale));
  Constant inverse = quant.scale;
  for (double& one : inverse.values) one = 1 / one;
  ASSIGN_OR_RETURN(Tensor divisor, context.BroadcastParameter(node, value, inverse));
  ASSIGN_OR_RETURN(value.layer,
                   MultiplyAfter(context, node, value.layer, std::move(divisor), "_unscale"));
  ASSIGN_OR_RETURN(value.layer, CastTo(context, node, value.layer, type, true));
  ASSIGN_OR_RETURN(value.layer,
                   MultiplyAfter(context, node, value.layer, std::move(scale), "_scale"));
  context.Bind(node, std::move(value));
  return absl::OkStatus();
}

absl::Status Quant(ImportContext& context, const Node& node) {
  ASSIGN_OR_RETURN(const ImportedValue value, context.Input(node, 0));
  ASSIGN_OR_RETURN(const QuantParameters quant, ReadQuant(context, node));
  if (value.is_constant()) return QuantConstant(context, node, *value.constant, quant);
  return QuantLayer(context, node, value, quant);
}

// +scale where x >= 0, else -scale: two bits, of which only +1 and -1 occur.
absl::Status BipolarQuant(ImportContext& context, const Node& node) {
  ASSIGN_OR_RETURN(ImportedValue value, context.Input(node, 0));
  ASSIGN_OR_RETURN(const ConstantPtr scale, context.ConstantInput(node, 1));
  if (value.is_constant()) {
    Constant constant = *value.constant;
    ASSIGN_OR_RETURN(constant.quant_scale, Expand(node, *scale, constant.shape));
    constant.quant_bits = {2};
    constant.quant_narrow = true;
    constant.quant_rounding = "ROUND";
    for (size_t i = 0; i < constant.values.size(); ++i) {
      const double one = constant.quant_scale[constant.quant_scale.size() == 1 ? 0 : i];
      constant.values[i] = constant.values[i] >= 0 ? one : -one;
    }
    context.BindConstant(node, std::move(constant));
    return absl::OkStatus();
  }
  if (scale->values.size() != 1 || !IsPowerOfTwo(scale->values[0])) {
    return Refuse(node, "on a layer only one scale that is a power of two is supported");
  }
  Layer cast{.op = Op::kQuantize, .inputs = {context.layer(value.layer).name}};
  cast.attributes.Set("bipolar", true);
  ASSIGN_OR_RETURN(cast.types["result"].type,
                   QuantType(node, scale->values[0], 2, true, true, "ROUND"));
  ASSIGN_OR_RETURN(value.layer, context.AddLayer(node, std::move(cast)));
  context.Bind(node, std::move(value));
  return absl::OkStatus();
}

// Drops the low in_bits - out_bits bits: y = floor(x / scale / 2^k) * scale.
absl::Status Trunc(ImportContext& context, const Node& node) {
  ASSIGN_OR_RETURN(ImportedValue value, context.TensorInput(node, 0));
  std::vector<double> numbers;
  for (size_t i = 1; i <= 4; ++i) {
    ASSIGN_OR_RETURN(const ConstantPtr one, context.ConstantInput(node, i));
    if (one->values.size() != 1) return Refuse(node, "only scalar parameters are supported");
    numbers.push_back(one->values[0]);
  }
  const double scale = numbers[0];
  const double dropped = numbers[2] - numbers[3];
  if (numbers[1] != 0) return Refuse(node, "a zero point other than 0 is not supported");
  if (!IsPowerOfTwo(scale) || !(dropped >= 0 && dropped <= 64)) {
    return Refuse(node, "its scale is no power of two or it adds bits");
  }
  const std::string rounding = absl::AsciiStrToUpper(node.Text("rounding_mode", "FLOOR"));
  const bool is_signed = node.Integer("signed", 1) != 0;
  ASSIGN_OR_RETURN(const FixedType type,
                   QuantType(node, scale, numbers[3], is_signed, false, rounding));
  Tensor factor{{1}, {static_cast<float>(std::ldexp(1.0, -static_cast<int>(dropped)))}};
  ASSIGN_OR_RETURN(value.layer,
                   MultiplyAfter(context, node, value.layer, std::move(factor), "_shift"));
  ASSIGN_OR_RETURN(value.layer, CastTo(context, node, value.layer, {type, {}}, true));
  context.Bind(node, std::move(value));
  return absl::OkStatus();
}

}  // namespace

void RegisterQuantOps(HandlerTable& table) {
  table["Quant"] = Quant;
  table["IntQuant"] = Quant;
  table["BipolarQuant"] = BipolarQuant;
  table["Trunc"] = Trunc;
}

}  // namespace dovetail::nn::onnx_file
