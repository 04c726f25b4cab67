// The fake quantiser: a cast to an ap_fixed type done in floating point, exactly as the fixed-point
// engine does it, on values that are exact multiples of a power of two.
// Called from the trainers and the tasks; knows no network.
//
// Source: Xilinx UG1399, ap_fixed quantisation and overflow modes; Jacob et al. 2018 (CVPR),
// "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
// for the straight-through estimator.
#ifndef DOVETAIL_SERVICES_WORKER_TRAIN_QUANTIZER_H_
#define DOVETAIL_SERVICES_WORKER_TRAIN_QUANTIZER_H_

#include "absl/status/statusor.h"
#include "common/domain/fixed_type.h"

namespace dovetail::train {

struct Quantizer {
  FixedType type;
  double scale = 1;  // 2^fraction_bits
  double step = 1;   // 1 / scale
  double raw_low = 0;
  double raw_high = 0;
  double raw_period = 0;  // raw_high - raw_low + 1: what AP_WRAP wraps by

  double low() const { return raw_low * step; }
  double high() const { return raw_high * step; }

  // The value of `type` that `value` is cast to.
  double Apply(double value) const;

  // Errors: Unimplemented: a mode that retraining does not know (AP_TRN, AP_RND, AP_RND_CONV with
  // AP_SAT or AP_WRAP are known), or a type of more than 53 bits.
  static absl::StatusOr<Quantizer> Make(const FixedType& type);
};

// As Quantizer::Apply, for every mode; used for weights, which are cast once.
double CastToGrid(double value, const FixedType& type);

}  // namespace dovetail::train

#endif  // DOVETAIL_SERVICES_WORKER_TRAIN_QUANTIZER_H_
