#include "services/worker/rtl/operand.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace dovetail::rtl {

std::string Literal(int64_t value, int width_bits) {
  uint64_t bits = static_cast<uint64_t>(value);
  if (width_bits < 64) bits &= (uint64_t{1} << width_bits) - 1;
  return absl::StrCat(width_bits, "'d", bits);
}

std::string Operand::Sign() const {
  if (IsConstant()) return value < 0 ? "1'b1" : "1'b0";
  return is_signed ? absl::StrCat(name, "[", width_bits - 1, "]") : "1'b0";
}

std::string Operand::Bits(int low, int count) const {
  if (IsConstant()) return Literal(value >> std::min(low, 63), count);
  const int high = low + count - 1;
  const int taken = std::max(0, std::min(high, width_bits - 1) - low + 1);
  const int extended = count - taken;
  std::string own;
  if (taken == width_bits) {
    own = name;
  } else if (taken == 1) {
    own = absl::StrCat(name, "[", low, "]");
  } else if (taken > 1) {
    own = absl::StrCat(name, "[", low + taken - 1, ":", low, "]");
  }
  if (extended == 0) return own;
  const std::string filler =
      is_signed ? absl::StrCat("{", extended, "{", Sign(), "}}") : absl::StrCat(extended, "'d0");
  return taken == 0 ? filler : absl::StrCat("{", filler, ", ", own, "}");
}

}  // namespace dovetail::rtl
