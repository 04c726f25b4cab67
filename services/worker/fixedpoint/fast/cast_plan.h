// Casts and ranges for the kernels: from ap_fixed types to shifts, constants and lanes.
#ifndef DOVETAIL_SERVICES_WORKER_FIXEDPOINT_FAST_CAST_PLAN_H_
#define DOVETAIL_SERVICES_WORKER_FIXEDPOINT_FAST_CAST_PLAN_H_

#include "services/worker/fixedpoint/fast/kernels.h"
#include "services/worker/fixedpoint/tensor_grid.h"

namespace dovetail::fixedpoint::fast {

struct CastPlan {
  CastParams params;
  Interval result;         // of raw values of the target type
  bool is_inside = false;  // no value of the source overflows
  int bits = 0;            // of the arithmetic: 32, 64, or 127 where neither suffices
};

// The cast of any value in `source` (raw, at fraction_bits) to `to`. AP_WRAP_SM has no plan (127).
CastPlan PlanCast(const Interval& source, int fraction_bits, const FixedType& to);

// The smallest lane that holds the interval; bits 16, 32, 64 or 127.
int LaneBits(const Interval& interval);

}  // namespace dovetail::fixedpoint::fast

#endif  // DOVETAIL_SERVICES_WORKER_FIXEDPOINT_FAST_CAST_PLAN_H_
