// ap_fixed arithmetic on raw integers, exact: the definition all faster code is tested against.
// Called by the reference engine, by tables and by tests.
//
// Source: Xilinx UG1399 "Arbitrary precision fixed-point data types"; ap_fixed_base.h of the public
// ap_types headers.
// Departures: AP_WRAP with saturation bits (N > 0) is not offered.
#ifndef DOVETAIL_SERVICES_WORKER_FIXEDPOINT_FIXED_VALUE_H_
#define DOVETAIL_SERVICES_WORKER_FIXEDPOINT_FIXED_VALUE_H_

#include <cstdint>

#include "common/domain/fixed_type.h"

namespace dovetail::fixedpoint {

__extension__ typedef __int128 Wide;

// A raw integer of `type` as a number: unsigned 64-bit values are held in int64_t as bits.
inline Wide WideRaw(int64_t raw, const FixedType& type) {
  return type.is_signed ? static_cast<Wide>(raw) : static_cast<Wide>(static_cast<uint64_t>(raw));
}

// The value raw * 2^-fraction_bits as a raw integer of `to`: quantised, then judged for overflow.
// Valid for: |raw| < 2^126, any fraction_bits.
int64_t CastRaw(Wide raw, int fraction_bits, const FixedType& to);

// The exact value of the double, as the ap_fixed constructor takes it; NaN is 0, infinities
// overflow.
int64_t FromDouble(double value, const FixedType& to);

// Exact for up to 53 bits, else rounded to nearest.
double ToDouble(int64_t raw, const FixedType& type);

// Smallest and largest raw value that `type` can hold. AP_SAT_SYM leaves out the most negative.
Wide MinRaw(const FixedType& type);
Wide MaxRaw(const FixedType& type);

// raw * 2^shift. Precondition: shift >= 0 and the result fits.
inline Wide ShiftLeft(Wide raw, int shift) { return raw * (static_cast<Wide>(1) << shift); }

}  // namespace dovetail::fixedpoint

#endif  // DOVETAIL_SERVICES_WORKER_FIXEDPOINT_FIXED_VALUE_H_
