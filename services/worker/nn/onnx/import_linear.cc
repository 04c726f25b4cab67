// MatMul, Gemm, Conv, BatchNormalization and element-by-element arithmetic.
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/worker/nn/layer_shapes.h"
#include "services/worker/nn/onnx/import_context.h"
#include "services/worker/nn/onnx/quantized_constant.h"
#include "services/worker/nn/onnx/window_attributes.h"

namespace dovetail::nn::onnx_file {
namespace {

// Puts the kernel (already in the IR's order) into the layer; a scale that is no power of two
// leaves integers in the kernel and comes back as a per-channel factor for after the layer.
absl::Status SetKernel(const Node& node, const Constant& kernel, Layer& layer, Tensor& scale) {
  ASSIGN_OR_RETURN(QuantizedParameter parameter, ToQuantizedParameter(node, kernel));
  layer.parameters["kernel"] = std::move(parameter.tensor);
  if (parameter.type.has_value()) layer.types["kernel"] = *parameter.type;
  scale = std::move(parameter.scale);
  return absl::OkStatus();
}

// Sets the bias; where the kernel's scale follows the layer, the bias comes after that.
absl::Status SetBias(const Node& node, const Constant& bias, Layer& layer) {
  ASSIGN_OR_RETURN(QuantizedParameter parameter, ToQuantizedParameter(node, bias));
  if (!parameter.scale.values.empty()) {
    // Integers times a free scale: exact only as reals.
    parameter.tensor = ToTensor(bias);
    parameter.type.reset();
  }
  layer.parameters["bias"] = std::move(parameter.tensor);
  if (parameter.type.has_value()) layer.types["bias"] = *parameter.type;
  return absl::OkStatus();
}

absl::Status BindMatrixLayer(ImportContext& context, const Node& node, Layer layer,
                             std::vector<int> axes, const Constant& kernel,
                             const ConstantPtr& bias) {
  Tensor scale;
  RETURN_IF_ERROR(SetKernel(node, kernel, layer, scale));
  if (bias != nullptr && scale.values.empty()) RETURN_IF_ERROR(SetBias(node, *bias, layer));
  ASSIGN_OR_RETURN(int index, context.AddLayer(node, std::move(layer)));
  if (!scale.values.empty()) {
    Layer after{.op = Op::kMultiply, .inputs = {context.layer(index).name}};
    after.name = context.UniqueName(absl::StrCat(context.layer(index).name, "_scale"), after.op);
    if (bias != nullptr) {
      // x * scale + bias, per channel.
      after.op = Op::kBatchNormalization;
      const int64_t channels = context.layer(index).output_shape.back();
      if (scale.values.size() == 1) {
        scale = {{channels}, std::vector<float>(static_cast<size_t>(channels), scale.values[0])};
      }
      after.parameters["offset"] = ToTensor(*bias);
    }
    after.parameters["scale"] = std::move(scale);
    ASSIGN_OR_RETURN(index, context.AddLayer(node, std::move(after)));
  }
  context.Bind(node, {index, std::move(axes), nullptr});
  return absl::OkStatus();
}

absl::Status MatMul(ImportContext& context, const Node& node) {
  ASSIGN_OR_RETURN(ImportedValue value, context.TensorInput(node, 0));
  ASSIGN_OR_RETURN(const ConstantPtr kernel, context.ConstantInput(node, 1));
  if (kernel->shape.size() != 2) return Refuse(node, "its second input is not a matrix");
  const int last = static_cast<int>(context.layer(value.layer).output_shape.size()) - 1;
  if (value.axes.back() != last) {
    ASSIGN_OR_RETURN(value.layer, context.RowMajor(node, value));
    value.axes = ImportContext::RowMajorAxes(value.axes.size());
  }
  Layer dense{.op = Op::kDense, .inputs = {context.layer(value.layer).name}};
  return BindMatrixLayer(context, node, std::move(dense), value.axes, *kernel, nullptr);
}

Constant Scaled(Constant constant, double factor) {
  if (factor == 1) return constant;
  for (double& value : constant.values) value *= factor;
  constant.quant_scale.clear();
  constant.quant_bits.clear();
  return constant;
}

absl::Status Gemm(ImportContext& context, const Node& node) {
  ASSIGN_OR_RETURN(ImportedValue value, context.TensorInput(node, 0));
  ASSIGN_OR_RETURN(ConstantPtr kernel, context.ConstantInput(node, 1));
  if (value.axes.size() != 2 || kernel->shape.size() != 2 || node.Integer("transA", 0) != 0) {
    return Refuse(node, "only a matrix times a constant matrix is supported, without transA");
  }
  Constant matrix =
      Scaled(node.Integer("transB", 0) != 0 ? PermuteConstant(*kernel, {1, 0}) : *kernel,
             node.Number("alpha", 1));
  ConstantPtr bias;
  if (context.HasInput(node, 2)) {
    ASSIGN_OR_RETURN(const ConstantPtr given, context.ConstantInput(node, 2));
    Constant scaled = Scaled(*given, node.Number("beta", 1));
    const int64_t count = static_cast<int64_t>(scaled.values.size());
    if (count != matrix.shape[1] && count != 1) {
      return Refuse(node, absl::StrCat("its bias ", ShapeText(scaled.shape), " does not fit"));
    }
    if (count == 1) {
      scaled.values.assign(static_cast<size_t>(matrix.shape[1]), scaled.values[0]);
    }
    scaled.shape = {matrix.shape[1]};
    bias = std::make_shared<const Constant>(std::move(scaled));
  }
  ASSIGN_OR_RETURN(const int input, context.RowMajor(node, value));
  Layer dense{.op = Op::kDense, .inputs = {context.layer(input).name}};
  return BindMatrixLayer(context, node, std::move(dense), ImportContext::RowMajorAxes(2), matrix,
                         bias);
}

absl::Status Conv(ImportContext& context, const Node& node) {
  ASSIGN_OR_RETURN(const ImportedValue value, context.TensorInput(node, 0));
  ASSIGN_OR_RETURN(const ConstantPtr kernel, context.ConstantInput(node, 1));
  const size_t spatial = value.axes.size() - 2;
  if (value.axes.size() < 3 || spatial > 2 || kernel->shape.size() != spatial + 2) {
    return Refuse(node, "only 1-D and 2-D convolutions with a constant kernel are supported");
  }
  const bool last = node.domain == "qonnx.custom_op.channels_last";
  ASSIGN_OR_RETURN(const int input,
                   last ? context.RowMajor(node, value) : context.ChannelsLast(node, value));
  Layer conv{.op = spatial == 1 ? Op::kConv1D : Op::kConv2D, .inputs = {context.layer(input).name}};
  // ONNX: [out, in / groups, window...]; channels last: [out, window..., in / groups].
  std::vector<int> order;
  for (size_t d = 0; d < spatial; ++d) order.push_back(static_cast<int>(d) + (last ? 1 : 2));
  order.push_back(last ? static_cast<int>(spatial) + 1 : 1);
  order.push_back(0);
  const Constant permuted = PermuteConstant(*kernel, order);
  const std::vector<int64_t> window(permuted.shape.begin(), permuted.shape.begin() + spatial);
  const std::vector<int64_t> declared = node.Integers("kernel_shape");
  if (!declared.empty() && declared != window) {
    return Refuse(node, "its kernel_shape is not its kernel's shape");
  }
  ASSIGN_OR_RETURN(conv.attributes,
                   WindowAttributes(node, window, context.layer(input).output_shape));
  const int64_t groups = node.Integer("group", 1);
  if (groups != 1) conv.attributes.Set("groups", groups);
  ConstantPtr bias;
  if (context.HasInput(node, 2)) {
    ASSIGN_OR_RETURN(bias, context.ConstantInput(node, 2));
  }
  const size_t rank = value.axes.size();
  return BindMatrixLayer(
      context, node, std::move(conv),
      last ? ImportContext::RowMajorAxes(rank) : ImportContext::ChannelsLastAxes(rank), permuted,
      bias);
}

absl::Status BatchNormalization(ImportContext& context, const Node& node) {
  ASSIGN_OR_RETURN(ImportedValue value, context.TensorInput(node, 0));
  if (value.axes.size() < 2) return Refuse(node, "its input has no channels");
  const bool last = node.domain == "qonnx.custom_op.channels_last";
  const size_t rank = value.axes.size();
  const int channel_axis = value.axes[last ? rank - 1 : 1];
  const int last_axis = static_cast<int>(context.layer(value.layer).output_shape.size()) - 1;
  if (channel_axis != last_axis) {
    ASSIGN_OR_RETURN(value.layer,
                     last ? context.RowMajor(node, value) : context.ChannelsLast(node, value));
    value.axes = last ? ImportContext::RowMajorAxes(rank) : ImportContext::ChannelsLastAxes(rank);
  }
  std::vector<ConstantPtr> statistics;  // gamma, beta, mean, variance
  for (size_t i = 1; i <= 4; ++i) {
    ASSIGN_OR_RETURN(ConstantPtr one, context.ConstantInput(node, i));
    if (!statistics.empty() && one->values.size() != statistics[0]->values.size()) {
      return Refuse(node, "its four statistics differ in length");
    }
    statistics.push_back(std::move(one));
  }
  const double epsilon = node.Number("epsilon", 1e-5);
  Tensor scale;
  Tensor offset;
  for (size_t c = 0; c < statistics[0]->values.size(); ++c) {
    const double gain = statistics[0]->values[c] / std::sqrt(statistics[3]->values[c] + epsilon);
    scale.values.push_back(static_cast<float>(gain));
    offset.values.push_back(
        static_cast<float>(statistics[1]->values[c] - gain * statistics[2]->values[c]));
  }
  scale.shape = offset.shape = {static_cast<int64_t>(scale.values.size())};
  Layer layer{.op = Op::kBatchNormalization, .inputs = {context.layer(value.layer).name}};
  layer.parameters["scale"] = std::move(scale);
  layer.parameters["offset"] = std::move(offset);
  ASSIGN_OR_RETURN(value.layer, context.AddLayer(node, std::move(layer)));
  context.Bind(node, std::move(value));
  return absl::OkStatus();
}

absl::Status AddConstant(ImportContext& context, const Node& node, size_t tensor_index,
                         const Constant& constant) {
  ASSIGN_OR_RETURN(ImportedValue value, context.TensorInput(node, tensor_index));
  ASSIGN_OR_RETURN(Tensor offset, context.BroadcastParameter(node, value, constant));
  Layer& before = context.layer(value.layer);
  const bool takes_bias =
      (before.op == Op::kDense || before.op == Op::kConv1D || before.op == Op::kConv2D) &&
      !before.parameters.contains("bias") && !before.types.contains("result") &&
      context.IsExclusive(node.inputs[tensor_index]);
  const int64_t channels = before.output_shape.back();
  if (takes_bias && offset.shape.size() == 1 &&
      (offset.shape[0] == channels || offset.shape[0] == 1)) {
    Constant bias = constant;
    if (bias.values.size() == 1) bias.values.assign(static_cast<size_t>(channels), bias.values[0]);
    bias.shape = {channels};
    RETURN_IF_ERROR(SetBias(node, bias, before));
    context.Bind(node, std::move(value));
    return absl::OkStatus();
  }
  Layer add{.op = Op::kAdd, .inputs = {before.name}};
  ASSIGN_OR_RETURN(QuantizedParameter parameter, ToQuantizedParameter(node, constant));
  if (parameter.type.has_value() && parameter.type->elements.empty() &&
      parameter.scale.values.empty()) {
    add.types["offset"] = *parameter.type;
  }
  add.parameters["offset"] = std::move(offset);
  ASSIGN_OR_RETURN(value.layer, context.AddLayer(node, std::move(add)));
  context.Bind(node, std::move(value));
  return absl::OkStatus();
}

absl::Status MultiplyByConstant(ImportContext& context, const Node& node, size_t tensor_index,
                                const Constant& constant) {
  ASSIGN_OR_RETURN(ImportedValue value, context.TensorInput(node, tensor_index));
  ASSIGN_OR_RETURN(Tensor scale, context.BroadcastParameter(node, value, constant));
  Layer multiply{.op = Op::kMultiply, .inputs = {context.layer(value.layer).name}};
  multiply.parameters["scale"] = std::move(scale);
  ASSIGN_OR_RETURN(value.layer, context.AddLayer(node, std::move(multiply)));
  context.Bind(node, std::move(value));
  return absl::OkStatus();
}

absl::Status AddTensors(ImportContext& context, const Node& node) {
  ASSIGN_OR_RETURN(const ImportedValue first, context.TensorInput(node, 0));
  ImportedValue result = first;
  Layer add{.op = Op::kAdd, .inputs = {context.layer(first.layer).name}};
  for (size_t i = 1; i < node.inputs.size(); ++i) {
    ASSIGN_OR_RETURN(const ImportedValue other, context.TensorInput(node, i));
    if (context.OnnxShape(first) != context.OnnxShape(other)) {
      return Refuse(node,
                    "its inputs differ in shape; broadcasting between layers is not supported");
    }
    int index = other.layer;
    if (other.axes != first.axes) {
      // Into the order of the first.
      std::vector<int> order(context.layer(first.layer).output_shape.size());
      for (size_t d = 0; d < first.axes.size(); ++d) {
        if (first.axes[d] >= 0) order[first.axes[d]] = static_cast<int>(d);
      }
      ASSIGN_OR_RETURN(index, context.InOrder(node, other, order));
    }
    add.inputs.push_back(context.layer(index).name);
  }
  ASSIGN_OR_RETURN(result.layer, context.AddLayer(node, std::move(add)));
  context.Bind(node, std::move(result));
  return absl::OkStatus();
}

double Apply(const std::string& op, double a, double b) {
  if (op == "Add") return a + b;
  if (op == "Sub") return a - b;
  return op == "Mul" ? a * b : a / b;
}

absl::Status FoldArithmetic(ImportContext& context, const Node& node, const Constant& a,
                            const Constant& b) {
  const bool scalar = a.values.size() == 1 || b.values.size() == 1;
  if (!scalar && a.shape != b.shape) {
    return Refuse(node, "arithmetic between constants of different shapes is not supported");
  }
  Constant result;
  const Constant& larger = a.values.size() >= b.values.size() ? a : b;
  result.shape = larger.shape;
  for (size_t i = 0; i < larger.values.size(); ++i) {
    const double x = a.values[a.values.size() == 1 ? 0 : i];
    const double y = b.values[b.values.size() == 1 ? 0 : i];
    if (x == kBatchMark || y == kBatchMark) {
      return Refuse(node, "arithmetic with the batch extent is not supported");
    }
    result.values.push_back(Apply(node.op, x, y));
  }
  context.BindConstant(node, std::move(result));
  return absl::OkStatus();
}

absl::Status Arithmetic(ImportContext& context, const Node& node) {
  if (node.inputs.size() < 2) return Refuse(node, "it has fewer than two inputs");
  ASSIGN_OR_RETURN(const ImportedValue a, context.Input(node, 0));
  ASSIGN_OR_RETURN(const ImportedValue b, context.Input(node, 1));
  if (a.is_constant() && b.is_constant()) {
    return FoldArithmetic(context, node, *a.constant, *b.constant);
  }
  if (!a.is_constant() && !b.is_constant()) {
    if (node.op == "Add") return AddTensors(context, node);
    return Refuse(node, "this arithmetic between two layers is not supported, only Add");
  }
  Constant constant = a.is_constant() ? *a.constant : *b.constant;
  const size_t tensor_index = a.is_constant() ? 1 : 0;
  if (node.op == "Add") return AddConstant(context, node, tensor_index, constant);
  if (node.op == "Mul") return MultiplyByConstant(context, node, tensor_index, constant);
  if (a.is_constant()) return Refuse(node, "a constant minus or over a layer is not supported");
  constant.quant_scale.clear();
  constant.quant_bits.clear();
  if (node.op == "Sub") {
    for (double& value : constant.values) value = -value;
    return AddConstant(context, node, 0, constant);
  }
  for (double& value : constant.values) {
    if (value == 0) return Refuse(node, "it divides by zero");
    value = 1 / value;
  }
  return MultiplyByConstant(context, node, 0, constant);
}

absl::Status Sum(ImportContext& context, const Node& node) {
  if (node.inputs.size() == 2) {
    Node add = node;
    add.op = "Add";
    return Arithmetic(context, add);
  }
  return AddTensors(context, node);
}

}  // namespace

void RegisterLinearOps(HandlerTable& table) {
  table["MatMul"] = MatMul;
  table["Gemm"] = Gemm;
  table["Conv"] = Conv;
  table["BatchNormalization"] = BatchNormalization;
  for (const char* op : {"Add", "Sub", "Mul", "Div"}) table[op] = Arithmetic;
  table["Sum"] = Sum;
}

}  // namespace dovetail::nn::onnx_file
