#include "services/worker/train/parameter_block.h"

#include <algorithm>
#include <limits>
#include <set>

#include "common/base/status_macros.h"
#include "services/worker/train/type_grid.h"

namespace dovetail::train {

double QuantizerSet::LargestMagnitude() const {
  double largest = 0;
  for (const Quantizer& item : items) largest = std::max({largest, -item.low(), item.high()});
  return largest;
}

double QuantizerSet::SmallestStep() const {
  double smallest = std::numeric_limits<double>::infinity();
  for (const Quantizer& item : items) smallest = std::min(smallest, item.step);
  return smallest;
}

absl::StatusOr<QuantizerSet> QuantizerSet::Read(const nn::Layer& layer, const std::string& role) {
  QuantizerSet set;
  const auto it = layer.types.find(role);
  if (it == layer.types.end()) return set;
  const nn::TensorType& type = it->second;
  if (type.elements.empty()) {
    ASSIGN_OR_RETURN_WITH(set.items.emplace_back(), Quantizer::Make(type.type), layer.name);
    return set;
  }
  for (const FixedType& element : type.elements) {
    ASSIGN_OR_RETURN_WITH(set.items.emplace_back(), Quantizer::Make(element), layer.name);
  }
  return set;
}

int64_t ParameterBlock::KeptCount() const {
  return std::count(is_kept.begin(), is_kept.end(), uint8_t{1});
}

absl::StatusOr<ParameterBlock> ReadParameterBlock(const nn::Network& network, int index,
                                                  const std::string& role) {
  const nn::Layer& layer = network.layers[index];
  ParameterBlock block;
  block.layer = index;
  block.role = role;
  block.is_prunable = role == "kernel";
  const auto tensor = layer.parameters.find(role);
  if (tensor != layer.parameters.end()) {
    block.values = tensor->second.values;
  } else {  // an absent bias
    block.values.assign(layer.output_shape.back(), 0.0f);
  }
  block.is_kept.assign(block.values.size(), 1);
  if (const auto mask = layer.masks.find(role); mask != layer.masks.end()) {
    for (size_t i = 0; i < block.values.size(); ++i) {
      block.is_kept[i] = mask->second.values[i] != 0.0f;
    }
  }
  ASSIGN_OR_RETURN(block.type, QuantizerSet::Read(layer, role));
  return block;
}

void WriteParameterBlocks(const std::vector<ParameterBlock>& blocks, nn::Network& network) {
  // Before the weights change: which results are exact by their present types.
  std::set<int> has_exact_result;
  for (const ParameterBlock& block : blocks) {
    const nn::Layer& layer = network.layers[block.layer];
    if (layer.inputs.empty()) continue;
    if (HasExactResult(layer, *network.Find(layer.inputs[0]))) has_exact_result.insert(block.layer);
  }
  for (const ParameterBlock& block : blocks) {
    nn::Layer& layer = network.layers[block.layer];
    nn::Tensor& tensor = layer.parameters[block.role];
    if (tensor.shape.empty()) tensor.shape = {static_cast<int64_t>(block.values.size())};
    tensor.values = block.values;
    const bool is_pruned = block.KeptCount() != static_cast<int64_t>(block.values.size());
    if (is_pruned || layer.masks.contains(block.role)) {
      nn::Tensor& mask = layer.masks[block.role];
      mask.shape = tensor.shape;
      mask.values.assign(block.is_kept.begin(), block.is_kept.end());
    }
  }
  for (const ParameterBlock& block : blocks) CastParameters(network.layers[block.layer]);
  for (const int index : has_exact_result) {
    nn::Layer& layer = network.layers[index];
    SetExactResult(layer, *network.Find(layer.inputs[0]));
  }
}

double KeptFraction(const std::vector<ParameterBlock>& blocks) {
  double kept = 0;
  double total = 0;
  for (const ParameterBlock& block : blocks) {
    if (!block.is_prunable) continue;
    kept += static_cast<double>(block.KeptCount());
    total += static_cast<double>(block.values.size());
  }
  return total > 0 ? kept / total : 1;
}

}  // namespace dovetail::train
