// Trainable bit widths: fraction bits of every weight, every relu result and every input feature
// are learnt by gradient beside the weights, against the cost of the multiplications. Weights whose
// bits reach 0 are pruned. Called from the quantize task (bits: trainable).
//
// Source: Sun, Arrestad, Ngadiuba, Loncaro, Maksimovic, Spiropulu 2024 (arXiv 2405.00645),
// "Gradient-based Automatic Mixed Precision Quantization for Neural Networks On-Chip" (HGQ):
// surrogate gradient of the bits and the effective bit operations
//   EBOPs = sum over weights of (bits of the weight) x (bits of its input).
// Departures: integer bits follow the range of the last epoch, clipped at kRangeShare of its
// maximum and saturated; the resource term is in the loss with a ramp; no L1 on bits; the last
// third of the epochs trains the weights alone, bit-exactly.
#ifndef DOVETAIL_SERVICES_WORKER_TRAIN_BIT_LEARNING_H_
#define DOVETAIL_SERVICES_WORKER_TRAIN_BIT_LEARNING_H_

#include "absl/status/statusor.h"
#include "services/worker/nn/dataset.h"
#include "services/worker/nn/network.h"
#include "services/worker/train/trainer.h"

namespace dovetail::train {

struct BitOptions {
  double resource_weight = 1e-6;  // nats per effective bit operation
  int weight_fraction_bits = 6;   // at the start
  int result_fraction_bits = 5;
  int input_fraction_bits = 6;
  double bit_learning_rate = 0.01;  // bits per step of Adam, at most
};

struct BitResult {
  double effective_bit_operations = 0;
  double mean_weight_bits = 0;  // of kept weights, sign not counted
  TrainResult training;         // of the last part
};

// Gives `network` types (per weight, per channel) and weights. Only dense chains.
// Errors: Unimplemented naming the layer; InvalidArgument: options, splits.
absl::StatusOr<BitResult> LearnBits(const nn::Split& train, const nn::Split& validation,
                                    const TrainOptions& options, const BitOptions& bit_options,
                                    nn::Network& network);

}  // namespace dovetail::train

#endif  // DOVETAIL_SERVICES_WORKER_TRAIN_BIT_LEARNING_H_
