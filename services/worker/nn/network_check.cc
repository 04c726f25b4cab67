// nn::Check: what every network satisfies before anything else looks at it.
#include <cmath>
#include <map>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/worker/nn/layer_shapes.h"
#include "services/worker/nn/network.h"

namespace dovetail::nn {
namespace {

constexpr int64_t kMaxElements = int64_t{1} << 28;

absl::Status CheckShape(const Shape& shape) {
  int64_t count = 1;
  for (int64_t extent : shape) {
    if (extent < 1 || extent > kMaxElements || (count *= extent) > kMaxElements) {
      return absl::InvalidArgumentError(
          absl::StrCat("the shape ", ShapeText(shape), " is empty, negative or huge"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckTensor(const Tensor& tensor, const std::string& name) {
  RETURN_IF_ERROR_WITH(CheckShape(tensor.shape), name);
  if (static_cast<int64_t>(tensor.values.size()) != ElementCount(tensor.shape)) {
    return absl::InvalidArgumentError(absl::StrCat(name, " has ", tensor.values.size(),
                                                   " values for shape ", ShapeText(tensor.shape)));
  }
  for (size_t i = 0; i < tensor.values.size(); ++i) {
    if (!std::isfinite(tensor.values[i])) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, " is ", std::isnan(tensor.values[i]) ? "NaN" : "infinite",
                       " at element ", i, "; every weight must be a finite number"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckMask(const Layer& layer, const std::string& name, const Tensor& mask) {
  const auto parameter = layer.parameters.find(name);
  if (parameter == layer.parameters.end() || parameter->second.shape != mask.shape ||
      mask.values.size() != parameter->second.values.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the mask of \"", name, "\" does not have its parameter's shape"));
  }
  for (float value : mask.values) {
    if (value != 0.0f && value != 1.0f) {
      return absl::InvalidArgumentError(
          absl::StrCat("the mask of \"", name, "\" has a value other than 0 and 1"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckType(const Layer& layer, const std::string& name, const TensorType& type) {
  for (const FixedType& one : type.elements) {
    if (one.width_bits < 1 || one.width_bits > 64) {
      return absl::InvalidArgumentError(
          absl::StrCat("the type of \"", name, "\" has a width outside 1..64"));
    }
  }
  if (type.type.width_bits < 1 || type.type.width_bits > 64) {
    return absl::InvalidArgumentError(
        absl::StrCat("the type of \"", name, "\" has a width outside 1..64"));
  }
  if (type.elements.empty()) return absl::OkStatus();
  const auto parameter = layer.parameters.find(name);
  const Shape& shape =
      parameter == layer.parameters.end() ? layer.output_shape : parameter->second.shape;
  const int64_t count = static_cast<int64_t>(type.elements.size());
  if (count == ElementCount(shape) || (!shape.empty() && count == shape.back())) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("the types of \"", name, "\" are ", count,
                   ", neither one per channel nor one per element of ", ShapeText(shape)));
}

absl::Status CheckLayer(const Layer& layer, const std::map<std::string, Shape>& earlier) {
  std::vector<Shape> inputs;
  for (const std::string& input : layer.inputs) {
    const auto it = earlier.find(input);
    if (it == earlier.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("its input \"", input, "\" is no earlier layer"));
    }
    inputs.push_back(it->second);
  }
  RETURN_IF_ERROR(CheckShape(layer.output_shape));
  for (const auto& [name, tensor] : layer.parameters) {
    RETURN_IF_ERROR(CheckTensor(tensor, absl::StrCat("its \"", name, "\"")));
  }
  ASSIGN_OR_RETURN(const Shape shape, InferShape(layer, inputs));
  if (shape != layer.output_shape) {
    return absl::InvalidArgumentError(absl::StrCat("its shape is ", ShapeText(layer.output_shape),
                                                   ", its inputs give ", ShapeText(shape)));
  }
  for (const auto& [name, mask] : layer.masks) RETURN_IF_ERROR(CheckMask(layer, name, mask));
  for (const auto& [name, type] : layer.types) RETURN_IF_ERROR(CheckType(layer, name, type));
  return absl::OkStatus();
}

}  // namespace

absl::Status Check(const Network& network) {
  std::map<std::string, Shape> earlier;
  for (const Layer& layer : network.layers) {
    if (layer.name.empty()) return absl::InvalidArgumentError("a layer has no name");
    RETURN_IF_ERROR_WITH(CheckLayer(layer, earlier),
                         absl::StrCat(OpName(layer.op), " layer \"", layer.name, "\""));
    if (!earlier.emplace(layer.name, layer.output_shape).second) {
      return absl::InvalidArgumentError(absl::StrCat("two layers are called \"", layer.name, "\""));
    }
  }
  if (network.InputIndices().empty()) return absl::InvalidArgumentError("it has no input layer");
  if (network.outputs.empty()) return absl::InvalidArgumentError("it has no output");
  for (const std::string& output : network.outputs) {
    if (!earlier.contains(output)) {
      return absl::InvalidArgumentError(absl::StrCat("the output \"", output, "\" is no layer"));
    }
  }
  return absl::OkStatus();
}

}  // namespace dovetail::nn
