#include "services/worker/nn/network.h"

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"

namespace dovetail::nn {
namespace {

constexpr std::array<std::pair<Op, const char*>, 29> kOpNames = {{
    {Op::kInput, "input"},
    {Op::kDense, "dense"},
    {Op::kConv1D, "conv1d"},
    {Op::kConv2D, "conv2d"},
    {Op::kBatchNormalization, "batch_normalization"},
    {Op::kMaxPool, "max_pool"},
    {Op::kAveragePool, "average_pool"},
    {Op::kGlobalMaxPool, "global_max_pool"},
    {Op::kGlobalAveragePool, "global_average_pool"},
    {Op::kAdd, "add"},
    {Op::kConcat, "concat"},
    {Op::kFlatten, "flatten"},
    {Op::kReshape, "reshape"},
    {Op::kTranspose, "transpose"},
    {Op::kZeroPad, "zero_pad"},
    {Op::kUpSample, "up_sample"},
    {Op::kMultiply, "multiply"},
    {Op::kQuantize, "quantize"},
    {Op::kRelu, "relu"},
    {Op::kLeakyRelu, "leaky_relu"},
    {Op::kPRelu, "prelu"},
    {Op::kElu, "elu"},
    {Op::kSigmoid, "sigmoid"},
    {Op::kTanh, "tanh"},
    {Op::kHardSigmoid, "hard_sigmoid"},
    {Op::kHardTanh, "hard_tanh"},
    {Op::kSoftmax, "softmax"},
    {Op::kLstm, "lstm"},
    {Op::kGru, "gru"},
}};

}  // namespace

int64_t ElementCount(const Shape& shape) {
  int64_t count = 1;
  for (int64_t extent : shape) count *= extent;
  return count;
}

absl::string_view OpName(Op op) {
  for (const auto& [known, name] : kOpNames) {
    if (known == op) return name;
  }
  return "unknown";
}

absl::StatusOr<Op> ParseOp(absl::string_view name) {
  for (const auto& [op, known] : kOpNames) {
    if (name == known) return op;
  }
  return absl::InvalidArgumentError(absl::StrCat("no layer kind is called \"", name, "\""));
}

int Network::IndexOf(absl::string_view layer_name) const {
  for (size_t i = 0; i < layers.size(); ++i) {
    if (layers[i].name == layer_name) return static_cast<int>(i);
  }
  return -1;
}

const Layer* Network::Find(absl::string_view layer_name) const {
  const int index = IndexOf(layer_name);
  return index < 0 ? nullptr : &layers[index];
}

Layer* Network::Find(absl::string_view layer_name) {
  const int index = IndexOf(layer_name);
  return index < 0 ? nullptr : &layers[index];
}

std::vector<int> Network::InputIndices() const {
  std::vector<int> indices;
  for (size_t i = 0; i < layers.size(); ++i) {
    if (layers[i].op == Op::kInput) indices.push_back(static_cast<int>(i));
  }
  return indices;
}

int Network::LogitsIndex() const {
  if (outputs.empty()) return -1;
  const int index = IndexOf(outputs[0]);
  if (index < 0 || layers[index].inputs.empty()) return index;
  const bool is_monotonic = layers[index].op == Op::kSoftmax || layers[index].op == Op::kSigmoid;
  return is_monotonic ? IndexOf(layers[index].inputs[0]) : index;
}

bool Network::IsQuantized() const {
  const int logits = LogitsIndex();
  for (int i = 0; i <= logits; ++i) {
    if (!layers[i].types.contains("result")) return false;
  }
  return logits >= 0;
}

}  // namespace dovetail::nn
