// An operand of printed logic: a named bit vector or a constant, endlessly extended by its sign.
// Used by the Verilog printer alone.
#ifndef DOVETAIL_SERVICES_WORKER_RTL_OPERAND_H_
#define DOVETAIL_SERVICES_WORKER_RTL_OPERAND_H_

#include <cstdint>
#include <string>

namespace dovetail::rtl {

struct Operand {
  std::string name;  // "" for a constant
  int width_bits = 1;
  bool is_signed = false;
  int64_t value = 0;  // of a constant

  bool IsConstant() const { return name.empty(); }
  // Verilog for bits [low + count - 1 : low]; count > 0.
  std::string Bits(int low, int count) const;
  // The sign bit; "1'b0" where there is none.
  std::string Sign() const;
};

// "5'd19"; bits above `width_bits` are dropped. Up to 64 bits.
std::string Literal(int64_t value, int width_bits);

}  // namespace dovetail::rtl

#endif  // DOVETAIL_SERVICES_WORKER_RTL_OPERAND_H_
