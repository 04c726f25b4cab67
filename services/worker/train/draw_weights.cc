#include "services/worker/train/draw_weights.h"

#include <cmath>

#include "common/base/rng.h"

namespace dovetail::train {
namespace {

bool IsBeforeRelu(const nn::Network& network, const nn::Layer& layer) {
  for (const nn::Layer& reader : network.layers) {
    if (reader.op != nn::Op::kRelu || reader.inputs.empty()) continue;
    if (reader.inputs[0] == layer.name) return true;
  }
  return false;
}

}  // namespace

void DrawWeights(uint64_t seed, nn::Network& network) {
  for (nn::Layer& layer : network.layers) {
    if (!layer.HasWeights()) continue;
    Rng rng = Rng::Derive(seed, "weights of " + layer.name);
    nn::Tensor& kernel = layer.parameters.at("kernel");
    const double fan_in =
        static_cast<double>(kernel.values.size()) / static_cast<double>(kernel.shape.back());
    const double gain = IsBeforeRelu(network, layer) ? 2.0 : 1.0;
    const double sigma = std::sqrt(gain / fan_in);
    for (float& value : kernel.values) value = static_cast<float>(sigma * rng.Normal());
    if (const auto mask = layer.masks.find("kernel"); mask != layer.masks.end()) {
      for (size_t i = 0; i < kernel.values.size(); ++i) {
        if (mask->second.values[i] == 0.0f) kernel.values[i] = 0.0f;
      }
    }
    const auto bias = layer.parameters.find("bias");
    if (bias != layer.parameters.end()) {
      bias->second.values.assign(bias->second.values.size(), 0.0f);
    }
  }
}

}  // namespace dovetail::train
