// Fresh weights for training from scratch. Called from the train and scale tasks.
#ifndef DOVETAIL_SERVICES_WORKER_TRAIN_DRAW_WEIGHTS_H_
#define DOVETAIL_SERVICES_WORKER_TRAIN_DRAW_WEIGHTS_H_

#include <cstdint>

#include "services/worker/nn/network.h"

namespace dovetail::train {

// Kernels normal with variance 2 / fan-in before a relu (He et al. 2015, equation 10), else
// 1 / fan-in (LeCun et al. 1998, section 4.6); biases 0. Masks stay.
void DrawWeights(uint64_t seed, nn::Network& network);

}  // namespace dovetail::train

#endif  // DOVETAIL_SERVICES_WORKER_TRAIN_DRAW_WEIGHTS_H_
