// Which ap_fixed type every tensor of a network gets: post-training quantisation by measured
// ranges. Called from the quantize task, before any retraining.
//
// The choice keeps hardware small (docs/decisions/0600-types-of-quantised-layers.md):
//   weights      signed, rounded, saturated; integer bits by least squared error
//   relu results unsigned, AP_TRN, AP_SAT: dropping low bits is no hardware, and the half that
//                rounding would add is part of the bias (bias grid: half the result's step)
//   dense and convolution results before a relu, and logits: the exact accumulator, no cast
//   input and other results: AP_RND, AP_SAT, integer bits by least squared error
#ifndef DOVETAIL_SERVICES_WORKER_TRAIN_TYPE_CHOICE_H_
#define DOVETAIL_SERVICES_WORKER_TRAIN_TYPE_CHOICE_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "services/worker/nn/dataset.h"
#include "services/worker/nn/network.h"

namespace dovetail::train {

struct TypeOptions {
  int weight_bits = 6;      // of kernels, 1..24
  int activation_bits = 6;  // of results, 1..24
  int input_bits = 0;       // of the network's input; 0: two more than activation_bits, at least 8
  int64_t sample_count = 4096;  // of the train split, evenly spaced, for the ranges
};

// Gives types to every layer up to the logits; the parameters stay as they are (CastParameters puts
// them on their grids), but for biases before a relu, which take up the rounding half.
// Errors: InvalidArgument: bits out of range; Unimplemented: a layer (named) it has no rule for.
absl::Status ChooseTypes(const nn::Split& train, const TypeOptions& options, nn::Network& network);

// The one type for every tensor of every layer up to the logits.
void SetUniformType(const FixedType& type, nn::Network& network);

// Integer bits and sign of the `width_bits` wide type (rounding, saturating) with the least mean
// squared error over `values`.
FixedType LeastErrorType(absl::Span<const float> values, int width_bits, bool is_signed);

}  // namespace dovetail::train

#endif  // DOVETAIL_SERVICES_WORKER_TRAIN_TYPE_CHOICE_H_
