#include "services/worker/hardware/graph.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace dovetail::hardware {
namespace {

constexpr __int128 kLimit = __int128{1} << 60;

__int128 ShiftLeft(int64_t value, int shift) { return __int128{value} << std::min(shift, 62); }

Range CastRange(const Range& range, const FixedType& type) {
  const Range bounds = RangeOfType(type);
  if (range.low >= bounds.low && range.high <= bounds.high) return range;
  switch (type.overflow) {
    case Overflow::kSat:
      return {std::clamp(range.low, bounds.low, bounds.high),
              std::clamp(range.high, bounds.low, bounds.high)};
    case Overflow::kSatSym: {
      const int64_t low = type.is_signed ? -bounds.high : 0;
      return {std::clamp(range.low, low, bounds.high), std::clamp(range.high, low, bounds.high)};
    }
    case Overflow::kSatZero:
      return {std::min<int64_t>(0, std::max(range.low, bounds.low)),
              std::max<int64_t>(0, std::min(range.high, bounds.high))};
    case Overflow::kWrap:
    case Overflow::kWrapSm:
      break;
  }
  return bounds;
}

}  // namespace

int Range::WidthBits() const {
  if (low < 0) {
    const uint64_t magnitude =
        std::max(static_cast<uint64_t>(~low), high > 0 ? static_cast<uint64_t>(high) : uint64_t{0});
    return std::bit_width(magnitude) + 1;
  }
  return std::bit_width(static_cast<uint64_t>(high));
}

Range RangeOfType(const FixedType& type) {
  if (type.is_signed) {
    const int64_t half = int64_t{1} << (std::min(type.width_bits, 62) - 1);
    return {-half, half - 1};
  }
  return {0, (int64_t{1} << std::min(type.width_bits, 61)) - 1};
}

std::vector<CsdDigit> CsdDigits(int64_t value) {
  std::vector<CsdDigit> digits;
  __int128 rest = value;
  for (int position = 0; rest != 0; ++position, rest >>= 1) {
    if ((rest & 1) == 0) continue;
    const bool negative = (rest & 3) == 3;
    digits.push_back({position, negative});
    rest += negative ? 1 : -1;
  }
  return digits;
}

int64_t RoundRaw(int64_t raw, int dropped_bits, Quantization mode) {
  if (dropped_bits <= 0) return raw << -dropped_bits;
  const int shift = std::min(dropped_bits, 62);
  const int64_t floor = raw >> shift;
  const int64_t rest = raw - (floor << shift);
  const bool half = ((rest >> (shift - 1)) & 1) != 0;
  const bool below_half = (rest & ((int64_t{1} << (shift - 1)) - 1)) != 0;
  const bool negative = raw < 0;
  bool up = false;
  switch (mode) {
    case Quantization::kTrn:
      break;
    case Quantization::kTrnZero:
      up = negative && rest != 0;
      break;
    case Quantization::kRnd:
      up = half;
      break;
    case Quantization::kRndZero:
      up = half && (negative || below_half);
      break;
    case Quantization::kRndMinInf:
      up = half && below_half;
      break;
    case Quantization::kRndInf:
      up = half && (!negative || below_half);
      break;
    case Quantization::kRndConv:
      up = half && (below_half || (floor & 1) != 0);
      break;
  }
  return floor + (up ? 1 : 0);
}

int64_t ClampRaw(int64_t raw, const FixedType& type) {
  const Range bounds = RangeOfType(type);
  if (raw >= bounds.low && raw <= bounds.high &&
      !(type.overflow == Overflow::kSatSym && type.is_signed && raw == bounds.low)) {
    return raw;
  }
  switch (type.overflow) {
    case Overflow::kSat:
      return std::clamp(raw, bounds.low, bounds.high);
    case Overflow::kSatSym:
      return raw > bounds.high ? bounds.high : (type.is_signed ? -bounds.high : 0);
    case Overflow::kSatZero:
      return 0;
    case Overflow::kWrap:
    case Overflow::kWrapSm:
      break;
  }
  const uint64_t mask = (uint64_t{1} << type.width_bits) - 1;
  int64_t low_bits = static_cast<int64_t>(static_cast<uint64_t>(raw) & mask);
  if (type.is_signed && low_bits > bounds.high) low_bits -= static_cast<int64_t>(mask) + 1;
  return low_bits;
}

int Graph::Insert(Node node, __int128 low, __int128 high) {
  if (low < -kLimit || high > kLimit) {
    if (status_.ok()) status_ = absl::UnimplementedError("a value needs more than 61 bits");
    low = std::max(low, -kLimit);
    high = std::min(high, kLimit);
  }
  node.range = {static_cast<int64_t>(low), static_cast<int64_t>(high)};
  if (node.range.IsConstant() && node.kind != NodeKind::kConstant) {
    return Constant(node.range.low);
  }
  const Key key{node.kind,
                node.a,
                node.b,
                node.shift,
                node.constant,
                node.type.width_bits * 2 + (node.type.is_signed ? 1 : 0),
                static_cast<int>(node.type.quantization),
                static_cast<int>(node.type.overflow)};
  const auto [it, inserted] = index_.emplace(key, static_cast<int>(nodes_.size()));
  if (inserted) {
    nodes_.push_back(node);
    LinearForm self;
    if (node.kind == NodeKind::kConstant) {
      self.offset = node.constant;
    } else {
      self.terms = {{it->second, 1}};
    }
    forms_.push_back(std::move(self));
  }
  return it->second;
}

Graph::LinearForm Graph::Combine(const LinearForm& x, const LinearForm& y, int64_t factor) {
  LinearForm sum;
  sum.offset = x.offset + factor * y.offset;
  sum.terms.reserve(x.terms.size() + y.terms.size());
  auto a = x.terms.begin();
  auto b = y.terms.begin();
  while (a != x.terms.end() || b != y.terms.end()) {
    if (b == y.terms.end() || (a != x.terms.end() && a->first < b->first)) {
      sum.terms.push_back(*a++);
    } else if (a == x.terms.end() || b->first < a->first) {
      sum.terms.push_back({b->first, factor * b->second});
      ++b;
    } else {
      const int64_t both = a->second + factor * b->second;
      if (both != 0) sum.terms.push_back({a->first, both});
      ++a;
      ++b;
    }
  }
  return sum;
}

int Graph::InsertLinear(Node node, LinearForm form) {
  __int128 low = form.offset;
  __int128 high = form.offset;
  for (const auto& [base, factor] : form.terms) {
    const __int128 one = __int128{factor} * nodes_[base].range.low;
    const __int128 two = __int128{factor} * nodes_[base].range.high;
    low += std::min(one, two);
    high += std::max(one, two);
  }
  const int count = static_cast<int>(nodes_.size());
  const int index = Insert(node, low, high);
  if (index == count && nodes_[index].kind != NodeKind::kConstant) {
    forms_[index] = std::move(form);
  }
  return index;
}

int Graph::Input(int64_t element, Range range) {
  return Insert({.kind = NodeKind::kInput, .constant = element}, range.low, range.high);
}

int Graph::Constant(int64_t value) {
  return Insert({.kind = NodeKind::kConstant, .constant = value}, value, value);
}

Term Graph::Add(Term x, Term y) {
  if (y.shift < x.shift) std::swap(x, y);
  // x - y and y - x cost the same where nothing is bypassed: prefer the positive result.
  if (x.shift == y.shift && x.negate && !y.negate) std::swap(x, y);
  if (x.shift == y.shift && x.negate == y.negate && y.node < x.node) std::swap(x, y);
  const Range a = node(x.node).range;
  const Range b = node(y.node).range;
  const int shift = y.shift - x.shift;
  const __int128 b_low = ShiftLeft(b.low, shift);
  const __int128 b_high = ShiftLeft(b.high, shift);
  Node sum{.a = x.node, .b = y.node, .shift = shift};
  const bool add = x.negate == y.negate;
  sum.kind = add ? NodeKind::kAdd : NodeKind::kSubtract;
  int index;
  if (shift < 60) {
    const int64_t factor = int64_t{1} << shift;
    index = InsertLinear(sum, Combine(forms_[x.node], forms_[y.node], add ? factor : -factor));
  } else if (add) {
    index = Insert(sum, a.low + b_low, a.high + b_high);
  } else {
    index = Insert(sum, a.low - b_high, a.high - b_low);
  }
  return {index, x.shift, x.negate};
}

int Graph::Not(int a) {
  LinearForm minus_one;
  minus_one.offset = -1;
  return InsertLinear({.kind = NodeKind::kNot, .a = a}, Combine(minus_one, forms_[a], -1));
}

int Graph::Multiply(int a, int64_t constant) {
  return InsertLinear({.kind = NodeKind::kMultiply, .a = a, .constant = constant},
                      Combine({}, forms_[a], constant));
}

int Graph::Shift(int a, int shift) {
  if (shift == 0) return a;
  const Range range = node(a).range;
  const Node shifted{.kind = NodeKind::kShift, .a = a, .shift = shift};
  if (shift > 0 && shift < 60) {
    return InsertLinear(shifted, Combine({}, forms_[a], int64_t{1} << shift));
  }
  if (shift > 0) {
    return Insert(shifted, ShiftLeft(range.low, shift), ShiftLeft(range.high, shift));
  }
  const int right = std::min(-shift, 62);
  return Insert(shifted, range.low >> right, range.high >> right);
}

int Graph::Cast(int a, int dropped_bits, const FixedType& type) {
  int index = a;
  if (dropped_bits <= 0 || type.quantization == Quantization::kTrn) {
    index = Shift(index, -dropped_bits);
  } else {
    const Range range = node(index).range;
    index = Insert({.kind = NodeKind::kRound,
                    .a = index,
                    .shift = dropped_bits,
                    .type = {.width_bits = 1, .quantization = type.quantization}},
                   RoundRaw(range.low, dropped_bits, type.quantization),
                   RoundRaw(range.high, dropped_bits, type.quantization));
  }
  const Range range = node(index).range;
  if (range.IsConstant()) return Constant(ClampRaw(range.low, type));
  Range result = CastRange(range, type);
  const bool keeps_lowest =
      type.overflow != Overflow::kSatSym || !type.is_signed || range.low > RangeOfType(type).low;
  if (result == range && keeps_lowest) return index;
  if (!keeps_lowest) result.low = std::max(result.low, RangeOfType(type).low + 1);
  if (type.overflow == Overflow::kWrapSm && status_.ok()) {
    status_ = absl::UnimplementedError("overflow mode AP_WRAP_SM has no hardware");
  }
  return Insert({.kind = NodeKind::kClamp,
                 .a = index,
                 .type = {.width_bits = type.width_bits,
                          .is_signed = type.is_signed,
                          .overflow = type.overflow}},
                result.low, result.high);
}

int Graph::Maximum(int a, int b) {
  if (a > b) std::swap(a, b);
  const Range x = node(a).range;
  const Range y = node(b).range;
  if (x.low >= y.high) return a;
  if (y.low >= x.high) return b;
  return Insert({.kind = NodeKind::kMaximum, .a = a, .b = b}, std::max(x.low, y.low),
                std::max(x.high, y.high));
}

int Graph::Resolve(Term term) {
  if (term.negate) {
    term = Add({Constant(0), term.shift, false}, term);
    // Equal shifts: Add keeps the positive minuend, so the result is never negated here.
  }
  return Shift(term.node, term.shift);
}

std::vector<int64_t> Graph::Evaluate(absl::Span<const int64_t> inputs) const {
  std::vector<int64_t> values(nodes_.size());
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const Node& n = nodes_[i];
    const int64_t a = n.a >= 0 ? values[n.a] : 0;
    const int64_t b = n.b >= 0 ? values[n.b] : 0;
    switch (n.kind) {
      case NodeKind::kInput:
        values[i] = inputs[n.constant];
        break;
      case NodeKind::kConstant:
        values[i] = n.constant;
        break;
      case NodeKind::kAdd:
        values[i] = a + (b << n.shift);
        break;
      case NodeKind::kSubtract:
        values[i] = a - (b << n.shift);
        break;
      case NodeKind::kNot:
        values[i] = ~a;
        break;
      case NodeKind::kMultiply:
        values[i] = a * n.constant;
        break;
      case NodeKind::kShift:
        values[i] = n.shift >= 0 ? a << n.shift : a >> std::min(-n.shift, 62);
        break;
      case NodeKind::kRound:
        values[i] = RoundRaw(a, n.shift, n.type.quantization);
        break;
      case NodeKind::kClamp:
        values[i] = ClampRaw(a, n.type);
        break;
      case NodeKind::kMaximum:
        values[i] = std::max(a, b);
        break;
    }
  }
  return values;
}

}  // namespace dovetail::hardware
