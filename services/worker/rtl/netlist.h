// Evaluates mapped netlists (Yosys JSON) bit-parallel: 64 vectors at a time, one bit of a word
// each. Called by tests and verification: RTL == netlist == engine. Knows LUTs, carries,
// flip-flops, shift registers, wide multiplexers and the DSP modules of this printer; nothing of
// networks.
#ifndef DOVETAIL_SERVICES_WORKER_RTL_NETLIST_H_
#define DOVETAIL_SERVICES_WORKER_RTL_NETLIST_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace dovetail::rtl {

// A flat netlist with one clock and ports x and y. State starts at zero. Not thread-safe.
class Netlist {
 public:
  virtual ~Netlist() = default;

  // Clears all flip-flops.
  virtual void Reset() = 0;
  // Applies x (a word per bit, bit l of each word is lane l), one clock edge, and returns y after
  // it. Precondition: x.size() == input_bits().
  virtual std::vector<uint64_t> Clock(absl::Span<const uint64_t> x) = 0;
  virtual int input_bits() const = 0;
  virtual int output_bits() const = 0;
  virtual int64_t cell_count() const = 0;

  // `json_texts`: what write_json gave, any number of modules in each; cells that are modules of
  // another text are flattened into `top`.
  // Errors: InvalidArgument: no JSON of Yosys, no such top, a net without a driver, a loop;
  // Unimplemented: a cell type (named).
  static absl::StatusOr<std::unique_ptr<Netlist>> Load(const std::vector<std::string>& json_texts,
                                                       const std::string& top);
};

}  // namespace dovetail::rtl

#endif  // DOVETAIL_SERVICES_WORKER_RTL_NETLIST_H_
