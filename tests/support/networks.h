// Small networks made from a seed, for tests of every worker room.
#ifndef DOVETAIL_TESTS_SUPPORT_NETWORKS_H_
#define DOVETAIL_TESTS_SUPPORT_NETWORKS_H_

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

}  // namespace dovetail::testing

#endif  // DOVETAIL_TESTS_SUPPORT_NETWORKS_H_
