#include "services/worker/nn/layer_shapes.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"

namespace dovetail::nn {
namespace {

constexpr int64_t kMaxExtent = int64_t{1} << 24;

absl::Status Wrong(absl::string_view what) { return absl::InvalidArgumentError(what); }

absl::Status ExpectInputs(const std::vector<Shape>& inputs, size_t count) {
  if (inputs.size() == count) return absl::OkStatus();
  return Wrong(absl::StrCat("it has ", inputs.size(), " inputs, not ", count));
}

absl::Status ExpectShape(const Layer& layer, const std::string& parameter, const Shape& expected) {
  const auto it = layer.parameters.find(parameter);
  if (it == layer.parameters.end()) return Wrong(absl::StrCat("it has no \"", parameter, "\""));
  if (it->second.shape == expected) return absl::OkStatus();
  return Wrong(absl::StrCat("its \"", parameter, "\" has shape ", ShapeText(it->second.shape),
                            ", not ", ShapeText(expected)));
}

absl::Status ExpectOptionalBias(const Layer& layer, int64_t n_out) {
  if (!layer.parameters.contains("bias")) return absl::OkStatus();
  return ExpectShape(layer, "bias", {n_out});
}

absl::StatusOr<Shape> DenseShape(const Layer& layer, const Shape& input) {
  const auto kernel = layer.parameters.find("kernel");
  if (kernel == layer.parameters.end() || kernel->second.shape.size() != 2) {
    return Wrong("its kernel is not a matrix");
  }
  if (input.empty()) return Wrong("its input is a scalar");
  const Shape& shape = kernel->second.shape;
  if (shape[0] != input.back()) {
    return Wrong(absl::StrCat("its kernel ", ShapeText(shape), " does not fit its input ",
                              ShapeText(input)));
  }
  RETURN_IF_ERROR(ExpectOptionalBias(layer, shape[1]));
  Shape result = input;
  result.back() = shape[1];
  return result;
}

absl::StatusOr<int64_t> WindowPositions(const Window& window, size_t d, int64_t extent) {
  const int64_t padded = extent + window.pad_begin[d] + window.pad_end[d];
  const int64_t reach = window.dilation[d] * (window.size[d] - 1) + 1;
  if (padded < reach) {
    return Wrong(
        absl::StrCat("its window of ", reach, " is larger than its padded input of ", padded));
  }
  return (padded - reach) / window.stride[d] + 1;
}

absl::StatusOr<Shape> SlidingShape(const Window& window, const Shape& input, int64_t channels) {
  if (input.size() != window.size.size() + 1) {
    return Wrong(absl::StrCat("its input ", ShapeText(input), " does not have ", window.size.size(),
                              " spatial dimensions and channels"));
  }
  Shape result;
  for (size_t d = 0; d < window.size.size(); ++d) {
    ASSIGN_OR_RETURN(const int64_t positions, WindowPositions(window, d, input[d]));
    result.push_back(positions);
  }
  result.push_back(channels);
  return result;
}

absl::StatusOr<Shape> ConvShape(const Layer& layer, const Shape& input) {
  ASSIGN_OR_RETURN(const Window window, WindowOf(layer));
  const Shape& kernel = layer.parameters.at("kernel").shape;
  const int64_t channels_out = kernel.back();
  const int64_t channels_in = kernel[kernel.size() - 2] * window.groups;
  if (input.empty() || input.back() != channels_in || channels_out % window.groups != 0) {
    return Wrong(absl::StrCat("its kernel ", ShapeText(kernel), " in ", window.groups,
                              " groups does not fit its input ", ShapeText(input)));
  }
  RETURN_IF_ERROR(ExpectOptionalBias(layer, channels_out));
  return SlidingShape(window, input, channels_out);
}

absl::StatusOr<Shape> PoolShape(const Layer& layer, const Shape& input) {
  ASSIGN_OR_RETURN(const Window window, WindowOf(layer));
  for (size_t d = 0; d < window.size.size(); ++d) {
    if (window.pad_begin[d] >= window.size[d] || window.pad_end[d] >= window.size[d]) {
      return Wrong("its padding is as large as its window");
    }
  }
  return SlidingShape(window, input, input.empty() ? 0 : input.back());
}

absl::StatusOr<Shape> GlobalPoolShape(const Layer& layer, const Shape& input) {
  if (input.size() < 2) return Wrong("its input has no spatial dimension");
  if (!layer.attributes["keep_dimensions"].AsBool()) return Shape{input.back()};
  Shape result(input.size(), 1);
  result.back() = input.back();
  return result;
}

absl::StatusOr<Shape> ConcatShape(const Layer& layer, const std::vector<Shape>& inputs) {
  if (inputs.empty()) return Wrong("it has no inputs");
  const double axis_number = layer.attributes["axis"].AsNumber();
  Shape result = inputs[0];
  if (!(axis_number >= 0) || axis_number >= result.size()) {
    return Wrong(absl::StrCat("its axis is not in 0..", static_cast<int>(result.size()) - 1));
  }
  const size_t axis = static_cast<size_t>(axis_number);
  for (size_t i = 1; i < inputs.size(); ++i) {
    Shape other = inputs[i];
    if (other.size() != result.size()) return Wrong("its inputs differ in rank");
    other[axis] = result[axis];
    if (other != result) return Wrong("its inputs differ beside the axis");
    result[axis] += inputs[i][axis];
  }
  return result;
}

absl::StatusOr<Shape> TransposeShape(const Layer& layer, const Shape& input) {
  const std::vector<int64_t> permutation = IntegerList(layer.attributes["permutation"]);
  std::vector<bool> seen(input.size(), false);
  if (permutation.size() != input.size()) return Wrong("its permutation has the wrong length");
  Shape result;
  for (int64_t from : permutation) {
    if (from < 0 || from >= static_cast<int64_t>(input.size()) || seen[from]) {
      return Wrong("its permutation is none");
    }
    seen[from] = true;
    result.push_back(input[from]);
  }
  return result;
}

absl::StatusOr<Shape> ZeroPadShape(const Layer& layer, const Shape& input) {
  const std::vector<int64_t> padding = IntegerList(layer.attributes["padding"]);
  if (input.size() < 2 || padding.size() != 2 * (input.size() - 1)) {
    return Wrong("its padding does not have two numbers per spatial dimension");
  }
  Shape result = input;
  for (size_t d = 0; d < padding.size(); ++d) {
    if (padding[d] < 0 || padding[d] > kMaxExtent) return Wrong("its padding is negative or huge");
    result[d % (input.size() - 1)] += padding[d];
  }
  return result;
}

absl::StatusOr<Shape> UpSampleShape(const Layer& layer, const Shape& input) {
  const std::vector<int64_t> factors = IntegerList(layer.attributes["factors"]);
  if (input.size() < 2 || factors.size() != input.size() - 1) {
    return Wrong("its factors are not one per spatial dimension");
  }
  Shape result = input;
  for (size_t d = 0; d < factors.size(); ++d) {
    if (factors[d] < 1 || factors[d] > kMaxExtent) return Wrong("a factor is not positive");
    result[d] *= factors[d];
  }
  return result;
}

// A parameter that is broadcast over the input: one number, one per channel or one per element.
absl::Status ExpectBroadcast(const Layer& layer, const std::string& parameter, const Shape& input) {
  const auto it = layer.parameters.find(parameter);
  if (it == layer.parameters.end()) return Wrong(absl::StrCat("it has no \"", parameter, "\""));
  const Shape& shape = it->second.shape;
  if (shape == Shape{1} || shape == input || (!input.empty() && shape == Shape{input.back()})) {
    return absl::OkStatus();
  }
  return Wrong(absl::StrCat("its \"", parameter, "\" of shape ", ShapeText(shape),
                            " does not fit its input ", ShapeText(input)));
}

absl::StatusOr<Shape> AddShape(const Layer& layer, const std::vector<Shape>& inputs) {
  if (inputs.empty()) return Wrong("it has no inputs");
  if (inputs.size() == 1) {
    RETURN_IF_ERROR(ExpectBroadcast(layer, "offset", inputs[0]));
  }
  for (const Shape& shape : inputs) {
    if (shape != inputs[0]) {
      return Wrong(
          absl::StrCat("its inputs have shapes ", ShapeText(inputs[0]), " and ", ShapeText(shape)));
    }
  }
  return inputs[0];
}

absl::StatusOr<Shape> RecurrentShape(const Layer& layer, const Shape& input) {
  const int64_t gates = layer.op == Op::kLstm ? 4 : 3;
  const double units_number = layer.attributes["units"].AsNumber();
  if (!(units_number >= 1) || units_number > static_cast<double>(kMaxExtent)) {
    return Wrong("its units are not positive");
  }
  const int64_t units = static_cast<int64_t>(units_number);
  if (input.size() != 2) return Wrong("its input is not [steps, channels]");
  RETURN_IF_ERROR(ExpectShape(layer, "kernel", {input[1], gates * units}));
  RETURN_IF_ERROR(ExpectShape(layer, "recurrent_kernel", {units, gates * units}));
  RETURN_IF_ERROR(ExpectShape(layer, "bias", {gates * units}));
  if (layer.op == Op::kGru) {
    RETURN_IF_ERROR(ExpectShape(layer, "recurrent_bias", {gates * units}));
  }
  if (layer.attributes["return_sequences"].AsBool()) return Shape{input[0], units};
  return Shape{units};
}

}  // namespace

std::string ShapeText(const Shape& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

std::vector<int64_t> IntegerList(const Value& value) {
  std::vector<int64_t> numbers;
  for (const Value& one : value.AsList()) {
    const double number = one.AsNumber();
    const bool fits = std::abs(number) <= 0x1p53;
    numbers.push_back(fits ? static_cast<int64_t>(number) : -1);
  }
  return numbers;
}

Value IntegerListValue(const std::vector<int64_t>& numbers) {
  Value list{Value::List()};
  for (int64_t number : numbers) list.Append(number);
  return list;
}

absl::StatusOr<Window> WindowOf(const Layer& layer) {
  Window window;
  const bool is_conv = layer.op == Op::kConv1D || layer.op == Op::kConv2D;
  if (is_conv) {
    const size_t spatial = layer.op == Op::kConv1D ? 1 : 2;
    const auto kernel = layer.parameters.find("kernel");
    if (kernel == layer.parameters.end() || kernel->second.shape.size() != spatial + 2) {
      return Wrong(absl::StrCat("its kernel does not have ", spatial + 2, " dimensions"));
    }
    window.size.assign(kernel->second.shape.begin(), kernel->second.shape.begin() + spatial);
    window.dilation = IntegerList(layer.attributes["dilations"]);
    if (layer.attributes.Has("groups")) {
      const double groups = layer.attributes["groups"].AsNumber();
      if (!(groups >= 1) || groups > static_cast<double>(kMaxExtent)) {
        return Wrong("its groups are not positive");
      }
      window.groups = static_cast<int64_t>(groups);
    }
  } else {
    window.size = IntegerList(layer.attributes["pool"]);
  }
  const size_t rank = window.size.size();
  if (window.dilation.empty()) window.dilation.assign(rank, 1);
  window.stride = IntegerList(layer.attributes["strides"]);
  if (window.stride.empty()) window.stride.assign(rank, 1);
  std::vector<int64_t> padding = IntegerList(layer.attributes["padding"]);
  if (padding.empty()) padding.assign(2 * rank, 0);
  if (rank < 1 || rank > 2 || window.stride.size() != rank || padding.size() != 2 * rank ||
      window.dilation.size() != rank) {
    return Wrong("its window, strides, padding and dilations do not have matching lengths");
  }
  window.pad_begin.assign(padding.begin(), padding.begin() + rank);
  window.pad_end.assign(padding.begin() + rank, padding.end());
  for (size_t d = 0; d < rank; ++d) {
    for (int64_t positive : {window.size[d], window.stride[d], window.dilation[d]}) {
      if (positive < 1 || positive > kMaxExtent) {
        return Wrong("its window, strides and dilations are not all positive");
      }
    }
    for (int64_t pad : {window.pad_begin[d], window.pad_end[d]}) {
      if (pad < 0 || pad > kMaxExtent) return Wrong("its padding is negative or huge");
    }
  }
  return window;
}

absl::StatusOr<Shape> InferShape(const Layer& layer, const std::vector<Shape>& inputs) {
  switch (layer.op) {
    case Op::kInput:
      RETURN_IF_ERROR(ExpectInputs(inputs, 0));
      return layer.output_shape;
    case Op::kAdd:
      return AddShape(layer, inputs);
    case Op::kConcat:
      return ConcatShape(layer, inputs);
    default:
      break;
  }
  RETURN_IF_ERROR(ExpectInputs(inputs, 1));
  const Shape& input = inputs[0];
  switch (layer.op) {
    case Op::kDense:
      return DenseShape(layer, input);
    case Op::kConv1D:
    case Op::kConv2D:
      return ConvShape(layer, input);
    case Op::kMaxPool:
    case Op::kAveragePool:
      return PoolShape(layer, input);
    case Op::kGlobalMaxPool:
    case Op::kGlobalAveragePool:
      return GlobalPoolShape(layer, input);
    case Op::kBatchNormalization:
      if (input.empty()) return Wrong("its input is a scalar");
      RETURN_IF_ERROR(ExpectShape(layer, "scale", {input.back()}));
      RETURN_IF_ERROR(ExpectShape(layer, "offset", {input.back()}));
      return input;
    case Op::kMultiply:
      RETURN_IF_ERROR(ExpectBroadcast(layer, "scale", input));
      return input;
    case Op::kPRelu:
      RETURN_IF_ERROR(ExpectBroadcast(layer, "alpha", input));
      return input;
    case Op::kFlatten:
      return Shape{ElementCount(input)};
    case Op::kReshape:
      if (ElementCount(layer.output_shape) != ElementCount(input)) {
        return Wrong(absl::StrCat("it cannot make ", ShapeText(layer.output_shape), " of ",
                                  ShapeText(input)));
      }
      return layer.output_shape;
    case Op::kTranspose:
      return TransposeShape(layer, input);
    case Op::kZeroPad:
      return ZeroPadShape(layer, input);
    case Op::kUpSample:
      return UpSampleShape(layer, input);
    case Op::kLstm:
    case Op::kGru:
      return RecurrentShape(layer, input);
    default:
      return input;  // element by element
  }
}

}  // namespace dovetail::nn
