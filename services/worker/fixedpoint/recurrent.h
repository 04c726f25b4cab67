// LSTM and GRU layers, step by step.
// Source: Hochreiter and Schmidhuber 1997; Cho et al. 2014; gate order and equations as in Keras
// (LSTM: input, forget, cell, output; GRU: update, reset, candidate, reset_after).
#ifndef DOVETAIL_SERVICES_WORKER_FIXEDPOINT_RECURRENT_H_
#define DOVETAIL_SERVICES_WORKER_FIXEDPOINT_RECURRENT_H_

#include <vector>

#include "services/worker/nn/network.h"

namespace dovetail::fixedpoint {

// in: [steps x channels]; out: [steps x units] or [units], as the layer's shape says.
void RunRecurrentFloat(const nn::Layer& layer, const std::vector<float>& in,
                       std::vector<float>& out);

}  // namespace dovetail::fixedpoint

#endif  // DOVETAIL_SERVICES_WORKER_FIXEDPOINT_RECURRENT_H_
