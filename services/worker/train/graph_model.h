// The trainable form of a network of any layers: its plan for libtorch and its parameter blocks.
// Called from the graph trainer; knows nothing of libtorch.
#ifndef DOVETAIL_SERVICES_WORKER_TRAIN_GRAPH_MODEL_H_
#define DOVETAIL_SERVICES_WORKER_TRAIN_GRAPH_MODEL_H_

#include <vector>

#include "absl/status/statusor.h"
#include "services/worker/nn/network.h"
#include "services/worker/train/graph_plan.h"
#include "services/worker/train/parameter_block.h"

namespace dovetail::train {

struct GraphModel {
  GraphPlan plan;
  QuantizerSet input_type;
  std::vector<ParameterBlock> blocks;
};

// Errors: Unimplemented naming the layer (recurrent layers, several inputs, unknown types).
absl::StatusOr<GraphModel> ReadGraphModel(const nn::Network& network);

}  // namespace dovetail::train

#endif  // DOVETAIL_SERVICES_WORKER_TRAIN_GRAPH_MODEL_H_
