// The trainable tensors of a network as the training loop keeps them: float masters ("shadow
// weights"), what is pruned, and the types they are cast to. Called from the models and the loop.
#ifndef DOVETAIL_SERVICES_WORKER_TRAIN_PARAMETER_BLOCK_H_
#define DOVETAIL_SERVICES_WORKER_TRAIN_PARAMETER_BLOCK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/worker/nn/network.h"
#include "services/worker/train/quantizer.h"

namespace dovetail::train {

// The cast of one tensor: nothing, one quantiser for all of it, one per channel (the last
// dimension) or one per element, row-major.
struct QuantizerSet {
  std::vector<Quantizer> items;

  bool empty() const { return items.empty(); }
  const Quantizer& At(size_t i) const { return items[i % items.size()]; }
  double LargestMagnitude() const;
  double SmallestStep() const;

  // Of types[role]; empty where the layer has none. Errors: Unimplemented, with the layer's name.
  static absl::StatusOr<QuantizerSet> Read(const nn::Layer& layer, const std::string& role);
};

struct ParameterBlock {
  int layer = -1;            // index into the network
  std::string role;          // "kernel", "bias", ...
  bool is_prunable = false;  // kernels are
  std::vector<float> values;
  std::vector<uint8_t> is_kept;  // 0: pruned
  QuantizerSet type;

  int64_t KeptCount() const;
};

// Parameter `role` of layer `index` with its mask and type.
absl::StatusOr<ParameterBlock> ReadParameterBlock(const nn::Network& network, int index,
                                                  const std::string& role);

// Values and masks back into their layers, cast to their types; result types that only repeat the
// exact accumulator are made anew for the new weights.
void WriteParameterBlocks(const std::vector<ParameterBlock>& blocks, nn::Network& network);

// Of the prunable elements.
double KeptFraction(const std::vector<ParameterBlock>& blocks);

}  // namespace dovetail::train

#endif  // DOVETAIL_SERVICES_WORKER_TRAIN_PARAMETER_BLOCK_H_
