// Casts all trainable parameters to their types at once, every step of quantisation-aware training.
// Called from the training loop.
#ifndef DOVETAIL_SERVICES_WORKER_TRAIN_PARAMETER_CAST_H_
#define DOVETAIL_SERVICES_WORKER_TRAIN_PARAMETER_CAST_H_

#include <vector>

#include "absl/types/span.h"
#include "services/worker/train/gradient_net.h"
#include "services/worker/train/parameter_block.h"

namespace dovetail::train {

class ParameterCast {
 public:
  // For the parameters `order`; `blocks` must outlive this.
  void Reset(const std::vector<ParameterBlock>& blocks, const std::vector<ParameterRef>& order);

  // values[i] := masters[i] cast to its type, exactly as CastParameters does in the end.
  void Apply(absl::Span<const float> masters, std::vector<float>& values) const;

  // The range each master is kept in: that of its type where it saturates, so that a clipped weight
  // can come back; else all numbers.
  const std::vector<float>& low() const { return low_; }
  const std::vector<float>& high() const { return high_; }

 private:
  const std::vector<ParameterBlock>* blocks_ = nullptr;
  std::vector<ParameterRef> order_;
  bool is_float_ = false;                                  // no parameter has a type
  bool is_uniform_ = false;                                // every one has, with AP_RND and AP_SAT
  std::vector<double> scale_, step_, raw_low_, raw_high_;  // where uniform
  std::vector<float> low_, high_;
};

}  // namespace dovetail::train

#endif  // DOVETAIL_SERVICES_WORKER_TRAIN_PARAMETER_CAST_H_
