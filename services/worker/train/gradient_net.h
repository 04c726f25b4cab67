// What the training loop needs of a network: flat parameters in, loss and gradient out. Implemented
// for dense chains in this room's own kernels and for all other layers over libtorch.
// Header only, plain types only: the libtorch side is a module loaded at run time.
#ifndef DOVETAIL_SERVICES_WORKER_TRAIN_GRADIENT_NET_H_
#define DOVETAIL_SERVICES_WORKER_TRAIN_GRADIENT_NET_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace dovetail::train {

// Loss and hits over some samples.
struct LossSum {
  double loss = 0;  // sum of cross-entropies, nats
  int64_t hits = 0;
  int64_t count = 0;
};

// One trainable number: element `element` of parameter block `block`.
struct ParameterRef {
  int32_t block = 0;
  int32_t element = 0;
};

// Not thread-safe.
class GradientNet {
 public:
  virtual ~GradientNet() = default;

  // The parameters that may be trained, in this net's order. `is_kept[block]` is one byte per
  // element, 0: pruned; pruned elements are left out and count as 0 from now on.
  virtual std::vector<ParameterRef> Renumber(
      const std::vector<absl::Span<const uint8_t>>& is_kept) = 0;
  // Values, already cast to their types, in the order of Renumber.
  virtual void Load(absl::Span<const float> values) = 0;
  // Forward and backward over one batch (rows: pointers to samples); the gradient of the mean loss
  // replaces the one before.
  virtual LossSum Train(absl::Span<const float* const> rows, absl::Span<const int32_t> labels) = 0;
  virtual void TakeGradient(std::vector<float>& gradient) = 0;
  virtual LossSum Evaluate(absl::Span<const float* const> rows,
                           absl::Span<const int32_t> labels) = 0;
};

}  // namespace dovetail::train

#endif  // DOVETAIL_SERVICES_WORKER_TRAIN_GRADIENT_NET_H_
