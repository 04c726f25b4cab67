#include "services/worker/train/shrink.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <tuple>

#include "absl/strings/str_cat.h"

namespace dovetail::train {
namespace {

bool IsElementwise(nn::Op op) {
  switch (op) {
    case nn::Op::kRelu:
    case nn::Op::kLeakyRelu:
    case nn::Op::kElu:
    case nn::Op::kSigmoid:
    case nn::Op::kTanh:
    case nn::Op::kHardSigmoid:
    case nn::Op::kHardTanh:
    case nn::Op::kQuantize:
      return true;
    default:
      return false;
  }
}

// The next dense layer of the chain, or -1.
int NextDense(const nn::Network& network, int layer) {
  for (int i = layer + 1; i < static_cast<int>(network.layers.size()); ++i) {
    if (network.layers[i].op == nn::Op::kDense) return i;
  }
  return -1;
}

template <typename T>
std::vector<T> Picked(const std::vector<T>& values, int64_t rows, int64_t columns,
                      const std::vector<int>& kept_rows, const std::vector<int>& kept_columns) {
  if (static_cast<int64_t>(values.size()) != rows * columns) return values;
  std::vector<T> picked;
  for (const int r : kept_rows) {
    for (const int c : kept_columns) picked.push_back(values[r * columns + c]);
  }
  return picked;
}

void PickKernel(const std::vector<int>& rows, const std::vector<int>& columns, nn::Layer& layer) {
  const nn::Shape before = layer.parameters.at("kernel").shape;
  const nn::Shape after = {static_cast<int64_t>(rows.size()), static_cast<int64_t>(columns.size())};
  for (auto* tensors : {&layer.parameters, &layer.masks}) {
    const auto kernel = tensors->find("kernel");
    if (kernel == tensors->end()) continue;
    kernel->second.values = Picked(kernel->second.values, before[0], before[1], rows, columns);
    kernel->second.shape = after;
  }
  if (const auto type = layer.types.find("kernel"); type != layer.types.end()) {
    type->second.elements = Picked(type->second.elements, before[0], before[1], rows, columns);
  }
}

void PickChannels(const std::vector<int>& kept, int64_t channels, nn::Layer& layer) {
  const auto pick_type = [&](const char* role) {
    const auto type = layer.types.find(role);
    if (type == layer.types.end()) return;
    type->second.elements = Picked(type->second.elements, 1, channels, {0}, kept);
  };
  for (auto* tensors : {&layer.parameters, &layer.masks}) {
    const auto bias = tensors->find("bias");
    if (bias == tensors->end()) continue;
    bias->second.values = Picked(bias->second.values, 1, channels, {0}, kept);
    bias->second.shape = {static_cast<int64_t>(kept.size())};
  }
  pick_type("bias");
  pick_type("result");
  layer.output_shape.back() = static_cast<int64_t>(kept.size());
}

std::vector<int> All(int64_t count) {
  std::vector<int> all(count);
  std::iota(all.begin(), all.end(), 0);
  return all;
}

}  // namespace

absl::StatusOr<std::vector<int>> ShrinkableLayers(const nn::Network& network) {
  std::vector<int> layers;
  const int logits = network.LogitsIndex();
  for (int i = 0; i <= logits; ++i) {
    const nn::Layer& layer = network.layers[i];
    const bool follows =
        i == 0 ? layer.op == nn::Op::kInput
               : layer.inputs.size() == 1 && layer.inputs[0] == network.layers[i - 1].name;
    const bool is_known = i == 0 || IsElementwise(layer.op) ||
                          (layer.op == nn::Op::kDense && layer.output_shape.size() == 1);
    if (!follows || !is_known) {
      return absl::UnimplementedError(absl::StrCat(
          "layer \"", layer.name, "\" (", nn::OpName(layer.op),
          "): neurons can leave a chain of dense layers and activations on vectors only"));
    }
    if (layer.op == nn::Op::kDense && NextDense(network, i) >= 0 && i < logits) {
      layers.push_back(i);
    }
  }
  return layers;
}

std::map<int, std::vector<double>> NeuronScores(const nn::Network& network,
                                                const std::vector<int>& layers) {
  std::map<int, std::vector<double>> scores;
  for (const int index : layers) {
    const nn::Tensor& into = network.layers[index].parameters.at("kernel");
    const nn::Tensor& out = network.layers[NextDense(network, index)].parameters.at("kernel");
    const int64_t neurons = into.shape[1];
    std::vector<double> score(neurons);
    for (int64_t j = 0; j < neurons; ++j) {
      double in_square = 0;
      double out_square = 0;
      for (int64_t i = 0; i < into.shape[0]; ++i) {
        in_square += std::pow(into.values[i * neurons + j], 2.0);
      }
      for (int64_t k = 0; k < out.shape[1]; ++k) {
        out_square += std::pow(out.values[j * out.shape[1] + k], 2.0);
      }
      score[j] = std::sqrt(in_square * out_square);
    }
    scores[index] = std::move(score);
  }
  return scores;
}

void KeepNeurons(const std::map<int, std::vector<int>>& kept, nn::Network& network) {
  for (const auto& [index, neurons] : kept) {
    const int next = NextDense(network, index);
    nn::Layer& layer = network.layers[index];
    const nn::Shape shape = layer.parameters.at("kernel").shape;
    PickKernel(All(shape[0]), neurons, layer);
    for (int i = index; i < next; ++i) PickChannels(neurons, shape[1], network.layers[i]);
    nn::Layer& reader = network.layers[next];
    PickKernel(neurons, All(reader.parameters.at("kernel").shape[1]), reader);
  }
}

std::map<int, std::vector<int>> BestPerLayer(const std::map<int, std::vector<double>>& scores,
                                             const std::vector<double>& factors) {
  std::map<int, std::vector<int>> kept;
  size_t next = 0;
  for (const auto& [index, score] : scores) {
    const double factor = factors.size() == 1 ? factors[0] : factors[next++];
    const int64_t count = std::clamp<int64_t>(
        std::llround(factor * static_cast<double>(score.size())), 1, score.size());
    std::vector<int> order = All(static_cast<int64_t>(score.size()));
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return score[a] > score[b]; });
    order.resize(count);
    std::sort(order.begin(), order.end());
    kept[index] = std::move(order);
  }
  return kept;
}

std::map<int, std::vector<int>> BestOverall(const std::map<int, std::vector<double>>& scores,
                                            double rate) {
  // (share of its layer's best, layer, neuron): layers differ in scale, so scores are relative.
  std::vector<std::tuple<double, int, int>> ranked;
  for (const auto& [index, score] : scores) {
    const double best = std::max(1e-30, *std::max_element(score.begin(), score.end()));
    for (size_t j = 0; j < score.size(); ++j) {
      ranked.emplace_back(score[j] / best, index, static_cast<int>(j));
    }
  }
  std::sort(ranked.begin(), ranked.end());
  const int64_t removed = std::llround(rate * static_cast<double>(ranked.size()));
  std::map<int, std::vector<int>> kept;
  // From the best down, so that a layer's last neuron stays whatever its score.
  for (int64_t k = static_cast<int64_t>(ranked.size()) - 1; k >= 0; --k) {
    const auto& [score, index, neuron] = ranked[k];
    if (k >= removed || kept[index].empty()) kept[index].push_back(neuron);
  }
  for (auto& [index, neurons] : kept) std::sort(neurons.begin(), neurons.end());
  return kept;
}

}  // namespace dovetail::train
