#include "services/worker/train/quantizer.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace dovetail::train {
namespace {

double RoundRaw(double raw, Quantization mode) {
  const double floor = std::floor(raw);
  const double rest = raw - floor;
  bool up = false;
  switch (mode) {
    case Quantization::kTrn:
      break;
    case Quantization::kTrnZero:
      up = raw < 0 && rest > 0;
      break;
    case Quantization::kRnd:
      up = rest >= 0.5;
      break;
    case Quantization::kRndZero:
      up = rest > 0.5 || (rest == 0.5 && raw < 0);
      break;
    case Quantization::kRndMinInf:
      up = rest > 0.5;
      break;
    case Quantization::kRndInf:
      up = rest > 0.5 || (rest == 0.5 && raw >= 0);
      break;
    case Quantization::kRndConv:
      up = rest > 0.5 || (rest == 0.5 && std::fmod(floor, 2.0) != 0);
      break;
  }
  return up ? floor + 1 : floor;
}

double WrapRaw(double raw, double low, double period) {
  return raw - period * std::floor((raw - low) / period);
}

// Sign-magnitude wrap (UG1399, AP_WRAP_SM, N = 0): where the bits dropped differ from the kept sign
// bit, the kept bits below the sign are inverted and the sign becomes the lowest dropped bit.
double WrapSignMagnitude(double raw, double low, double high, double period) {
  if (raw >= low && raw <= high) return raw;
  const double wrapped = WrapRaw(raw, low, period);
  const bool lowest_dropped_bit = std::fmod(std::floor(raw / period), 2.0) != 0;
  const bool kept_sign = wrapped < 0;
  if (lowest_dropped_bit == kept_sign) return wrapped;
  // Inverting every kept bit of a two's complement number: -1 - x.
  return -1 - wrapped;
}

double OverflowRaw(double raw, double low, double high, double period, Overflow mode) {
  switch (mode) {
    case Overflow::kWrap:
      return WrapRaw(raw, low, period);
    case Overflow::kSat:
      return std::clamp(raw, low, high);
    case Overflow::kSatZero:
      return raw < low || raw > high ? 0 : raw;
    case Overflow::kSatSym:
      return std::clamp(raw, low < 0 ? -high : 0.0, high);
    case Overflow::kWrapSm:
      return low < 0 ? WrapSignMagnitude(raw, low, high, period) : WrapRaw(raw, low, period);
  }
  return raw;
}

Quantizer MakeUnchecked(const FixedType& type) {
  Quantizer quantizer;
  quantizer.type = type;
  quantizer.scale = std::ldexp(1.0, type.fraction_bits());
  quantizer.step = std::ldexp(1.0, -type.fraction_bits());
  quantizer.raw_low = type.is_signed ? -std::ldexp(1.0, type.width_bits - 1) : 0.0;
  quantizer.raw_high = std::ldexp(1.0, type.width_bits - (type.is_signed ? 1 : 0)) - 1;
  quantizer.raw_period = quantizer.raw_high - quantizer.raw_low + 1;
  return quantizer;
}

}  // namespace

double Quantizer::Apply(double value) const {
  const double raw = RoundRaw(value * scale, type.quantization);
  return OverflowRaw(raw, raw_low, raw_high, raw_period, type.overflow) * step;
}

absl::StatusOr<Quantizer> Quantizer::Make(const FixedType& type) {
  const bool known_rounding = type.quantization == Quantization::kTrn ||
                              type.quantization == Quantization::kRnd ||
                              type.quantization == Quantization::kRndConv;
  const bool known_overflow = type.overflow == Overflow::kSat || type.overflow == Overflow::kWrap;
  if (!known_rounding || !known_overflow || type.width_bits > 53) {
    return absl::UnimplementedError(
        absl::StrCat("retraining with ", FixedTypeToText(type),
                     " is not offered: use AP_TRN, AP_RND or AP_RND_CONV with AP_SAT or AP_WRAP "
                     "and at most 53 bits, or epochs: 0"));
  }
  return MakeUnchecked(type);
}

double CastToGrid(double value, const FixedType& type) { return MakeUnchecked(type).Apply(value); }

}  // namespace dovetail::train
