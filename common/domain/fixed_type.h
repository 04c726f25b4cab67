// ap_fixed types as values: width, integer bits, sign, quantisation and overflow modes.
// Called from job files, the network IR, the fixed-point engine and both printers; the arithmetic
// is in services/worker/fixedpoint. Source: Xilinx UG1399 "Arbitrary precision fixed-point data
// types"; hls4ml's spelling of types.
#ifndef DOVETAIL_COMMON_DOMAIN_FIXED_TYPE_H_
#define DOVETAIL_COMMON_DOMAIN_FIXED_TYPE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace dovetail {

enum class Quantization { kTrn, kTrnZero, kRnd, kRndZero, kRndMinInf, kRndInf, kRndConv };
enum class Overflow { kWrap, kSat, kSatZero, kSatSym, kWrapSm };

// value = raw * 2^-(width_bits - integer_bits); integer_bits counts the sign bit, may be negative
// or above width_bits.
struct FixedType {
  int width_bits = 16;  // 1..64
  int integer_bits = 6;
  bool is_signed = true;
  Quantization quantization = Quantization::kTrn;
  Overflow overflow = Overflow::kWrap;

  int fraction_bits() const { return width_bits - integer_bits; }
  friend bool operator==(const FixedType&, const FixedType&) = default;
};

// "ap_fixed<16,6>", "ap_ufixed<8,0,AP_RND,AP_SAT>"; modes are left out where they are the default
// (AP_TRN, AP_WRAP).
std::string FixedTypeToText(const FixedType& type);

// Accepts hls4ml's spellings: fixed/ufixed/ap_fixed/ap_ufixed<W,I[,Q[,O]]>, int/uint/ap_int/
// ap_uint<W>, modes with or without "AP_", upper or lower case.
// Errors: InvalidArgument naming what was expected.
absl::StatusOr<FixedType> ParseFixedType(absl::string_view text);

std::string QuantizationToText(Quantization mode);  // "AP_RND_CONV"
std::string OverflowToText(Overflow mode);          // "AP_SAT"

}  // namespace dovetail

#endif  // DOVETAIL_COMMON_DOMAIN_FIXED_TYPE_H_
