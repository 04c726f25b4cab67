#include "services/worker/nn/onnx/import_context.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"
#include "services/worker/nn/layer_shapes.h"

namespace dovetail::nn::onnx_file {
namespace {

constexpr int64_t kMaxFoldedElements = int64_t{1} << 25;

std::string Identifier(absl::string_view text) {
  std::string name;
  for (char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      name.push_back(c);
    } else if (!name.empty() && name.back() != '_') {
      name.push_back('_');
    }
  }
  while (!name.empty() && name.back() == '_') name.pop_back();
  if (!name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) != 0) name = "x" + name;
  if (name.size() > 60) name.resize(60);
  return name;
}

}  // namespace

absl::Status Refuse(const Node& node, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(node.Describe(), ": ", why));
}

absl::StatusOr<size_t> NormalAxis(const Node& node, int64_t axis, size_t rank) {
  const int64_t signed_rank = static_cast<int64_t>(rank);
  if (axis < -signed_rank || axis >= signed_rank) {
    return Refuse(node, absl::StrCat("its axis ", axis, " is outside its ", rank, " dimensions"));
  }
  return static_cast<size_t>(axis < 0 ? axis + signed_rank : axis);
}

Tensor ToTensor(const Constant& constant) {
  Tensor tensor;
  tensor.shape = constant.shape;
  tensor.values.assign(constant.values.begin(), constant.values.end());
  return tensor;
}

ImportContext::ImportContext(const Graph& graph) : graph_(graph) {
  for (const Node& node : graph.nodes) {
    for (const std::string& input : node.inputs) ++use_count_[input];
  }
  for (const std::string& output : graph.outputs) ++use_count_[output];
  for (const auto& [name, constant] : graph.constants) values_[name] = {-1, {}, constant};
}

bool ImportContext::HasInput(const Node& node, size_t index) const {
  return index < node.inputs.size() && !node.inputs[index].empty();
}

absl::StatusOr<ImportedValue> ImportContext::Input(const Node& node, size_t index) const {
  if (!HasInput(node, index)) return Refuse(node, absl::StrCat("input ", index, " is missing"));
  const auto it = values_.find(node.inputs[index]);
  if (it == values_.end()) {
    return Refuse(node, absl::StrCat("its input \"", node.inputs[index],
                                     "\" is an output that is not supported"));
  }
  return it->second;
}

absl::StatusOr<ImportedValue> ImportContext::TensorInput(const Node& node, size_t index) const {
  ASSIGN_OR_RETURN(ImportedValue value, Input(node, index));
  if (value.is_constant()) {
    return Refuse(node, absl::StrCat("input ", index, " is a constant, not a layer's result"));
  }
  if (value.axes.empty() || value.axes[0] != kBatchAxis) {
    return Refuse(node, "the batch is not the first dimension of its input");
  }
  return value;
}

absl::StatusOr<ConstantPtr> ImportContext::ConstantInput(const Node& node, size_t index) const {
  ASSIGN_OR_RETURN(ImportedValue value, Input(node, index));
  if (!value.is_constant()) {
    return Refuse(node, absl::StrCat("input ", index, " must be a constant"));
  }
  return value.constant;
}

absl::StatusOr<std::vector<int64_t>> ImportContext::Integers(const Node& node, size_t index,
                                                             const std::string& attribute) const {
  if (node.Has(attribute)) return node.Integers(attribute);
  std::vector<int64_t> numbers;
  if (!HasInput(node, index)) return numbers;
  ASSIGN_OR_RETURN(const ConstantPtr constant, ConstantInput(node, index));
  for (double value : constant->values) {
    if (!(std::abs(value) <= 0x1p60)) return Refuse(node, "a number of its list is out of range");
    numbers.push_back(static_cast<int64_t>(value));
  }
  return numbers;
}

void ImportContext::BindOutput(const Node& node, size_t index, ImportedValue value) {
  if (index < node.outputs.size() && !node.outputs[index].empty()) {
    if (!value.is_constant()) {
      // A name that only this node reads is replaced by the new one.
      bool replaces = false;
      for (const std::string& input : node.inputs) {
        const auto it = values_.find(input);
        replaces = replaces || (it != values_.end() && it->second.layer == value.layer &&
                                use_count_[input] == 1);
      }
      if (!replaces) ++names_of_layer_[value.layer];
    }
    values_[node.outputs[index]] = std::move(value);
  }
}

void ImportContext::BindConstant(const Node& node, Constant constant) {
  Bind(node, {-1, {}, std::make_shared<const Constant>(std::move(constant))});
}

bool ImportContext::IsExclusive(const std::string& value_name) const {
  const auto uses = use_count_.find(value_name);
  const auto value = values_.find(value_name);
  if (uses == use_count_.end() || uses->second != 1 || value == values_.end()) return false;
  const auto names = names_of_layer_.find(value->second.layer);
  return names != names_of_layer_.end() && names->second == 1;
}

std::string ImportContext::UniqueName(const std::string& wish, Op op) {
  std::string name = Identifier(wish);
  const bool noise = name.empty() || absl::StartsWith(name, "class__keras");
  std::string stem = noise ? std::string(OpName(op)) : name;
  name = noise ? absl::StrCat(stem, "_1") : stem;
  for (int k = noise ? 2 : 1; !names_.insert(name).second; ++k) name = absl::StrCat(stem, "_", k);
  return name;
}

// "/fc1/Gemm" -> fc1; without a name, the weights' ("fc1.weight" -> fc1).
std::string ImportContext::NameOf(const Node& node, Op op) const {
  std::vector<std::string> parts = absl::StrSplit(node.name, '/', absl::SkipEmpty());
  if (parts.size() > 1 && absl::StartsWith(parts.back(), node.op)) parts.pop_back();
  const bool has_weights = op == Op::kDense || op == Op::kConv1D || op == Op::kConv2D;
  if (parts.empty() && has_weights && node.inputs.size() > 1) {
    const std::vector<std::string> weight = absl::StrSplit(node.inputs[1], '.');
    if (weight.size() > 1) return absl::StrJoin(weight.begin(), weight.end() - 1, "_");
  }
  return absl::StrJoin(parts, "_");
}

absl::StatusOr<int> ImportContext::AddLayer(const Node& node, Layer layer) {
  if (layer.name.empty()) layer.name = UniqueName(NameOf(node, layer.op), layer.op);
  std::vector<Shape> inputs;
  for (const std::string& input : layer.inputs) {
    inputs.push_back(network_.Find(input)->output_shape);
  }
  const absl::StatusOr<Shape> shape = InferShape(layer, inputs);
  if (!shape.ok()) return Refuse(node, shape.status().message());
  int64_t count = 1;
  for (int64_t extent : *shape) {
    if (extent < 1 || extent > kMaxFoldedElements || (count *= extent) > kMaxFoldedElements) {
      return Refuse(node, absl::StrCat("its result ", ShapeText(*shape), " is empty or too large"));
    }
  }
  for (const auto& [name, tensor] : layer.parameters) {
    constant_elements_ += static_cast<int64_t>(tensor.values.size());
  }
  if (constant_elements_ > kMaxFoldedElements) {
    return Refuse(node, "the network has too many parameters");
  }
  layer.output_shape = *shape;
  network_.layers.push_back(std::move(layer));
  return static_cast<int>(network_.layers.size()) - 1;
}

absl::Status ImportContext::BindUnary(const Node& node, Op op, Value attributes,
                                      std::map<std::string, Tensor> parameters) {
  ASSIGN_OR_RETURN(ImportedValue value, TensorInput(node, 0));
  Layer added{.op = op, .inputs = {layer(value.layer).name}};
  added.attributes = std::move(attributes);
  added.parameters = std::move(parameters);
  ASSIGN_OR_RETURN(value.layer, AddLayer(node, std::move(added)));
  Bind(node, std::move(value));
  return absl::OkStatus();
}

std::vector<int64_t> ImportContext::OnnxShape(const ImportedValue& value) const {
  std::vector<int64_t> shape;
  for (int axis : value.axes) {
    if (axis == kBatchAxis) {
      shape.push_back(kUnknownExtent);
    } else {
      shape.push_back(axis == kOneAxis ? 1 : network_.layers[value.layer].output_shape[axis]);
    }
  }
  return shape;
}

absl::StatusOr<int> ImportContext::InOrder(const Node& node, const ImportedValue& value,
                                           const std::vector<int>& order) {
  // The layer's dimensions in the wanted order, then those of extent 1 that it lacks.
  std::vector<int64_t> permutation;
  Shape wanted;
  const Shape from = network_.layers[value.layer].output_shape;
  for (int dimension : order) {
    const int axis = value.axes[dimension];
    if (axis == kBatchAxis) return Refuse(node, "the batch must be the first dimension");
    wanted.push_back(axis == kOneAxis ? 1 : from[axis]);
    if (axis != kOneAxis) permutation.push_back(axis);
  }
  if (permutation.size() != from.size()) return Refuse(node, "its input's dimensions are lost");
  int index = value.layer;
  if (!std::is_sorted(permutation.begin(), permutation.end())) {
    Layer transpose{.op = Op::kTranspose, .inputs = {network_.layers[index].name}};
    transpose.name =
        UniqueName(absl::StrCat(network_.layers[index].name, "_transpose"), Op::kTranspose);
    transpose.attributes.Set("permutation", IntegerListValue(permutation));
    ASSIGN_OR_RETURN(index, AddLayer(node, std::move(transpose)));
  }
  if (wanted != network_.layers[index].output_shape) {
    Layer reshape{.op = Op::kReshape, .inputs = {network_.layers[index].name}};
    reshape.name = UniqueName(absl::StrCat(network_.layers[index].name, "_reshape"), Op::kReshape);
    reshape.output_shape = wanted;
    ASSIGN_OR_RETURN(index, AddLayer(node, std::move(reshape)));
  }
  return index;
}

absl::StatusOr<int> ImportContext::RowMajor(const Node& node, const ImportedValue& value) {
  std::vector<int> order;
  for (size_t d = 1; d < value.axes.size(); ++d) order.push_back(static_cast<int>(d));
  return InOrder(node, value, order);
}

absl::StatusOr<int> ImportContext::ChannelsLast(const Node& node, const ImportedValue& value) {
  std::vector<int> order;
  for (size_t d = 2; d < value.axes.size(); ++d) order.push_back(static_cast<int>(d));
  if (value.axes.size() > 1) order.push_back(1);
  return InOrder(node, value, order);
}

std::vector<int> ImportContext::RowMajorAxes(size_t rank) {
  std::vector<int> axes = {kBatchAxis};
  for (size_t d = 1; d < rank; ++d) axes.push_back(static_cast<int>(d) - 1);
  return axes;
}

std::vector<int> ImportContext::ChannelsLastAxes(size_t rank) {
  std::vector<int> axes = {kBatchAxis, static_cast<int>(rank) - 2};
  for (size_t d = 2; d < rank; ++d) axes.push_back(static_cast<int>(d) - 2);
  return axes;
}

absl::StatusOr<Tensor> ImportContext::BroadcastParameter(const Node& node,
                                                         const ImportedValue& value,
                                                         const Constant& constant) const {
  const std::vector<int64_t> shape = OnnxShape(value);
  const Shape& layer_shape = network_.layers[value.layer].output_shape;
  if (constant.shape.size() > shape.size()) {
    return Refuse(node, "its constant has more dimensions than its other input");
  }
  // Strides of the constant along the layer's dimensions.
  std::vector<int64_t> stride(layer_shape.size(), 0);
  bool per_channel = true;
  int64_t step = 1;
  for (size_t back = 1; back <= constant.shape.size(); ++back) {
    const int64_t extent = constant.shape[constant.shape.size() - back];
    const size_t dimension = shape.size() - back;
    const int axis = value.axes[dimension];
    if (extent == 1) continue;
    if (axis < 0 || extent != shape[dimension]) {
      return Refuse(node, absl::StrCat("its constant ", ShapeText(constant.shape),
                                       " does not broadcast over its other input"));
    }
    stride[axis] = step;
    step *= extent;
    per_channel = per_channel && axis + 1 == static_cast<int>(layer_shape.size());
  }
  Tensor tensor;
  if (step == 1) {
    tensor.shape = {1};
  } else if (per_channel) {
    tensor.shape = {layer_shape.back()};
  } else {
    tensor.shape = layer_shape;
  }
  if (tensor.shape.size() == 1) {
    tensor.values.assign(constant.values.begin(), constant.values.end());
    return tensor;
  }
  const int64_t count = ElementCount(layer_shape);
  tensor.values.resize(static_cast<size_t>(count));
  for (int64_t element = 0; element < count; ++element) {
    int64_t rest = element;
    int64_t from = 0;
    for (size_t d = layer_shape.size(); d-- > 0;) {
      from += rest % layer_shape[d] * stride[d];
      rest /= layer_shape[d];
    }
    tensor.values[element] = static_cast<float>(constant.values[from]);
  }
  return tensor;
}

absl::Status ImportContext::AddInputs() {
  if (graph_.inputs.empty()) return absl::InvalidArgumentError("the graph has no input");
  for (const GraphInput& input : graph_.inputs) {
    const std::string where = absl::StrCat("the input \"", input.name, "\" ");
    if (input.shape.size() < 2) {
      return absl::InvalidArgumentError(absl::StrCat(
          where, "needs a batch dimension and at least one other; it has ", input.shape.size()));
    }
    Layer added{.op = Op::kInput};
    for (size_t d = 1; d < input.shape.size(); ++d) {
      if (input.shape[d] == kUnknownExtent) {
        return absl::InvalidArgumentError(
            absl::StrCat(where, "has a dynamic dimension ", d, "; only the batch may be dynamic"));
      }
      added.output_shape.push_back(input.shape[d]);
    }
    if (&input == &graph_.inputs[0]) fixed_batch_ = input.shape[0];
    added.name = UniqueName(input.name, Op::kInput);
    const Node node{.op = "Input", .name = input.name};
    ASSIGN_OR_RETURN(const int index, AddLayer(node, std::move(added)));
    values_[input.name] = {index, RowMajorAxes(input.shape.size()), nullptr};
    names_of_layer_[index] = 1;
  }
  return absl::OkStatus();
}

absl::StatusOr<Network> ImportContext::Finish() {
  for (const std::string& output : graph_.outputs) {
    const auto it = values_.find(output);
    if (it == values_.end() || it->second.is_constant()) {
      return absl::InvalidArgumentError(
          absl::StrCat("the output \"", output, "\" does not depend on the input"));
    }
    const Node node{.op = "Output", .name = output};
    ASSIGN_OR_RETURN(const int index, RowMajor(node, it->second));
    network_.outputs.push_back(network_.layers[index].name);
  }
  if (network_.outputs.empty()) return absl::InvalidArgumentError("the graph has no output");
  network_.name = graph_.name;
  return std::move(network_);
}

}  // namespace dovetail::nn::onnx_file
