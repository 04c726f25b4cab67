// Attributes given as doubles, as exact fixed-point numbers.
#ifndef DOVETAIL_SERVICES_WORKER_FIXEDPOINT_DYADIC_H_
#define DOVETAIL_SERVICES_WORKER_FIXEDPOINT_DYADIC_H_

#include "absl/status/statusor.h"
#include "services/worker/fixedpoint/fixed_value.h"
#include "services/worker/nn/network.h"

namespace dovetail::fixedpoint {

// raw * 2^-bits with the fewest bits >= 0, at most 60; beyond, floored.
struct Dyadic {
  Wide raw = 0;
  int bits = 0;
};
Dyadic DyadicOf(double value);

// The slope of a leaky ReLU: its attribute cast to types["alpha"], or taken exactly where that
// needs few bits. Errors: InvalidArgument naming the layer.
struct LeakySlope {
  int64_t raw = 0;
  FixedType type;
};
absl::StatusOr<LeakySlope> LeakySlopeOf(const nn::Layer& layer);

}  // namespace dovetail::fixedpoint

#endif  // DOVETAIL_SERVICES_WORKER_FIXEDPOINT_DYADIC_H_
