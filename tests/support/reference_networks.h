// The reference networks of the project, with random weights from a seed: VGG-7 (MNIST-like input),
// ResNet-9 (SVHN-like input, base width 16) and a small 1-D convolution.
// Source of the shapes: Que et al., arXiv 2502.05850 (VGG-7: convolutions 14, 14, 19, 19, dense 28,
// 56, 10); ResNet-9: He et al. 2016 in its nine-layer form.
#ifndef DOVETAIL_TESTS_SUPPORT_REFERENCE_NETWORKS_H_
#define DOVETAIL_TESTS_SUPPORT_REFERENCE_NETWORKS_H_

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "common/base/rng.h"
#include "services/worker/nn/layer_shapes.h"
#include "services/worker/nn/network.h"

namespace dovetail::testing {

// Adds layers one after the other; names are given by the caller or by kind and index.
class NetworkBuilder {
 public:
  NetworkBuilder(std::string name, const nn::Shape& input, uint64_t seed) : rng_(seed) {
    network_.name = std::move(name);
    network_.layers.push_back({.name = "input", .op = nn::Op::kInput, .output_shape = input});
  }

  const std::string& Last() const { return network_.layers.back().name; }

  NetworkBuilder& Conv(int64_t channels, int64_t size, int64_t stride, int64_t pad) {
    nn::Layer layer = Make(Spatial() == 1 ? nn::Op::kConv1D : nn::Op::kConv2D);
    nn::Shape kernel(static_cast<size_t>(Spatial()), size);
    kernel.push_back(Shape().back());
    kernel.push_back(channels);
    Weights(layer, kernel);
    layer.attributes.Set("strides", List(Spatial(), stride));
    layer.attributes.Set("padding", List(2 * Spatial(), pad));
    return Add(std::move(layer));
  }

  NetworkBuilder& Dense(int64_t n_out) {
    nn::Layer layer = Make(nn::Op::kDense);
    Weights(layer, {Shape().back(), n_out});
    return Add(std::move(layer));
  }

  NetworkBuilder& Pool(nn::Op op, int64_t size) {
    nn::Layer layer = Make(op);
    layer.attributes.Set("pool", List(Spatial(), size));
    layer.attributes.Set("strides", List(Spatial(), size));
    layer.attributes.Set("padding", List(2 * Spatial(), 0));
    return Add(std::move(layer));
  }

  NetworkBuilder& Plain(nn::Op op) { return Add(Make(op)); }

  NetworkBuilder& Residual(const std::string& other) {
    nn::Layer layer = Make(nn::Op::kAdd);
    layer.inputs.push_back(other);
    return Add(std::move(layer));
  }

  nn::Network Build() {
    network_.outputs = {Last()};
    return std::move(network_);
  }

 private:
  const nn::Shape& Shape() const { return network_.layers.back().output_shape; }
  int64_t Spatial() const { return static_cast<int64_t>(Shape().size()) - 1; }

  static Value List(int64_t count, int64_t number) {
    return nn::IntegerListValue(std::vector<int64_t>(static_cast<size_t>(count), number));
  }

  nn::Layer Make(nn::Op op) {
    nn::Layer layer;
    layer.op = op;
    layer.name = std::string(nn::OpName(op)) + "_" + std::to_string(network_.layers.size());
    layer.inputs = {Last()};
    return layer;
  }

  void Weights(nn::Layer& layer, const nn::Shape& shape) {
    nn::Tensor kernel{shape, {}};
    const int64_t count = nn::ElementCount(shape);
    const double scale = std::sqrt(2.0 * static_cast<double>(shape.back()) / count);
    for (int64_t i = 0; i < count; ++i) {
      kernel.values.push_back(static_cast<float>(rng_.Normal() * scale));
    }
    nn::Tensor bias{{shape.back()}, {}};
    for (int64_t i = 0; i < shape.back(); ++i) {
      bias.values.push_back(static_cast<float>(rng_.Normal() * 0.1));
    }
    layer.parameters["kernel"] = std::move(kernel);
    layer.parameters["bias"] = std::move(bias);
  }

  NetworkBuilder& Add(nn::Layer layer) {
    std::vector<nn::Shape> shapes;
    for (const std::string& input : layer.inputs) {
      shapes.push_back(network_.Find(input)->output_shape);
    }
    layer.output_shape = nn::InferShape(layer, shapes).value();
    network_.layers.push_back(std::move(layer));
    return *this;
  }

  Rng rng_;
  nn::Network network_;
};

inline nn::Network Vgg7(uint64_t seed) {
  NetworkBuilder builder("vgg7", {28, 28, 1}, seed);
  for (const int64_t channels : {14, 19}) {
    builder.Conv(channels, 3, 1, 1).Plain(nn::Op::kRelu);
    builder.Conv(channels, 3, 1, 1).Plain(nn::Op::kRelu);
    builder.Pool(nn::Op::kMaxPool, 2);
  }
  builder.Plain(nn::Op::kFlatten);
  builder.Dense(28).Plain(nn::Op::kRelu).Dense(56).Plain(nn::Op::kRelu).Dense(10);
  return builder.Plain(nn::Op::kSoftmax).Build();
}

inline nn::Network ResNet9(uint64_t seed, int64_t base = 16) {
  NetworkBuilder builder("resnet9", {32, 32, 3}, seed);
  const auto conv = [&builder](int64_t channels) {
    builder.Conv(channels, 3, 1, 1).Plain(nn::Op::kRelu);
  };
  const auto residual = [&](int64_t channels) {
    const std::string skip = builder.Last();
    conv(channels);
    conv(channels);
    builder.Residual(skip);
  };
  conv(base);
  conv(2 * base);
  builder.Pool(nn::Op::kMaxPool, 2);
  residual(2 * base);
  conv(4 * base);
  builder.Pool(nn::Op::kMaxPool, 2);
  conv(8 * base);
  builder.Pool(nn::Op::kMaxPool, 2);
  residual(8 * base);
  builder.Plain(nn::Op::kGlobalMaxPool).Dense(10);
  return builder.Plain(nn::Op::kSoftmax).Build();
}

inline nn::Network Conv1DNetwork(uint64_t seed) {
  NetworkBuilder builder("conv1d", {50, 6}, seed);
  builder.Conv(16, 5, 2, 2).Plain(nn::Op::kRelu).Conv(16, 3, 1, 1).Plain(nn::Op::kRelu);
  builder.Pool(nn::Op::kMaxPool, 5).Plain(nn::Op::kFlatten).Dense(5);
  return builder.Plain(nn::Op::kSoftmax).Build();
}

}  // namespace dovetail::testing

#endif  // DOVETAIL_TESTS_SUPPORT_REFERENCE_NETWORKS_H_
