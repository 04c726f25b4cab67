// The trainable form of a chain of dense layers, read from a Network. Called from the dense
// trainer; knows nothing of optimisation.
#ifndef DOVETAIL_SERVICES_WORKER_TRAIN_DENSE_MODEL_H_
#define DOVETAIL_SERVICES_WORKER_TRAIN_DENSE_MODEL_H_

#include <vector>

#include "absl/status/statusor.h"
#include "services/worker/nn/network.h"
#include "services/worker/train/parameter_block.h"

namespace dovetail::train {

// y = activation_type(relu(result_type(x * kernel + bias))), each cast only where present.
struct DenseStage {
  int n_in = 0;
  int n_out = 0;
  bool has_relu = false;
  QuantizerSet result_type;      // 1 or n_out; empty also where the result is the exact accumulator
  QuantizerSet activation_type;  // 1 or n_out
};

struct DenseModel {
  int input_count = 0;
  QuantizerSet input_type;  // 1 or input_count
  std::vector<DenseStage> stages;
  std::vector<ParameterBlock>
      blocks;  // of stage s: 2 s the kernel [n_in x n_out], 2 s + 1 the bias

  ParameterBlock& kernel(size_t stage) { return blocks[2 * stage]; }
  const ParameterBlock& kernel(size_t stage) const { return blocks[2 * stage]; }
  const ParameterBlock& bias(size_t stage) const { return blocks[2 * stage + 1]; }
};

// Errors: Unimplemented naming the first layer that is not part of a chain input -> dense [-> relu]
// -> ... -> dense [-> softmax] on vectors, or a type that retraining does not know.
absl::StatusOr<DenseModel> ReadDenseModel(const nn::Network& network);

// Mantissa bits that hold every product and sum of the quantised forward pass exactly; 0 where some
// tensor has no type (a float network: nothing to hold exactly).
int ExactMantissaBits(const DenseModel& model);

}  // namespace dovetail::train

#endif  // DOVETAIL_SERVICES_WORKER_TRAIN_DENSE_MODEL_H_
