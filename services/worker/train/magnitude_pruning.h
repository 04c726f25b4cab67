// Which weights magnitude pruning removes, and when. Called from the trainers and the prune task.
//
// Source: Zhu and Gupta 2017 (arXiv 1710.01878), "To prune, or not to prune", equation 1:
//   s(t) = s_f + (s_i - s_f) (1 - t)^3, t from 0 to 1 over the pruning window.
#ifndef DOVETAIL_SERVICES_WORKER_TRAIN_MAGNITUDE_PRUNING_H_
#define DOVETAIL_SERVICES_WORKER_TRAIN_MAGNITUDE_PRUNING_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace dovetail::train {

enum class PruneScope { kGlobal, kLayer };

struct PruneSchedule {
  std::vector<double> rates;  // final fraction of zeros, in [0, 1): one, or one per weight layer
  PruneScope scope = PruneScope::kGlobal;  // one rate: over all layers, or in each
  double begin = 0;                        // fraction of all steps at which pruning starts
  double end = 0.5;                        // and at which the final rate is reached
};

// Fraction of zeros at `progress` in [0, 1] of all steps, for a final fraction `rate`.
double CubicSparsity(double initial, double rate, double begin, double end, double progress);

// One prunable tensor: values and, in place, which of them are kept.
struct PrunableTensor {
  absl::Span<const float> values;
  absl::Span<uint8_t> is_kept;
};

// Removes the smallest kept values until exactly round(rate * n) are removed, n and the ranking
// over all tensors together; ties go by position. Already removed values stay removed and count, so
// nothing happens where more are gone already.
void RemoveSmallest(double rate, absl::Span<PrunableTensor> tensors);

}  // namespace dovetail::train

#endif  // DOVETAIL_SERVICES_WORKER_TRAIN_MAGNITUDE_PRUNING_H_
