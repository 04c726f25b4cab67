#include "services/worker/nn/onnx_writer.h"

#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "onnx/onnx_pb.h"
#include "services/worker/nn/layer_shapes.h"

namespace dovetail::nn {
namespace {

constexpr int kOpset = 13;
constexpr int kIrVersion = 7;

absl::Status Cannot(const Layer& layer, absl::string_view why) {
  return absl::UnimplementedError(
      absl::StrCat(OpName(layer.op), " layer \"", layer.name, "\" cannot be written: ", why));
}

class Writer {
 public:
  Writer(const Network& network, OnnxFlavor flavor) : network_(network), flavor_(flavor) {
    model_.set_ir_version(kIrVersion);
    model_.set_producer_name("dovetail");
    auto* opset = model_.add_opset_import();
    opset->set_domain("");
    opset->set_version(kOpset);
    if (flavor == OnnxFlavor::kQonnx) {
      auto* quant = model_.add_opset_import();
      quant->set_domain("qonnx.custom_op.general");
      quant->set_version(1);
    }
    graph_ = model_.mutable_graph();
    graph_->set_name(network.name.empty() ? "network" : network.name);
  }

  absl::StatusOr<std::string> Write() {
    for (const Layer& layer : network_.layers) {
      ASSIGN_OR_RETURN(std::string value, WriteLayer(layer));
      ASSIGN_OR_RETURN(values_[layer.name], WriteResultType(layer, std::move(value)));
    }
    for (const std::string& output : network_.outputs) {
      AddValue(*graph_->add_output(), values_.at(output), network_.Find(output)->output_shape);
    }
    return model_.SerializeAsString();
  }

 private:
  static void AddValue(::onnx::ValueInfoProto& info, const std::string& name, const Shape& shape) {
    info.set_name(name);
    auto* tensor = info.mutable_type()->mutable_tensor_type();
    tensor->set_elem_type(::onnx::TensorProto::FLOAT);
    tensor->mutable_shape()->add_dim()->set_dim_param("batch");
    for (int64_t extent : shape) tensor->mutable_shape()->add_dim()->set_dim_value(extent);
  }

  std::string Constant(const std::string& name, const Shape& shape,
                       const std::vector<float>& values) {
    auto* tensor = graph_->add_initializer();
    tensor->set_name(name);
    tensor->set_data_type(::onnx::TensorProto::FLOAT);
    for (int64_t extent : shape) tensor->add_dims(extent);
    tensor->set_raw_data(values.data(), values.size() * sizeof(float));
    return name;
  }

  std::string Integers(const std::string& name, const std::vector<int64_t>& values) {
    auto* tensor = graph_->add_initializer();
    tensor->set_name(name);
    tensor->set_data_type(::onnx::TensorProto::INT64);
    tensor->add_dims(static_cast<int64_t>(values.size()));
    for (int64_t value : values) tensor->add_int64_data(value);
    return name;
  }

  ::onnx::NodeProto& Node(const std::string& op, const std::string& name,
                          const std::vector<std::string>& inputs) {
    auto* node = graph_->add_node();
    node->set_op_type(op);
    node->set_name(name);
    for (const std::string& input : inputs) node->add_input(input);
    node->add_output(name);
    return *node;
  }

  static void Set(::onnx::NodeProto& node, const std::string& name, int64_t value) {
    auto* attribute = node.add_attribute();
    attribute->set_name(name);
    attribute->set_type(::onnx::AttributeProto::INT);
    attribute->set_i(value);
  }
  static void Set(::onnx::NodeProto& node, const std::string& name, const Value& number) {
    auto* attribute = node.add_attribute();
    attribute->set_name(name);
    attribute->set_type(::onnx::AttributeProto::FLOAT);
    attribute->set_f(static_cast<float>(number.AsNumber()));
  }
  static void Set(::onnx::NodeProto& node, const std::string& name,
                  const std::vector<int64_t>& values) {
    auto* attribute = node.add_attribute();
    attribute->set_name(name);
    attribute->set_type(::onnx::AttributeProto::INTS);
    for (int64_t value : values) attribute->add_ints(value);
  }
  static void Set(::onnx::NodeProto& node, const std::string& name, const std::string& text) {
    auto* attribute = node.add_attribute();
    attribute->set_name(name);
    attribute->set_type(::onnx::AttributeProto::STRING);
    attribute->set_s(text);
  }

  // The ONNX rounding mode and the half steps to add before; "" where there is none.
  static std::string Rounding(Quantization mode, double& half_steps) {
    half_steps = mode == Quantization::kRnd ? 0.5 : 0;
    switch (mode) {
      case Quantization::kTrn:
      case Quantization::kRnd:
        return "FLOOR";
      case Quantization::kTrnZero:
        return "ROUND_TO_ZERO";
      case Quantization::kRndZero:
        return "HALF_DOWN";
      case Quantization::kRndInf:
        return "HALF_UP";
      case Quantization::kRndConv:
        return "ROUND";
      case Quantization::kRndMinInf:
        return "";
    }
    return "";
  }

  // A Quant node over `value`. `shape` is that of a tensor with one entry per element of the type.
  std::string Quant(const std::string& name, const std::string& value, const TensorType& type,
                    const Shape& shape, const std::string& rounding) {
    std::vector<float> scales, bits;
    const size_t count = type.elements.empty() ? 1 : type.elements.size();
    for (size_t e = 0; e < count; ++e) {
      const FixedType& one = type.elements.empty() ? type.type : type.elements[e];
      scales.push_back(std::ldexp(1.0f, -one.fraction_bits()));
      bits.push_back(static_cast<float>(one.width_bits));
    }
    const bool per_channel = !shape.empty() && count == static_cast<size_t>(shape.back());
    const Shape entries = count == 1    ? Shape{}
                          : per_channel ? Shape{static_cast<int64_t>(count)}
                                        : shape;
    auto& node = Node("Quant", name,
                      {value, Constant(name + "_scale", entries, scales),
                       Constant(name + "_zero", {}, {0}), Constant(name + "_bits", entries, bits)});
    node.set_domain("qonnx.custom_op.general");
    const FixedType& first = type.elements.empty() ? type.type : type.elements[0];
    Set(node, "signed", static_cast<int64_t>(first.is_signed));
    Set(node, "narrow", static_cast<int64_t>(first.overflow == Overflow::kSatSym));
    Set(node, "rounding_mode", rounding);
    return name;
  }

  std::string Parameter(const Layer& layer, const std::string& name, const Shape& shape,
                        const std::vector<float>& values) {
    const std::string value = Constant(absl::StrCat(layer.name, ".", name), shape, values);
    const auto type = layer.types.find(name);
    if (flavor_ == OnnxFlavor::kFloat || type == layer.types.end()) return value;
    // The values lie on their grid: any rounding is the identity.
    return Quant(value + "_quant", value, type->second, shape, "ROUND");
  }
  std::string Parameter(const Layer& layer, const std::string& name) {
    const Tensor& tensor = layer.parameters.at(name);
    return Parameter(layer, name, tensor.shape, tensor.values);
  }

  absl::StatusOr<std::string> WriteResultType(const Layer& layer, std::string value) {
    const auto it = layer.types.find("result");
    if (flavor_ == OnnxFlavor::kFloat || it == layer.types.end()) return value;
    const TensorType& type = it->second;
    const FixedType& first = type.elements.empty() ? type.type : type.elements[0];
    for (const FixedType& one : type.elements) {
      if (one.is_signed != first.is_signed || one.quantization != first.quantization ||
          one.overflow != first.overflow) {
        return Cannot(layer, "its elements' types differ in sign or modes");
      }
    }
    double half_steps = 0;
    const std::string rounding = Rounding(first.quantization, half_steps);
    const bool saturates = first.overflow == Overflow::kSat || first.overflow == Overflow::kSatSym;
    if (!saturates || rounding.empty()) {
      return Cannot(layer, absl::StrCat("QONNX has no counterpart of ", FixedTypeToText(first)));
    }
    if (half_steps != 0) {
      if (!type.elements.empty()) return Cannot(layer, "AP_RND with a type per element");
      const float half = static_cast<float>(std::ldexp(half_steps, -first.fraction_bits()));
      const std::string name = layer.name + "_half";
      value = Node("Add", name, {value, Constant(name + "_step", {}, {half})}).output(0);
    }
    return Quant(layer.name + "_quant", value, type, layer.output_shape, rounding);
  }

  // To channels first and back; a value of one spatial dimension or two.
  std::string Transposed(const std::string& name, const std::string& value, size_t rank,
                         bool channels_first) {
    std::vector<int64_t> permutation = {0};
    const int64_t last = static_cast<int64_t>(rank);
    if (channels_first) {
      permutation.push_back(last);
      for (int64_t d = 1; d < last; ++d) permutation.push_back(d);
    } else {
      for (int64_t d = 2; d <= last; ++d) permutation.push_back(d);
      permutation.push_back(1);
    }
    auto& node = Node("Transpose", name, {value});
    Set(node, "perm", permutation);
    return name;
  }

  absl::StatusOr<std::string> WriteWindow(const Layer& layer, const std::string& input) {
    ASSIGN_OR_RETURN(const Window window, WindowOf(layer));
    const size_t rank = layer.output_shape.size();
    const bool is_conv = layer.op == Op::kConv1D || layer.op == Op::kConv2D;
    std::vector<std::string> inputs = {Transposed(layer.name + "_first", input, rank, true)};
    if (is_conv) {
      const Tensor& kernel = layer.parameters.at("kernel");
      // [window..., in, out] -> [out, in, window...]; the type goes with the values as they are.
      const std::string stored = Parameter(layer, "kernel");
      std::vector<int64_t> order = {static_cast<int64_t>(kernel.shape.size()) - 1,
                                    static_cast<int64_t>(kernel.shape.size()) - 2};
      for (size_t d = 0; d + 2 < kernel.shape.size(); ++d) {
        order.push_back(static_cast<int64_t>(d));
      }
      auto& transpose = Node("Transpose", layer.name + "_kernel", {stored});
      Set(transpose, "perm", order);
      inputs.push_back(transpose.output(0));
      if (layer.parameters.contains("bias")) inputs.push_back(Parameter(layer, "bias"));
    }
    const char* op = is_conv ? "Conv" : layer.op == Op::kMaxPool ? "MaxPool" : "AveragePool";
    auto& node = Node(op, layer.name, inputs);
    std::vector<int64_t> pads = window.pad_begin;
    pads.insert(pads.end(), window.pad_end.begin(), window.pad_end.end());
    Set(node, "kernel_shape", window.size);
    Set(node, "strides", window.stride);
    Set(node, "pads", pads);
    if (is_conv) {
      Set(node, "dilations", window.dilation);
      Set(node, "group", window.groups);
    } else if (layer.attributes["count_padding"].AsBool()) {
      Set(node, "count_include_pad", int64_t{1});
    }
    return Transposed(layer.name + "_last", layer.name, rank, false);
  }

  std::string WriteGlobalPool(const Layer& layer, const std::string& input) {
    const size_t rank = network_.Find(layer.inputs[0])->output_shape.size();
    const std::string first = Transposed(layer.name + "_first", input, rank, true);
    Node(layer.op == Op::kGlobalMaxPool ? "GlobalMaxPool" : "GlobalAveragePool", layer.name,
         {first});
    if (layer.attributes["keep_dimensions"].AsBool()) {
      return Transposed(layer.name + "_last", layer.name, rank, false);
    }
    auto& flatten = Node("Flatten", layer.name + "_flat", {layer.name});
    Set(flatten, "axis", int64_t{1});
    return flatten.output(0);
  }

  std::string WriteDense(const Layer& layer, const std::string& input) {
    const std::string product =
        Node("MatMul", layer.name, {input, Parameter(layer, "kernel")}).output(0);
    if (!layer.parameters.contains("bias")) return product;
    return Node("Add", layer.name + "_biased", {product, Parameter(layer, "bias")}).output(0);
  }

  std::string WriteMove(const Layer& layer, const std::vector<std::string>& inputs) {
    std::vector<int64_t> numbers;
    switch (layer.op) {
      case Op::kFlatten:
      case Op::kReshape:
        numbers = {-1};
        numbers.insert(numbers.end(), layer.output_shape.begin(), layer.output_shape.end());
        return Node("Reshape", layer.name, {inputs[0], Integers(layer.name + "_shape", numbers)})
            .output(0);
      case Op::kTranspose: {
        numbers = {0};
        for (int64_t d : IntegerList(layer.attributes["permutation"])) numbers.push_back(d + 1);
        auto& node = Node("Transpose", layer.name, inputs);
        Set(node, "perm", numbers);
        return layer.name;
      }
      case Op::kConcat: {
        auto& node = Node("Concat", layer.name, inputs);
        Set(node, "axis", static_cast<int64_t>(layer.attributes["axis"].AsNumber()) + 1);
        return layer.name;
      }
      case Op::kZeroPad: {
        const std::vector<int64_t> padding = IntegerList(layer.attributes["padding"]);
        for (size_t side = 0; side < 2; ++side) {
          numbers.push_back(0);
          for (size_t d = 0; d < padding.size() / 2; ++d) {
            numbers.push_back(padding[d + side * padding.size() / 2]);
          }
          numbers.push_back(0);
        }
        return Node("Pad", layer.name, {inputs[0], Integers(layer.name + "_pads", numbers)})
            .output(0);
      }
      default: {
        std::vector<float> scales = {1};
        for (int64_t f : IntegerList(layer.attributes["factors"])) {
          scales.push_back(static_cast<float>(f));
        }
        scales.push_back(1);
        auto& node =
            Node("Resize", layer.name,
                 {inputs[0], "",
                  Constant(layer.name + "_scales", {static_cast<int64_t>(scales.size())}, scales)});
        Set(node, "mode", std::string("nearest"));
        Set(node, "coordinate_transformation_mode", std::string("asymmetric"));
        Set(node, "nearest_mode", std::string("floor"));
        return layer.name;
      }
    }
  }

  absl::StatusOr<std::string> WriteActivation(const Layer& layer, const std::string& input) {
    static const std::map<Op, const char*> kOps = {
        {Op::kRelu, "Relu"},    {Op::kLeakyRelu, "LeakyRelu"},
        {Op::kElu, "Elu"},      {Op::kSigmoid, "Sigmoid"},
        {Op::kTanh, "Tanh"},    {Op::kSoftmax, "Softmax"},
        {Op::kPRelu, "PRelu"},  {Op::kHardSigmoid, "HardSigmoid"},
        {Op::kHardTanh, "Clip"}};
    const auto it = kOps.find(layer.op);
    if (it == kOps.end()) return Cannot(layer, "ONNX export does not cover it");
    std::vector<std::string> inputs = {input};
    if (layer.op == Op::kPRelu) inputs.push_back(Parameter(layer, "alpha"));
    if (layer.op == Op::kHardTanh) {
      for (const char* limit : {"minimum", "maximum"}) {
        inputs.push_back(Constant(absl::StrCat(layer.name, "_", limit), {},
                                  {static_cast<float>(layer.attributes[limit].AsNumber())}));
      }
    }
    auto& node = Node(it->second, layer.name, inputs);
    if (layer.op == Op::kSoftmax) Set(node, "axis", int64_t{-1});
    for (const char* name : {"alpha", "beta"}) {
      if (layer.attributes.Has(name)) Set(node, name, layer.attributes[name]);
    }
    return layer.name;
  }

  absl::StatusOr<std::string> WriteLayer(const Layer& layer) {
    std::vector<std::string> inputs;
    for (const std::string& name : layer.inputs) inputs.push_back(values_.at(name));
    switch (layer.op) {
      case Op::kInput:
        AddValue(*graph_->add_input(), layer.name, layer.output_shape);
        return layer.name;
      case Op::kDense:
        return WriteDense(layer, inputs[0]);
      case Op::kConv1D:
      case Op::kConv2D:
      case Op::kMaxPool:
      case Op::kAveragePool:
        return WriteWindow(layer, inputs[0]);
      case Op::kGlobalMaxPool:
      case Op::kGlobalAveragePool:
        return WriteGlobalPool(layer, inputs[0]);
      case Op::kFlatten:
      case Op::kReshape:
      case Op::kTranspose:
      case Op::kConcat:
      case Op::kZeroPad:
      case Op::kUpSample:
        return WriteMove(layer, inputs);
      case Op::kBatchNormalization: {
        Node("Mul", layer.name + "_scaled", {inputs[0], Parameter(layer, "scale")});
        Node("Add", layer.name, {layer.name + "_scaled", Parameter(layer, "offset")});
        return layer.name;
      }
      case Op::kMultiply:
        return Node("Mul", layer.name, {inputs[0], Parameter(layer, "scale")}).output(0);
      case Op::kAdd:
        if (inputs.size() == 1) inputs.push_back(Parameter(layer, "offset"));
        return Node(inputs.size() == 2 ? "Add" : "Sum", layer.name, inputs).output(0);
      case Op::kQuantize:
        if (layer.attributes["bipolar"].AsBool()) return Cannot(layer, "it is a bipolar cast");
        return Node("Identity", layer.name, inputs).output(0);
      default:
        return WriteActivation(layer, inputs.empty() ? "" : inputs[0]);
    }
  }

  const Network& network_;
  const OnnxFlavor flavor_;
  ::onnx::ModelProto model_;
  ::onnx::GraphProto* graph_ = nullptr;
  std::map<std::string, std::string> values_;  // layer -> ONNX value of its result
};

}  // namespace

absl::StatusOr<std::string> WriteOnnx(const Network& network, OnnxFlavor flavor) {
  RETURN_IF_ERROR(Check(network));
  return Writer(network, flavor).Write();
}

}  // namespace dovetail::nn
