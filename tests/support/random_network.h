// Random quantised networks of every layer the fixed-point engines run, from a seed: the property
// tests' subject. Types differ by tensor, and sometimes by channel or element.
#ifndef DOVETAIL_TESTS_SUPPORT_RANDOM_NETWORK_H_
#define DOVETAIL_TESTS_SUPPORT_RANDOM_NETWORK_H_

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "common/base/rng.h"
#include "services/worker/fixedpoint/fixed_value.h"
#include "services/worker/fixedpoint/tensor_grid.h"
#include "services/worker/nn/layer_shapes.h"
#include "services/worker/nn/network.h"

namespace dovetail::testing {

class RandomNetwork {
 public:
  explicit RandomNetwork(uint64_t seed, int max_bits = 16) : rng_(seed), max_bits_(max_bits) {}

  // [n] inputs, dense layers with activations between.
  nn::Network Dense() {
    Input({1 + Below(24)});
    const int64_t depth = 1 + Below(4);
    for (int64_t i = 0; i < depth; ++i) {
      Add(DenseLayer(1 + Below(20)));
      if (i + 1 < depth) Activation();
    }
    return Finish();
  }

  // Convolutions, pooling, a residual sum, then a dense layer.
  nn::Network Convolutional() {
    const bool flat = Below(3) == 0;
    if (flat) {
      Input({6 + Below(8), 1 + Below(4)});
    } else {
      Input({5 + Below(5), 5 + Below(5), 1 + Below(4)});
    }
    Add(ConvLayer(flat));
    Activation();
    if (Below(2) == 0) {
      const std::string skip = Last().name;
      Activation();
      Add(Make(nn::Op::kAdd, {skip, Last().name}));
    }
    if (Below(2) == 0) Add(PoolLayer());
    if (Below(3) == 0) Add(Make(nn::Op::kGlobalAveragePool, {Last().name}));
    if (Last().output_shape.size() > 1) Add(Moving(nn::Op::kFlatten));
    Add(DenseLayer(1 + Below(8)));
    return Finish();
  }

  // Features: mostly in range, sometimes far out, sometimes on ties.
  std::vector<float> Features(const nn::Network& network, int64_t count) {
    std::vector<float> features;
    const int64_t width = nn::ElementCount(network.layers[0].output_shape);
    for (int64_t i = 0; i < count * width; ++i) {
      const int64_t kind = Below(10);
      double value = rng_.Normal() * 2;
      if (kind == 0) value *= 1000;
      if (kind == 1) value = std::round(value * 64) / 64;
      if (kind == 2) value = 0;
      features.push_back(static_cast<float>(value));
    }
    return features;
  }

  int64_t Below(int64_t bound) {
    return static_cast<int64_t>(rng_.Below(static_cast<uint64_t>(bound)));
  }

 private:
  nn::Layer& Last() { return network_.layers.back(); }

  FixedType Type(int max_bits) {
    FixedType type;
    type.width_bits = 2 + static_cast<int>(Below(max_bits - 1));
    type.integer_bits = static_cast<int>(Below(7)) - 1;
    type.is_signed = Below(4) != 0;
    type.quantization = static_cast<Quantization>(Below(7));
    type.overflow = static_cast<Overflow>(Below(4));
    return type;
  }

  // One type, or one per entry with equal fraction bits or not.
  nn::TensorType Types(int64_t channels, int max_bits, bool may_vary) {
    nn::TensorType type;
    type.type = Type(max_bits);
    if (!may_vary || Below(4) != 0) return type;
    for (int64_t c = 0; c < channels; ++c) type.elements.push_back(Type(max_bits));
    return type;
  }

  nn::Tensor Parameter(nn::Layer& layer, const std::string& name, const nn::Shape& shape,
                       int max_bits) {
    const nn::TensorType type = Types(nn::ElementCount(shape), max_bits, true);
    nn::Tensor tensor{shape, {}};
    for (int64_t e = 0; e < nn::ElementCount(shape); ++e) {
      const FixedType& one = fixedpoint::TypeAt(type, e);
      const double value = Below(4) == 0 ? 0 : rng_.Normal();
      tensor.values.push_back(
          static_cast<float>(fixedpoint::ToDouble(fixedpoint::FromDouble(value, one), one)));
    }
    layer.types[name] = type;
    return tensor;
  }

  nn::Layer Make(nn::Op op, std::vector<std::string> inputs) {
    nn::Layer layer;
    layer.name = "l" + std::to_string(network_.layers.size());
    layer.op = op;
    layer.inputs = std::move(inputs);
    return layer;
  }

  void Input(const nn::Shape& shape) {
    nn::Layer layer = Make(nn::Op::kInput, {});
    layer.output_shape = shape;
    layer.types["result"] = Types(shape.back(), max_bits_, true);
    network_.layers.push_back(std::move(layer));
  }

  // Infers the shape, gives the result a type.
  void Add(nn::Layer layer) {
    std::vector<nn::Shape> shapes;
    for (const std::string& input : layer.inputs) {
      shapes.push_back(network_.Find(input)->output_shape);
    }
    layer.output_shape = *nn::InferShape(layer, shapes);
    if (!layer.types.contains("result")) {
      layer.types["result"] = Types(layer.output_shape.back(), max_bits_, true);
    }
    network_.layers.push_back(std::move(layer));
  }

  nn::Layer Moving(nn::Op op) {
    nn::Layer layer = Make(op, {Last().name});
    // Half of the time no cast, the usual case.
    const nn::TensorType& type = Last().types.at("result");
    if (Below(2) == 0 && type.elements.empty()) layer.types["result"] = type;
    return layer;
  }

  nn::Layer DenseLayer(int64_t n_out) {
    nn::Layer layer = Make(nn::Op::kDense, {Last().name});
    const int64_t n_in = Last().output_shape.back();
    layer.parameters["kernel"] = Parameter(layer, "kernel", {n_in, n_out}, max_bits_);
    if (Below(4) != 0) layer.parameters["bias"] = Parameter(layer, "bias", {n_out}, max_bits_);
    if (Below(6) == 0) layer.types["accumulator"] = {Type(24), {}};
    return layer;
  }

  nn::Layer ConvLayer(bool flat) {
    nn::Layer layer = Make(flat ? nn::Op::kConv1D : nn::Op::kConv2D, {Last().name});
    const int64_t channels = Last().output_shape.back();
    const int64_t groups = Below(3) == 0 ? channels : 1;
    const int64_t n_out = groups * (1 + Below(3));
    nn::Shape kernel = {2 + Below(2), 1 + Below(3), channels / groups, n_out};
    if (flat) kernel.erase(kernel.begin());
    layer.parameters["kernel"] = Parameter(layer, "kernel", kernel, max_bits_);
    layer.parameters["bias"] = Parameter(layer, "bias", {n_out}, max_bits_);
    std::vector<int64_t> strides, padding;
    for (int d = 0; d < (flat ? 1 : 2); ++d) strides.push_back(1 + Below(2));
    for (int d = 0; d < (flat ? 2 : 4); ++d) padding.push_back(Below(2));
    layer.attributes.Set("strides", nn::IntegerListValue(strides));
    layer.attributes.Set("padding", nn::IntegerListValue(padding));
    layer.attributes.Set("groups", groups);
    return layer;
  }

  nn::Layer PoolLayer() {
    nn::Layer layer = Make(Below(2) == 0 ? nn::Op::kMaxPool : nn::Op::kAveragePool, {Last().name});
    const size_t spatial = Last().output_shape.size() - 1;
    layer.attributes.Set("pool", nn::IntegerListValue(std::vector<int64_t>(spatial, 2)));
    layer.attributes.Set("strides", nn::IntegerListValue(std::vector<int64_t>(spatial, 1)));
    layer.attributes.Set("padding", nn::IntegerListValue(std::vector<int64_t>(2 * spatial, 1)));
    return layer;
  }

  void Activation() {
    const int64_t channels = Last().output_shape.back();
    const int64_t kind = Below(8);
    nn::Layer layer = Make(nn::Op::kRelu, {Last().name});
    if (kind == 1) {
      layer.op = nn::Op::kBatchNormalization;
      layer.parameters["scale"] = Parameter(layer, "scale", {channels}, max_bits_);
      layer.parameters["offset"] = Parameter(layer, "offset", {channels}, max_bits_);
    } else if (kind == 2) {
      layer.op = nn::Op::kLeakyRelu;
      layer.attributes.Set("alpha", 0.25);
    } else if (kind == 3) {
      layer.op = nn::Op::kHardTanh;
      layer.attributes.Set("minimum", -1).Set("maximum", 1.5);
    } else if (kind == 4) {
      layer.op = nn::Op::kQuantize;
    } else if (kind == 5) {
      layer.op = nn::Op::kPRelu;
      layer.parameters["alpha"] = Parameter(layer, "alpha", {channels}, 8);
    }
    Add(std::move(layer));
  }

  nn::Network Finish() {
    network_.name = "random";
    network_.outputs = {Last().name};
    return std::move(network_);
  }

  Rng rng_;
  int max_bits_;
  nn::Network network_;
};

}  // namespace dovetail::testing

#endif  // DOVETAIL_TESTS_SUPPORT_RANDOM_NETWORK_H_
