#include "services/worker/fixedpoint/fixed_value.h"

#include <cmath>

namespace dovetail::fixedpoint {
namespace {

__extension__ typedef unsigned __int128 UnsignedWide;

constexpr int kWideBits = 127;

// One where the quotient q = floor(raw / 2^shift) is to be incremented.
bool Increments(Quantization mode, bool half_bit, bool rest, bool negative, bool odd) {
  switch (mode) {
    case Quantization::kTrn:
      return false;
    case Quantization::kTrnZero:
      return negative && (half_bit || rest);
    case Quantization::kRnd:
      return half_bit;
    case Quantization::kRndZero:
      return half_bit && (negative || rest);
    case Quantization::kRndMinInf:
      return half_bit && rest;
    case Quantization::kRndInf:
      return half_bit && (!negative || rest);
    case Quantization::kRndConv:
      return half_bit && (odd || rest);
  }
  return false;
}

// The low `width` bits, read as the type's sign says.
int64_t Wrap(UnsignedWide bits, const FixedType& to) {
  const int unused = 64 - to.width_bits;
  const uint64_t shifted = static_cast<uint64_t>(bits) << unused;
  return to.is_signed ? static_cast<int64_t>(shifted) >> unused
                      : static_cast<int64_t>(shifted >> unused);
}

// AP_WRAP_SM: wraps like a sign and a magnitude. `before` is the quotient before rounding.
int64_t WrapSignMagnitude(Wide before, Wide q, const FixedType& to) {
  const bool lowest_deleted = ((before >> to.width_bits) & 1) != 0;
  const int64_t wrapped = Wrap(static_cast<UnsignedWide>(q), to);
  if (!to.is_signed || lowest_deleted == (wrapped < 0)) return wrapped;
  const uint64_t sign = uint64_t{1} << (to.width_bits - 1);
  uint64_t bits = ~static_cast<uint64_t>(wrapped);
  bits = lowest_deleted ? bits | sign : bits & ~sign;
  return Wrap(bits, to);
}

int64_t Overflowed(Wide before, Wide q, bool too_high, const FixedType& to) {
  switch (to.overflow) {
    case Overflow::kWrap:
      return Wrap(static_cast<UnsignedWide>(q), to);
    case Overflow::kSat:
    case Overflow::kSatSym:
      return static_cast<int64_t>(too_high ? MaxRaw(to) : MinRaw(to));
    case Overflow::kSatZero:
      return 0;
    case Overflow::kWrapSm:
      return WrapSignMagnitude(before, q, to);
  }
  return 0;
}

}  // namespace

Wide MinRaw(const FixedType& type) {
  if (!type.is_signed) return 0;
  const Wide lowest = -(static_cast<Wide>(1) << (type.width_bits - 1));
  return type.overflow == Overflow::kSatSym ? lowest + 1 : lowest;
}

Wide MaxRaw(const FixedType& type) {
  return (static_cast<Wide>(1) << (type.width_bits - (type.is_signed ? 1 : 0))) - 1;
}

int64_t CastRaw(Wide raw, int fraction_bits, const FixedType& to) {
  const int shift = fraction_bits - to.fraction_bits();
  if (shift <= 0) {
    const int left = -shift;
    if (raw == 0) return 0;
    const bool fits =
        left < kWideBits - 1 && ((raw < 0 ? ~raw : raw) >> (kWideBits - 1 - left)) == 0;
    if (!fits) {
      const UnsignedWide bits = left > kWideBits ? 0 : static_cast<UnsignedWide>(raw) << left;
      return Overflowed(static_cast<Wide>(bits), static_cast<Wide>(bits), raw > 0, to);
    }
    const Wide q = ShiftLeft(raw, left);
    if (q >= MinRaw(to) && q <= MaxRaw(to)) return static_cast<int64_t>(q);
    return Overflowed(q, q, q > 0, to);
  }
  const bool negative = raw < 0;
  const int clamped = shift > kWideBits ? kWideBits : shift;
  const Wide floor = raw >> clamped;
  bool half_bit = negative;
  bool rest = raw != 0;
  if (shift <= kWideBits) {
    half_bit = ((raw >> (shift - 1)) & 1) != 0;
    rest = (static_cast<UnsignedWide>(raw) << (128 - shift) << 1) != 0;
  }
  const bool odd = (floor & 1) != 0;
  const Wide q = floor + (Increments(to.quantization, half_bit, rest, negative, odd) ? 1 : 0);
  if (q >= MinRaw(to) && q <= MaxRaw(to)) return static_cast<int64_t>(q);
  return Overflowed(floor, q, q > 0, to);
}

int64_t FromDouble(double value, const FixedType& to) {
  if (value == 0 || std::isnan(value)) return 0;
  if (std::isinf(value)) {
    return CastRaw(value > 0 ? 1 : -1, -(to.integer_bits + 128), to);
  }
  int exponent = 0;
  const double mantissa = std::frexp(value, &exponent);  // |mantissa| in [0.5, 1)
  const int64_t integer = static_cast<int64_t>(std::ldexp(mantissa, 53));
  return CastRaw(integer, 53 - exponent, to);
}

double ToDouble(int64_t raw, const FixedType& type) {
  const double number =
      type.is_signed ? static_cast<double>(raw) : static_cast<double>(static_cast<uint64_t>(raw));
  return std::ldexp(number, -type.fraction_bits());
}

}  // namespace dovetail::fixedpoint
