// Exact accumulators: how many bits the sum of a dense or convolution layer needs.
#ifndef DOVETAIL_SERVICES_WORKER_FIXEDPOINT_ACCUMULATOR_H_
#define DOVETAIL_SERVICES_WORKER_FIXEDPOINT_ACCUMULATOR_H_

#include <vector>

#include "services/worker/fixedpoint/layer_geometry.h"
#include "services/worker/fixedpoint/tensor_grid.h"
#include "services/worker/nn/network.h"

namespace dovetail::fixedpoint {

// Fraction bits of the exact sum: the finest of all products and of the bias.
int AccumulatorFractionBits(const nn::Layer& layer, const nn::TensorType& input_type);

// Per output channel, an interval at AccumulatorFractionBits that holds the sum of any subset of
// the products, with and without the bias, for every input of `input_type`; so any order of adding
// stays inside. Sums that may need more than 124 bits give +-(2^126 - 1).
std::vector<Interval> AccumulatorRanges(const nn::Layer& layer, const nn::TensorType& input_type);

}  // namespace dovetail::fixedpoint

#endif  // DOVETAIL_SERVICES_WORKER_FIXEDPOINT_ACCUMULATOR_H_
