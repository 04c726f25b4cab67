// nn::Summarize: what the coordinator sees of a network.
#include <algorithm>

#include "services/worker/nn/network.h"
#include "services/worker/nn/weight_statistics.h"

namespace dovetail::nn {
namespace {

constexpr int kMinBits = 2;
constexpr int kMaxBits = 18;

// Products of one output position, and how often the matrix is used.
struct MatrixUse {
  int64_t n_in = 0;
  int64_t n_out = 0;
  int64_t use_count = 0;
};

MatrixUse MatrixUseOf(const Layer& layer, const Shape& input) {
  const Shape& kernel = layer.parameters.at("kernel").shape;
  MatrixUse use;
  use.n_out = kernel.back();
  use.n_in = ElementCount(kernel) / std::max<int64_t>(use.n_out, 1);
  if (layer.op == Op::kLstm || layer.op == Op::kGru) {
    use.n_in += layer.parameters.at("recurrent_kernel").shape[0];
    use.use_count = input.empty() ? 1 : input[0];
  } else {
    use.use_count = ElementCount(layer.output_shape) / std::max<int64_t>(use.n_out, 1);
  }
  return use;
}

LayerSummary SummarizeLayer(const Network& network, const Layer& layer) {
  LayerSummary summary;
  summary.name = layer.name;
  summary.kind = std::string(OpName(layer.op));
  if (!layer.inputs.empty()) {
    const Layer* input = network.Find(layer.inputs[0]);
    if (input != nullptr) summary.input_shape = input->output_shape;
  }
  summary.output_shape = layer.output_shape;
  for (const auto& [name, tensor] : layer.parameters) {
    summary.parameter_count += static_cast<int64_t>(tensor.values.size());
  }
  if (!layer.HasWeights()) return summary;
  const MatrixUse use = MatrixUseOf(layer, summary.input_shape);
  summary.n_in = use.n_in;
  summary.n_out = use.n_out;
  std::vector<float> weights = layer.parameters.at("kernel").values;
  if (const auto it = layer.parameters.find("recurrent_kernel"); it != layer.parameters.end()) {
    weights.insert(weights.end(), it->second.values.begin(), it->second.values.end());
  }
  summary.mac_count = static_cast<int64_t>(weights.size()) * use.use_count;
  const int64_t zeros = std::count(weights.begin(), weights.end(), 0.0f);
  summary.zero_fraction = weights.empty() ? 0 : static_cast<double>(zeros) / weights.size();
  for (int bits = kMinBits; bits <= kMaxBits; ++bits) {
    summary.csd_by_bits[bits] = CsdStatisticsOf(weights, use.n_out, bits);
  }
  return summary;
}

}  // namespace

NetworkSummary Summarize(const Network& network) {
  NetworkSummary summary;
  summary.name = network.name;
  for (const Layer& layer : network.layers) {
    summary.layers.push_back(SummarizeLayer(network, layer));
  }
  const std::vector<int> inputs = network.InputIndices();
  if (!inputs.empty()) summary.input_shape = network.layers[inputs[0]].output_shape;
  const int logits = network.LogitsIndex();
  if (logits >= 0) summary.output_shape = network.layers[logits].output_shape;
  return summary;
}

}  // namespace dovetail::nn
