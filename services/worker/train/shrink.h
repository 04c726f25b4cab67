// Structured pruning: whole neurons leave and the matrices get smaller for real.
// Called from prune (scope: neurons) and scale.
#ifndef DOVETAIL_SERVICES_WORKER_TRAIN_SHRINK_H_
#define DOVETAIL_SERVICES_WORKER_TRAIN_SHRINK_H_

#include <cstdint>
#include <map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/worker/nn/network.h"

namespace dovetail::train {

// Hidden dense layers whose neurons may leave: those of a chain of dense layers and element-wise
// activations on vectors, the logits apart.
// Errors: Unimplemented naming the layer that is none of these.
absl::StatusOr<std::vector<int>> ShrinkableLayers(const nn::Network& network);

// Per shrinkable layer, how much each neuron matters: the norm of the weights into it times the
// norm of those out of it (what leaves unchanged when a relu's scale moves from one to the other).
std::map<int, std::vector<double>> NeuronScores(const nn::Network& network,
                                                const std::vector<int>& layers);

// Keeps only these neurons (ascending) of these layers; per-channel types, masks and shapes follow.
void KeepNeurons(const std::map<int, std::vector<int>>& kept, nn::Network& network);

// Of each layer the round(factor * n) best, at least 1. factors: one, or one per layer.
std::map<int, std::vector<int>> BestPerLayer(const std::map<int, std::vector<double>>& scores,
                                             const std::vector<double>& factors);
// All but the round(rate * n) worst over all layers, at least one in each.
std::map<int, std::vector<int>> BestOverall(const std::map<int, std::vector<double>>& scores,
                                            double rate);

}  // namespace dovetail::train

#endif  // DOVETAIL_SERVICES_WORKER_TRAIN_SHRINK_H_
