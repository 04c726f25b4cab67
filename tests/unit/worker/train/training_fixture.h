// A small classification problem and small dense networks for the training tests.
#ifndef DOVETAIL_TESTS_UNIT_WORKER_TRAIN_TRAINING_FIXTURE_H_
#define DOVETAIL_TESTS_UNIT_WORKER_TRAIN_TRAINING_FIXTURE_H_

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "common/base/rng.h"
#include "services/worker/nn/dataset.h"
#include "services/worker/nn/network.h"

namespace dovetail::train {

struct Samples {
  std::vector<float> features;
  std::vector<int32_t> labels;
  int width = 0;
  nn::Split split() const {
    return {{width}, static_cast<int64_t>(labels.size()), features, labels};
  }
};

// `classes` Gaussian clouds around fixed random centres, overlapping a little.
inline Samples Clouds(int count, int width, int classes, uint64_t seed) {
  Rng centres_rng(99);
  std::vector<double> centres(static_cast<size_t>(classes) * width);
  for (double& centre : centres) centre = centres_rng.Normal();
  Rng rng(seed);
  Samples samples;
  samples.width = width;
  for (int i = 0; i < count; ++i) {
    const int label = static_cast<int>(rng.Below(classes));
    samples.labels.push_back(label);
    for (int c = 0; c < width; ++c) {
      samples.features.push_back(
          static_cast<float>(centres[static_cast<size_t>(label) * width + c] + 0.6 * rng.Normal()));
    }
  }
  return samples;
}

// input -> dense -> relu -> ... -> dense of these widths, He-normal weights, small random biases.
inline nn::Network DenseChain(const std::vector<int>& widths, uint64_t seed) {
  nn::Network network;
  network.name = "chain";
  nn::Layer input;
  input.name = "x";
  input.op = nn::Op::kInput;
  input.output_shape = {widths[0]};
  network.layers.push_back(input);
  Rng rng(seed);
  for (size_t l = 1; l < widths.size(); ++l) {
    nn::Layer dense;
    dense.name = "fc" + std::to_string(l);
    dense.op = nn::Op::kDense;
    dense.inputs = {network.layers.back().name};
    dense.output_shape = {widths[l]};
    nn::Tensor kernel{{widths[l - 1], widths[l]}, {}};
    for (int k = 0; k < widths[l - 1] * widths[l]; ++k) {
      kernel.values.push_back(static_cast<float>(rng.Normal() * std::sqrt(2.0 / widths[l - 1])));
    }
    nn::Tensor bias{{widths[l]}, {}};
    for (int k = 0; k < widths[l]; ++k) {
      bias.values.push_back(static_cast<float>(0.1 * rng.Normal()));
    }
    dense.parameters = {{"kernel", std::move(kernel)}, {"bias", std::move(bias)}};
    network.layers.push_back(dense);
    if (l + 1 == widths.size()) break;
    nn::Layer relu;
    relu.name = "relu" + std::to_string(l);
    relu.op = nn::Op::kRelu;
    relu.inputs = {dense.name};
    relu.output_shape = dense.output_shape;
    network.layers.push_back(relu);
  }
  network.outputs = {network.layers.back().name};
  return network;
}

inline int64_t ZeroCount(const nn::Network& network) {
  int64_t zeros = 0;
  for (const nn::Layer& layer : network.layers) {
    if (!layer.HasWeights()) continue;
    for (const float value : layer.parameters.at("kernel").values) zeros += value == 0.0f;
  }
  return zeros;
}

}  // namespace dovetail::train

#endif  // DOVETAIL_TESTS_UNIT_WORKER_TRAIN_TRAINING_FIXTURE_H_
