// Parameters on the grid of their types, and result types that are exact accumulators.
// Called from the trainers and the quantize task.
//
// A dense or convolution layer before a relu (or the logits) gets its exact accumulator as result
// type: the cast between them is then no hardware, and the one cast left is the relu's. Such a type
// follows the weights, so it is made anew after every training.
#ifndef DOVETAIL_SERVICES_WORKER_TRAIN_TYPE_GRID_H_
#define DOVETAIL_SERVICES_WORKER_TRAIN_TYPE_GRID_H_

#include "services/worker/nn/network.h"

namespace dovetail::train {

// Casts every parameter that has a type to it, and sets pruned weights to 0.
void CastParameters(nn::Layer& layer);

// True when the layer has a result type that holds every value of its exact accumulator.
bool HasExactResult(const nn::Layer& layer, const nn::Layer& source);

// types["result"] := the exact accumulator type for the layer's weights (cast to their types) and
// its input's type. Precondition: `source` has a result type.
void SetExactResult(nn::Layer& layer, const nn::Layer& source);

}  // namespace dovetail::train

#endif  // DOVETAIL_SERVICES_WORKER_TRAIN_TYPE_GRID_H_
