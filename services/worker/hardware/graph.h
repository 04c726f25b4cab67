// The hardware IR's arithmetic: a graph of exact integer operations with the range of every value.
// Built by the lowerings of this room, scheduled, evaluated, printed by services/worker/rtl.
// Knows nothing of networks, Verilog or tools. Values are raw integers; where the binary point is,
// the lowering knows.
#ifndef DOVETAIL_SERVICES_WORKER_HARDWARE_GRAPH_H_
#define DOVETAIL_SERVICES_WORKER_HARDWARE_GRAPH_H_

#include <cstdint>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/domain/fixed_type.h"

namespace dovetail::hardware {

// All values a node can take, from interval arithmetic on its operands; widths follow from it.
struct Range {
  int64_t low = 0;
  int64_t high = 0;

  bool IsSigned() const { return low < 0; }
  bool IsConstant() const { return low == high; }
  // Of two's complement where signed, else of plain binary; 0 bits hold only the value 0.
  int WidthBits() const;
  friend bool operator==(const Range&, const Range&) = default;
};

Range RangeOfType(const FixedType& type);

enum class NodeKind {
  kInput,     // element `constant` of the layer's input
  kConstant,  // `constant`
  kAdd,       // a + (b << shift)
  kSubtract,  // a - (b << shift)
  kNot,       // -a - 1: wires and inverters only
  kMultiply,  // a * constant, in DSP blocks
  kShift,     // a << shift; where negative, floor(a * 2^shift): wires only
  kRound,     // a * 2^-shift, rounded by `type.quantization`; shift > 0
  kClamp,     // a brought into `type` by its overflow mode
  kMaximum,   // max(a, b)
};

struct Node {
  NodeKind kind = NodeKind::kInput;
  int a = -1;  // operand nodes, always of lower index
  int b = -1;
  int shift = 0;
  int64_t constant = 0;
  FixedType type;
  Range range;
};

// A value of a graph scaled and signed for free: (negate ? -1 : 1) * node * 2^shift.
struct Term {
  int node = -1;
  int shift = 0;
  bool negate = false;
};

// A digit of the canonical signed-digit form: (negative ? -1 : 1) * 2^position.
struct CsdDigit {
  int position = 0;
  bool negative = false;
};

// Fewest nonzero digits, none adjacent, least significant first.
// Source: Reitwiesner 1960, "Binary arithmetic", Advances in Computers 1.
std::vector<CsdDigit> CsdDigits(int64_t value);

// Equal operations on equal operands are one node. Not thread-safe. Ranges beyond 2^60 make
// status() an error; building goes on harmlessly.
class Graph {
 public:
  int Input(int64_t element, Range range);
  int Constant(int64_t value);
  // Sum or difference of two terms; low bits that do not overlap cost nothing, so the operand with
  // the lower least significant bit is the minuend and the result may come out negated.
  Term Add(Term x, Term y);
  int Not(int a);
  int Multiply(int a, int64_t constant);
  int Shift(int a, int shift);
  // Drops `dropped_bits` (negative: appends zeros), rounding and then bringing into range as `type`
  // says.
  int Cast(int a, int dropped_bits, const FixedType& type);
  int Maximum(int a, int b);

  // A plain node for the term: wires where it is positive, one adder where it is not.
  int Resolve(Term term);

  const std::vector<Node>& nodes() const { return nodes_; }
  const Node& node(int index) const { return nodes_[index]; }
  // Errors: Unimplemented: a value needs more than 61 bits.
  const absl::Status& status() const { return status_; }

  // Values of all nodes for one input vector, indexed by the elements of kInput nodes.
  std::vector<int64_t> Evaluate(absl::Span<const int64_t> inputs) const;

 private:
  using Key = std::tuple<NodeKind, int, int, int, int64_t, int, int, int>;

  // What a node is of the nodes it is linear in: offset + sum of factor * node. Its range follows
  // exactly, where an interval sum would count a shared operand twice.
  struct LinearForm {
    __int128 offset = 0;
    std::vector<std::pair<int, int64_t>> terms;  // by node
  };

  int Insert(Node node, __int128 low, __int128 high);
  int InsertLinear(Node node, LinearForm form);
  // x + factor * y.
  static LinearForm Combine(const LinearForm& x, const LinearForm& y, int64_t factor);

  std::vector<Node> nodes_;
  std::vector<LinearForm> forms_;
  std::map<Key, int> index_;
  absl::Status status_;
};

// Reference semantics of rounding and overflow on raw integers. Source: Xilinx UG1399.
int64_t RoundRaw(int64_t raw, int dropped_bits, Quantization mode);
int64_t ClampRaw(int64_t raw, const FixedType& type);

}  // namespace dovetail::hardware

#endif  // DOVETAIL_SERVICES_WORKER_HARDWARE_GRAPH_H_
