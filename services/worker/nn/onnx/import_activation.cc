// Activations.
#include <cmath>
#include <limits>

#include "common/base/status_macros.h"
#include "services/worker/nn/onnx/import_context.h"

namespace dovetail::nn::onnx_file {
namespace {

absl::StatusOr<Value> Coefficients(const Node& node, double alpha, const double* beta) {
  Value attributes;
  const double a = node.Number("alpha", alpha);
  if (!std::isfinite(a)) return Refuse(node, "its alpha is not a finite number");
  attributes.Set("alpha", a);
  if (beta != nullptr) {
    const double b = node.Number("beta", *beta);
    if (!std::isfinite(b)) return Refuse(node, "its beta is not a finite number");
    attributes.Set("beta", b);
  }
  return attributes;
}

absl::Status LeakyRelu(ImportContext& context, const Node& node) {
  ASSIGN_OR_RETURN(Value attributes, Coefficients(node, 0.01, nullptr));
  return context.BindUnary(node, Op::kLeakyRelu, std::move(attributes));
}

absl::Status Elu(ImportContext& context, const Node& node) {
  ASSIGN_OR_RETURN(Value attributes, Coefficients(node, 1.0, nullptr));
  return context.BindUnary(node, Op::kElu, std::move(attributes));
}

absl::Status HardSigmoid(ImportContext& context, const Node& node) {
  const double beta = 0.5;
  ASSIGN_OR_RETURN(Value attributes, Coefficients(node, 0.2, &beta));
  return context.BindUnary(node, Op::kHardSigmoid, std::move(attributes));
}

absl::Status PRelu(ImportContext& context, const Node& node) {
  ASSIGN_OR_RETURN(const ImportedValue value, context.TensorInput(node, 0));
  ASSIGN_OR_RETURN(const ConstantPtr slope, context.ConstantInput(node, 1));
  ASSIGN_OR_RETURN(Tensor alpha, context.BroadcastParameter(node, value, *slope));
  return context.BindUnary(node, Op::kPRelu, {}, {{"alpha", std::move(alpha)}});
}

// A limit of Clip: an input since opset 11, an attribute before.
absl::StatusOr<double> ClipLimit(ImportContext& context, const Node& node, size_t index,
                                 const std::string& attribute, double otherwise) {
  if (node.Has(attribute)) return node.Number(attribute, otherwise);
  if (!context.HasInput(node, index)) return otherwise;
  ASSIGN_OR_RETURN(const ConstantPtr limit, context.ConstantInput(node, index));
  if (limit->values.size() != 1) return Refuse(node, "its limits are not scalars");
  return limit->values[0];
}

absl::Status Clip(ImportContext& context, const Node& node) {
  constexpr double kFloatMax = std::numeric_limits<float>::max();
  ASSIGN_OR_RETURN(const double low, ClipLimit(context, node, 1, "min", -kFloatMax));
  ASSIGN_OR_RETURN(const double high, ClipLimit(context, node, 2, "max", kFloatMax));
  if (low == 0 && high >= kFloatMax) return context.BindUnary(node, Op::kRelu);
  if (!(low <= high) || low <= -kFloatMax || high >= kFloatMax) {
    return Refuse(node, "its limits are not two finite, ordered numbers");
  }
  Value attributes;
  attributes.Set("minimum", low).Set("maximum", high);
  return context.BindUnary(node, Op::kHardTanh, std::move(attributes));
}

absl::Status Softmax(ImportContext& context, const Node& node) {
  ASSIGN_OR_RETURN(ImportedValue value, context.TensorInput(node, 0));
  const size_t rank = value.axes.size();
  ASSIGN_OR_RETURN(const size_t axis,
                   NormalAxis(node, node.Integer("axis", context.opset() >= 13 ? -1 : 1), rank));
  // Before opset 13 the dimensions from `axis` on are one.
  int64_t others = 1;
  const std::vector<int64_t> shape = context.OnnxShape(value);
  for (size_t d = 1; d < rank; ++d) others *= d == axis || axis == 0 ? 1 : shape[d];
  if (axis == 0 || (context.opset() < 13 && others != 1)) {
    return Refuse(node, "softmax over more than one dimension is not supported");
  }
  const int last = static_cast<int>(context.layer(value.layer).output_shape.size()) - 1;
  if (value.axes[axis] != last) {
    std::vector<int> order;
    for (size_t d = 1; d < rank; ++d) {
      if (d != axis) order.push_back(static_cast<int>(d));
    }
    order.push_back(static_cast<int>(axis));
    ASSIGN_OR_RETURN(value.layer, context.InOrder(node, value, order));
    for (size_t i = 0; i < order.size(); ++i) value.axes[order[i]] = static_cast<int>(i);
  }
  ASSIGN_OR_RETURN(
      value.layer,
      context.AddLayer(node, {.op = Op::kSoftmax, .inputs = {context.layer(value.layer).name}}));
  context.Bind(node, std::move(value));
  return absl::OkStatus();
}

Handler Plain(Op op) {
  return [op](ImportContext& context, const Node& node) { return context.BindUnary(node, op); };
}

}  // namespace

void RegisterActivationOps(HandlerTable& table) {
  table["Relu"] = Plain(Op::kRelu);
  table["Sigmoid"] = Plain(Op::kSigmoid);
  table["Tanh"] = Plain(Op::kTanh);
  table["LeakyRelu"] = LeakyRelu;
  table["Elu"] = Elu;
  table["HardSigmoid"] = HardSigmoid;
  table["PRelu"] = PRelu;
  table["Clip"] = Clip;
  table["Softmax"] = Softmax;
}

}  // namespace dovetail::nn::onnx_file
