// Small networks made from a seed, for tests of every worker room.
#ifndef DOVETAIL_TESTS_SUPPORT_NETWORKS_H_
#define DOVETAIL_TESTS_SUPPORT_NETWORKS_H_

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "common/base/rng.h"
#include "services/worker/nn/network.h"

namespace dovetail::testing {

// Dense layers with ReLU between them, a softmax at the end: widths {16, 64, 32, 32, 5} is the jet
// network. Layers are called input, fc1, relu1, fc2, ..., softmax. Float, without types.
inline nn::Network DenseNetwork(const std::vector<int64_t>& widths, uint64_t seed) {
  Rng rng(seed);
  nn::Network network;
  network.name = "dense";
  network.layers.push_back({.name = "input", .op = nn::Op::kInput, .output_shape = {widths[0]}});
  for (size_t i = 1; i < widths.size(); ++i) {
    nn::Layer dense{.name = "fc" + std::to_string(i),
                    .op = nn::Op::kDense,
                    .inputs = {network.layers.back().name},
                    .output_shape = {widths[i]}};
    nn::Tensor kernel{.shape = {widths[i - 1], widths[i]}};
    const double scale = 1.0 / std::sqrt(static_cast<double>(widths[i - 1]));
    for (int64_t k = 0; k < widths[i - 1] * widths[i]; ++k) {
      kernel.values.push_back(static_cast<float>(rng.Normal() * scale));
    }
    nn::Tensor bias{.shape = {widths[i]}};
    for (int64_t k = 0; k < widths[i]; ++k) {
      bias.values.push_back(static_cast<float>(rng.Normal() * 0.1));
    }
    dense.parameters["kernel"] = std::move(kernel);
    dense.parameters["bias"] = std::move(bias);
    network.layers.push_back(std::move(dense));
    const bool last = i + 1 == widths.size();
    network.layers.push_back({.name = last ? "softmax" : "relu" + std::to_string(i),
                              .op = last ? nn::Op::kSoftmax : nn::Op::kRelu,
                              .inputs = {network.layers.back().name},
                              .output_shape = {widths[i]}});
  }
  network.outputs = {"softmax"};
  return network;
}

// Rounds a parameter to `type` (to nearest, saturating) and gives it that type.
inline void PutOnGrid(nn::Layer& layer, const std::string& parameter, const FixedType& type) {
  const double scale = std::ldexp(1.0, type.fraction_bits());
  const double high = std::ldexp(1.0, type.width_bits - (type.is_signed ? 1 : 0)) - 1;
  const double low = type.is_signed ? -high - 1 : 0;
  for (float& value : layer.parameters.at(parameter).values) {
    value = static_cast<float>(std::clamp(std::round(value * scale), low, high) / scale);
  }
  layer.types[parameter] = {type, {}};
}

// A copy in which input, results and parameters have types: `width` bits, of them `integer` before
// the point; ReLU results unsigned.
inline nn::Network Quantized(nn::Network network, int width, int integer,
                             Quantization quantization = Quantization::kRnd,
                             Overflow overflow = Overflow::kSat) {
  for (nn::Layer& layer : network.layers) {
    if (layer.op == nn::Op::kSoftmax) continue;
    FixedType type{width, integer, true, quantization, overflow};
    for (auto& [name, tensor] : layer.parameters) PutOnGrid(layer, name, type);
    if (layer.op == nn::Op::kRelu) type.is_signed = false;
    layer.types["result"] = {type, {}};
  }
  return network;
}

}  // namespace dovetail::testing

#endif  // DOVETAIL_TESTS_SUPPORT_NETWORKS_H_
