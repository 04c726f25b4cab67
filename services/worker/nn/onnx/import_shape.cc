// Operators that move data: their work is in the maps of values where it can be.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/worker/nn/layer_shapes.h"
#include "services/worker/nn/onnx/import_context.h"
#include "services/worker/nn/onnx/quantized_constant.h"

namespace dovetail::nn::onnx_file {
namespace {

constexpr size_t kMaxFolded = 1 << 20;

absl::Status Identity(ImportContext& context, const Node& node) {
  ASSIGN_OR_RETURN(ImportedValue value, context.Input(node, 0));
  context.Bind(node, std::move(value));
  return absl::OkStatus();
}

absl::Status ConstantNode(ImportContext& context, const Node& node) {
  Constant constant;
  if (const auto it = node.attributes.find("value");
      it != node.attributes.end() && it->second.tensor != nullptr) {
    context.Bind(node, {-1, {}, it->second.tensor});
    return absl::OkStatus();
  }
  if (node.Has("value_float")) {
    constant.values = {node.Number("value_float", 0)};
  } else if (node.Has("value_int")) {
    constant.values = {static_cast<double>(node.Integer("value_int", 0))};
  } else if (node.Has("value_ints")) {
    const std::vector<int64_t> numbers = node.Integers("value_ints");
    constant.values.assign(numbers.begin(), numbers.end());
    constant.shape = {static_cast<int64_t>(numbers.size())};
  } else if (node.Has("value_floats")) {
    constant.values = node.attributes.at("value_floats").numbers;
    constant.shape = {static_cast<int64_t>(constant.values.size())};
  } else {
    return Refuse(node, "its value is of a kind that is not supported");
  }
  context.BindConstant(node, std::move(constant));
  return absl::OkStatus();
}

absl::Status ShapeNode(ImportContext& context, const Node& node) {
  ASSIGN_OR_RETURN(const ImportedValue value, context.Input(node, 0));
  Constant constant;
  const std::vector<int64_t> shape =
      value.is_constant() ? value.constant->shape : context.OnnxShape(value);
  for (int64_t extent : shape) {
    constant.values.push_back(extent == kUnknownExtent ? kBatchMark : static_cast<double>(extent));
  }
  const int64_t rank = static_cast<int64_t>(shape.size());
  const auto bound = [rank](int64_t at) {
    return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank);
  };
  const int64_t start = bound(node.Integer("start", 0));
  const int64_t end = std::max(start, bound(node.Integer("end", rank)));
  constant.values = {constant.values.begin() + start, constant.values.begin() + end};
  constant.shape = {end - start};
  context.BindConstant(node, std::move(constant));
  return absl::OkStatus();
}

// Only on constant vectors: exporters compute the batch for Reshape with it.
absl::Status Gather(ImportContext& context, const Node& node) {
  ASSIGN_OR_RETURN(const ConstantPtr data, context.ConstantInput(node, 0));
  ASSIGN_OR_RETURN(const ConstantPtr indices, context.ConstantInput(node, 1));
  if (data->shape.size() != 1 || node.Integer("axis", 0) != 0) {
    return Refuse(node, "Gather is supported on shapes only");
  }
  Constant result;
  result.shape = indices->shape;
  const double count = static_cast<double>(data->values.size());
  for (double index : indices->values) {
    if (index < 0) index += count;
    if (!(index >= 0) || index >= count) return Refuse(node, "its index is out of range");
    result.values.push_back(data->values[static_cast<size_t>(index)]);
  }
  context.BindConstant(node, std::move(result));
  return absl::OkStatus();
}

absl::Status Slice(ImportContext& context, const Node& node) {
  ASSIGN_OR_RETURN(const ConstantPtr data, context.ConstantInput(node, 0));
  ASSIGN_OR_RETURN(const std::vector<int64_t> starts, context.Integers(node, 1, "starts"));
  ASSIGN_OR_RETURN(const std::vector<int64_t> ends, context.Integers(node, 2, "ends"));
  ASSIGN_OR_RETURN(const std::vector<int64_t> steps, context.Integers(node, 4, "steps"));
  if (data->shape.size() != 1 || starts.size() != 1 || ends.size() != 1 ||
      (!steps.empty() && steps != std::vector<int64_t>{1})) {
    return Refuse(node, "Slice is supported on shapes only");
  }
  const int64_t count = data->shape[0];
  const auto bound = [count](int64_t at) {
    return std::clamp<int64_t>(at < 0 ? at + count : at, 0, count);
  };
  const int64_t start = bound(starts[0]);
  const int64_t end = std::max(start, bound(ends[0]));
  Constant result;
  result.values = {data->values.begin() + start, data->values.begin() + end};
  result.shape = {end - start};
  context.BindConstant(node, std::move(result));
  return absl::OkStatus();
}

absl::Status ConcatConstants(ImportContext& context, const Node& node) {
  Constant result;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    ASSIGN_OR_RETURN(const ConstantPtr one, context.ConstantInput(node, i));
    if (one->shape.size() > 1) return Refuse(node, "constants are concatenated as shapes only");
    result.values.insert(result.values.end(), one->values.begin(), one->values.end());
    if (result.values.size() > kMaxFolded) return Refuse(node, "its result is too large");
  }
  result.shape = {static_cast<int64_t>(result.values.size())};
  context.BindConstant(node, std::move(result));
  return absl::OkStatus();
}

absl::Status Concat(ImportContext& context, const Node& node) {
  ASSIGN_OR_RETURN(const ImportedValue first, context.Input(node, 0));
  if (first.is_constant()) return ConcatConstants(context, node);
  ASSIGN_OR_RETURN(ImportedValue result, context.TensorInput(node, 0));
  ASSIGN_OR_RETURN(const size_t axis,
                   NormalAxis(node, node.Integer("axis", 1), result.axes.size()));
  if (axis == 0) return Refuse(node, "it joins along the batch");
  Layer concat{.op = Op::kConcat};
  const bool lacks_axis = result.axes[axis] == kOneAxis;
  if (lacks_axis) {
    ASSIGN_OR_RETURN(result.layer, context.RowMajor(node, result));
    result.axes = ImportContext::RowMajorAxes(result.axes.size());
  }
  std::vector<int> order(context.layer(result.layer).output_shape.size());
  for (size_t d = 0; d < result.axes.size(); ++d) {
    if (result.axes[d] >= 0) order[result.axes[d]] = static_cast<int>(d);
  }
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    ASSIGN_OR_RETURN(const ImportedValue one, context.TensorInput(node, i));
    if (one.axes.size() != result.axes.size()) return Refuse(node, "its inputs differ in rank");
    int index = i == 0 ? result.layer : one.layer;
    if (i > 0 && one.axes != result.axes) {
      ASSIGN_OR_RETURN(index, context.InOrder(node, one, order));
    }
    concat.inputs.push_back(context.layer(index).name);
  }
  concat.attributes.Set("axis", result.axes[axis]);
  ASSIGN_OR_RETURN(result.layer, context.AddLayer(node, std::move(concat)));
  context.Bind(node, std::move(result));
  return absl::OkStatus();
}

absl::Status Transpose(ImportContext& context, const Node& node) {
  ASSIGN_OR_RETURN(ImportedValue value, context.Input(node, 0));
  const size_t rank = value.is_constant() ? value.constant->shape.size() : value.axes.size();
  std::vector<int64_t> permutation = node.Integers("perm");
  if (permutation.empty()) {
    for (size_t d = rank; d-- > 0;) permutation.push_back(static_cast<int64_t>(d));
  }
  std::vector<bool> seen(rank, false);
  std::vector<int> order;
  for (int64_t from : permutation) {
    if (from < 0 || from >= static_cast<int64_t>(rank) || seen[from]) {
      return Refuse(node, "its perm is no permutation");
    }
    seen[from] = true;
    order.push_back(static_cast<int>(from));
  }
  if (order.size() != rank) return Refuse(node, "its perm has the wrong length");
  if (value.is_constant()) {
    context.BindConstant(node, PermuteConstant(*value.constant, order));
    return absl::OkStatus();
  }
  const std::vector<int> axes = value.axes;
  for (size_t d = 0; d < rank; ++d) value.axes[d] = axes[order[d]];
  context.Bind(node, std::move(value));
  return absl::OkStatus();
}

absl::Status Squeeze(ImportContext& context, const Node& node) {
  ASSIGN_OR_RETURN(ImportedValue value, context.Input(node, 0));
  ASSIGN_OR_RETURN(const std::vector<int64_t> given, context.Integers(node, 1, "axes"));
  const std::vector<int64_t> shape =
      value.is_constant() ? value.constant->shape : context.OnnxShape(value);
  std::vector<bool> gone(shape.size(), false);
  for (int64_t axis : given) {
    ASSIGN_OR_RETURN(const size_t normal, NormalAxis(node, axis, shape.size()));
    if (shape[normal] != 1) return Refuse(node, "it squeezes a dimension that is not 1");
    gone[normal] = true;
  }
  if (given.empty()) {
    for (size_t d = 0; d < shape.size(); ++d) gone[d] = shape[d] == 1;
  }
  if (value.is_constant()) {
    Constant constant = *value.constant;
    constant.shape.clear();
    for (size_t d = 0; d < shape.size(); ++d) {
      if (!gone[d]) constant.shape.push_back(shape[d]);
    }
    context.BindConstant(node, std::move(constant));
    return absl::OkStatus();
  }
  if (gone.empty() || gone[0]) return Refuse(node, "it squeezes the batch");
  // Dimensions the layer does have are reshaped away.
  bool reshape = false;
  for (size_t d = 0; d < shape.size(); ++d) reshape = reshape || (gone[d] && value.axes[d] >= 0);
  if (reshape) {
    ASSIGN_OR_RETURN(const int source, context.RowMajor(node, value));
    Layer layer{.op = Op::kReshape, .inputs = {context.layer(source).name}};
    for (size_t d = 1; d < shape.size(); ++d) {
      if (!gone[d]) layer.output_shape.push_back(shape[d]);
    }
    ASSIGN_OR_RETURN(value.layer, context.AddLayer(node, std::move(layer)));
    value.axes = ImportContext::RowMajorAxes(context.layer(value.layer).output_shape.size() + 1);
  } else {
    std::vector<int> axes;
    for (size_t d = 0; d < shape.size(); ++d) {
      if (!gone[d]) axes.push_back(value.axes[d]);
    }
    value.axes = std::move(axes);
  }
  context.Bind(node, std::move(value));
  return absl::OkStatus();
}

absl::Status Unsqueeze(ImportContext& context, const Node& node) {
  ASSIGN_OR_RETURN(ImportedValue value, context.Input(node, 0));
  ASSIGN_OR_RETURN(const std::vector<int64_t> given, context.Integers(node, 1, "axes"));
  const size_t rank = value.is_constant() ? value.constant->shape.size() : value.axes.size();
  if (given.empty() || given.size() > 8 || rank > 8) return Refuse(node, "its axes are missing");
  std::vector<bool> added(rank + given.size(), false);
  for (int64_t axis : given) {
    ASSIGN_OR_RETURN(const size_t normal, NormalAxis(node, axis, added.size()));
    if (added[normal]) return Refuse(node, "an axis is given twice");
    added[normal] = true;
  }
  if (value.is_constant()) {
    Constant constant = *value.constant;
    constant.shape.clear();
    for (size_t d = 0, from = 0; d < added.size(); ++d) {
      constant.shape.push_back(added[d] ? 1 : value.constant->shape[from++]);
    }
    context.BindConstant(node, std::move(constant));
    return absl::OkStatus();
  }
  if (added[0]) return Refuse(node, "it adds a dimension before the batch");
  std::vector<int> axes;
  for (size_t d = 0, from = 0; d < added.size(); ++d) {
    axes.push_back(added[d] ? kOneAxis : value.axes[from++]);
  }
  value.axes = std::move(axes);
  context.Bind(node, std::move(value));
  return absl::OkStatus();
}

// Binds the value reshaped, row-major, to `shape` (without the batch).
absl::Status BindReshaped(ImportContext& context, const Node& node, const ImportedValue& value,
                          const Shape& shape) {
  std::vector<int64_t> before = context.OnnxShape(value);
  before.erase(before.begin());
  if (before == shape) {
    context.Bind(node, value);
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(int index, context.RowMajor(node, value));
  if (context.layer(index).output_shape != shape) {
    Layer layer{.op = shape.size() == 1 ? Op::kFlatten : Op::kReshape,
                .inputs = {context.layer(index).name}};
    layer.output_shape = shape;
    ASSIGN_OR_RETURN(index, context.AddLayer(node, std::move(layer)));
  }
  context.Bind(node, {index, ImportContext::RowMajorAxes(shape.size() + 1), nullptr});
  return absl::OkStatus();
}

absl::Status Flatten(ImportContext& context, const Node& node) {
  ASSIGN_OR_RETURN(const ImportedValue value, context.TensorInput(node, 0));
  int64_t axis = node.Integer("axis", 1);
  if (axis < 0) axis += static_cast<int64_t>(value.axes.size());
  // axis 0 is what old exporters write for a batch of one.
  if (axis != 1 && !(axis == 0 && context.fixed_batch() == 1)) {
    return Refuse(node, "only axis 1 is supported");
  }
  return BindReshaped(context, node, value,
                      {ElementCount(context.layer(value.layer).output_shape)});
}

absl::Status Reshape(ImportContext& context, const Node& node) {
  ASSIGN_OR_RETURN(const ImportedValue value, context.Input(node, 0));
  ASSIGN_OR_RETURN(std::vector<int64_t> target, context.Integers(node, 1, "shape"));
  if (target.size() > 8) return Refuse(node, "more than 8 dimensions are not supported");
  const std::vector<int64_t> from =
      value.is_constant() ? value.constant->shape : context.OnnxShape(value);
  int64_t count = 1;
  for (size_t d = value.is_constant() ? 0 : 1; d < from.size(); ++d) count *= from[d];
  size_t first = 0;
  if (!value.is_constant()) {
    if (value.axes.empty() || value.axes[0] != kBatchAxis) {
      return Refuse(node, "the batch is not the first dimension of its input");
    }
    // The first dimension must be the batch in one of its spellings.
    const bool is_batch = !target.empty() && (target[0] == -1 || target[0] == 0 ||
                                              target[0] == static_cast<int64_t>(kBatchMark) ||
                                              target[0] == context.fixed_batch() || target[0] == 1);
    if (!is_batch) return Refuse(node, "it reshapes the batch dimension");
    first = 1;
  }
  int64_t known = 1;
  int64_t unknown = -1;
  for (size_t d = first; d < target.size(); ++d) {
    if (target[d] == 0 && d < from.size() && node.Integer("allowzero", 0) == 0) target[d] = from[d];
    if (target[d] == -1 && unknown < 0) {
      unknown = static_cast<int64_t>(d);
    } else if (target[d] < 1 || known > count / target[d]) {
      return Refuse(node,
                    absl::StrCat("it cannot make ", ShapeText(target), " of ", ShapeText(from)));
    } else {
      known *= target[d];
    }
  }
  if (unknown >= 0) target[unknown] = count / known;
  Shape shape(target.begin() + static_cast<int64_t>(first), target.end());
  if (ElementCount(shape) != count) {
    return Refuse(node,
                  absl::StrCat("it cannot make ", ShapeText(target), " of ", ShapeText(from)));
  }
  if (!value.is_constant()) return BindReshaped(context, node, value, shape);
  Constant constant = *value.constant;
  constant.shape = shape;
  context.BindConstant(node, std::move(constant));
  return absl::OkStatus();
}

absl::Status Pad(ImportContext& context, const Node& node) {
  ASSIGN_OR_RETURN(ImportedValue value, context.TensorInput(node, 0));
  ASSIGN_OR_RETURN(const std::vector<int64_t> pads, context.Integers(node, 1, "pads"));
  const size_t rank = value.axes.size();
  if (node.Text("mode", "constant") != "constant" || pads.size() != 2 * rank ||
      context.HasInput(node, 3)) {
    return Refuse(node, "only constant padding of all dimensions is supported");
  }
  double fill = node.Number("value", 0);
  if (context.HasInput(node, 2)) {
    ASSIGN_OR_RETURN(const ConstantPtr constant, context.ConstantInput(node, 2));
    if (!constant->values.empty()) fill = constant->values[0];
  }
  if (fill != 0) return Refuse(node, "only padding with zeros is supported");
  if (std::all_of(pads.begin(), pads.end(), [](int64_t pad) { return pad == 0; })) {
    context.Bind(node, std::move(value));
    return absl::OkStatus();
  }
  const size_t layer_rank = context.layer(value.layer).output_shape.size();
  if (layer_rank < 2) return Refuse(node, "only spatial dimensions can be padded");
  std::vector<int64_t> padding(2 * (layer_rank - 1), 0);
  for (size_t d = 0; d < rank; ++d) {
    for (size_t side = 0; side < 2; ++side) {
      const int64_t pad = pads[d + side * rank];
      if (pad == 0) continue;
      const int axis = value.axes[d];
      if (axis < 0 || axis + 1 >= static_cast<int>(layer_rank)) {
        return Refuse(node, "only spatial dimensions can be padded");
      }
      padding[axis + side * (layer_rank - 1)] = pad;
    }
  }
  Layer layer{.op = Op::kZeroPad, .inputs = {context.layer(value.layer).name}};
  layer.attributes.Set("padding", IntegerListValue(padding));
  ASSIGN_OR_RETURN(value.layer, context.AddLayer(node, std::move(layer)));
  context.Bind(node, std::move(value));
  return absl::OkStatus();
}

// Upsample and Resize by whole factors, nearest neighbour.
absl::Status Resize(ImportContext& context, const Node& node) {
  ASSIGN_OR_RETURN(ImportedValue value, context.TensorInput(node, 0));
  const size_t rank = value.axes.size();
  if (node.Text("mode", "nearest") != "nearest") return Refuse(node, "only nearest is supported");
  std::vector<double> scales;
  if (node.Has("scales")) {
    scales = node.attributes.at("scales").numbers;
  } else {
    const size_t index = node.op == "Upsample" || node.inputs.size() == 2 ? 1 : 2;
    if (context.HasInput(node, index)) {
      ASSIGN_OR_RETURN(const ConstantPtr given, context.ConstantInput(node, index));
      scales = given->values;
    }
    if (scales.empty() && context.HasInput(node, 3)) {
      ASSIGN_OR_RETURN(const ConstantPtr sizes, context.ConstantInput(node, 3));
      const std::vector<int64_t> shape = context.OnnxShape(value);
      for (size_t d = 0; d < sizes->values.size() && d < rank; ++d) {
        scales.push_back(d == 0 ? 1 : sizes->values[d] / static_cast<double>(shape[d]));
      }
    }
  }
  const std::string mode = node.Text("coordinate_transformation_mode", "half_pixel");
  const std::string nearest = node.Text("nearest_mode", "round_prefer_floor");
  const bool asymmetric_floor = mode == "asymmetric" && nearest == "floor";
  const bool half_pixel = mode == "half_pixel" || mode == "pytorch_half_pixel";
  if (node.op == "Resize" && !asymmetric_floor && !half_pixel) {
    return Refuse(
        node, absl::StrCat("nearest with ", mode, " and ", nearest, " is not a plain repetition"));
  }
  const size_t layer_rank = context.layer(value.layer).output_shape.size();
  if (scales.size() != rank || layer_rank < 2) return Refuse(node, "its scales do not fit");
  std::vector<int64_t> factors(layer_rank - 1, 1);
  for (size_t d = 0; d < rank; ++d) {
    const double scale = scales[d];
    if (scale == 1) continue;
    const int axis = value.axes[d];
    if (!(scale >= 1 && scale <= 1024) || scale != std::floor(scale) || axis < 0 ||
        axis + 1 >= static_cast<int>(layer_rank)) {
      return Refuse(node, "only whole factors of spatial dimensions are supported");
    }
    factors[axis] = static_cast<int64_t>(scale);
  }
  Layer layer{.op = Op::kUpSample, .inputs = {context.layer(value.layer).name}};
  layer.attributes.Set("factors", IntegerListValue(factors));
  ASSIGN_OR_RETURN(value.layer, context.AddLayer(node, std::move(layer)));
  context.Bind(node, std::move(value));
  return absl::OkStatus();
}

}  // namespace

void RegisterShapeOps(HandlerTable& table) {
  table["Identity"] = Identity;
  table["Dropout"] = Identity;
  table["Cast"] = Identity;
  table["Constant"] = ConstantNode;
  table["Shape"] = ShapeNode;
  table["Gather"] = Gather;
  table["Slice"] = Slice;
  table["Concat"] = Concat;
  table["Transpose"] = Transpose;
  table["Squeeze"] = Squeeze;
  table["Unsqueeze"] = Unsqueeze;
  table["Flatten"] = Flatten;
  table["Reshape"] = Reshape;
  table["Pad"] = Pad;
  table["Upsample"] = Resize;
  table["Resize"] = Resize;
}

}  // namespace dovetail::nn::onnx_file
