#include "services/worker/fixedpoint/fast/cast_plan.h"

#include <algorithm>

namespace dovetail::fixedpoint::fast {
namespace {

constexpr int kTooWide = 127;

// Constants of the rounding; see CastParams.
void SetRounding(Quantization mode, int right, CastParams& p) {
  if (right == 0) return;
  const int64_t half = int64_t{1} << (right - 1);
  switch (mode) {
    case Quantization::kTrn:
      break;
    case Quantization::kTrnZero:
      p.add_if_negative = (int64_t{1} << right) - 1;
      break;
    case Quantization::kRnd:
      p.add = half;
      break;
    case Quantization::kRndZero:
      p.add = half - 1;
      p.add_if_negative = 1;
      break;
    case Quantization::kRndMinInf:
      p.add = half - 1;
      break;
    case Quantization::kRndInf:
      p.add = half;
      p.add_if_negative = -1;
      break;
    case Quantization::kRndConv:
      p.add = half - 1;
      p.odd = 1;
      break;
  }
}

void SetOverflow(const FixedType& to, const Interval& q, int bits, CastPlan& plan) {
  const Wide lane_low = -(static_cast<Wide>(1) << (bits - 1));
  const Wide lane_high = -(lane_low + 1);
  plan.params.low = static_cast<int64_t>(std::clamp(MinRaw(to), lane_low, lane_high));
  plan.params.high = static_cast<int64_t>(std::clamp(MaxRaw(to), lane_low, lane_high));
  const bool inside = q.low >= MinRaw(to) && q.high <= MaxRaw(to);
  plan.is_inside = inside;
  plan.result = inside ? q : RangeOf(to);
  switch (to.overflow) {
    case Overflow::kWrap:
      plan.params.overflow = 1;
      if (to.width_bits < bits) {
        plan.params.wrap_mask = (int64_t{1} << to.width_bits) - 1;
        plan.params.wrap_offset = to.is_signed ? int64_t{1} << (to.width_bits - 1) : 0;
      }
      // An unsigned type as wide as the lane cannot hold its values there.
      if (!inside && to.width_bits >= bits) plan.bits = kTooWide;
      break;
    case Overflow::kSat:
    case Overflow::kSatSym:
      plan.result = {std::clamp(q.low, MinRaw(to), MaxRaw(to)),
                     std::clamp(q.high, MinRaw(to), MaxRaw(to))};
      break;
    case Overflow::kSatZero:
      plan.params.overflow = 2;
      if (!inside) {
        plan.result = {std::min<Wide>(0, MinRaw(to)), MaxRaw(to)};
      }
      break;
    case Overflow::kWrapSm:
      if (!inside) plan.bits = kTooWide;
      break;
  }
}

}  // namespace

int LaneBits(const Interval& interval) {
  for (int bits : {16, 32, 64}) {
    const Wide limit = static_cast<Wide>(1) << (bits - 1);
    if (interval.low >= -limit && interval.high < limit) return bits;
  }
  return kTooWide;
}

CastPlan PlanCast(const Interval& source, int fraction_bits, const FixedType& to) {
  CastPlan plan;
  const int shift = fraction_bits - to.fraction_bits();
  CastParams& p = plan.params;
  p.right = std::max(shift, 0);
  p.left = std::max(-shift, 0);
  if (p.left > 62 || p.right > 62 || LaneBits(source) > 64) {
    plan.bits = kTooWide;
    plan.result = RangeOf(to);
    return plan;
  }
  SetRounding(to.quantization, p.right, p);
  // Everything between the source and the quotient.
  const Interval shifted = {ShiftLeft(source.low, p.left), ShiftLeft(source.high, p.left)};
  const Wide slack = static_cast<Wide>(1) << (p.right + 1);
  const Interval inner = {shifted.low - slack, shifted.high + slack};
  const Interval q = {
      (shifted.low + p.add + std::min<int64_t>(p.add_if_negative, 0)) >> p.right,
      (shifted.high + p.add + std::max<int64_t>(p.add_if_negative, 0) + p.odd) >> p.right};
  // The wrap's offset is added to q in unsigned arithmetic: no room is needed for it.
  plan.bits = std::max(32, LaneBits(inner));
  if (plan.bits > 64) {
    plan.bits = kTooWide;
    plan.result = RangeOf(to);
    return plan;
  }
  if (LaneBits(RangeOf(to)) > plan.bits && !(q.low >= MinRaw(to) && q.high <= MaxRaw(to))) {
    // A target wider than the arithmetic that q can leave: only an unsigned one, by its sign.
    if (to.overflow == Overflow::kWrap) plan.bits = std::max(plan.bits, 64);
  }
  SetOverflow(to, q, plan.bits == kTooWide ? 64 : plan.bits, plan);
  return plan;
}

}  // namespace dovetail::fixedpoint::fast
