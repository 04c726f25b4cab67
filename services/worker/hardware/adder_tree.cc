#include "services/worker/hardware/adder_tree.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <tuple>
#include <utility>

namespace dovetail::hardware {
namespace {

constexpr int kMultiplierLevels = 4;

int TrailingZeros(int64_t value) { return std::countr_zero(static_cast<uint64_t>(value)); }

int SignedWidth(const Range& range) { return range.WidthBits() + (range.IsSigned() ? 0 : 1); }

}  // namespace

int AdderTreeBuilder::Level(int node) {
  for (int i = static_cast<int>(levels_.size()); i <= node; ++i) {
    const Node& n = graph_.node(i);
    int level = 0;
    if (n.a >= 0) level = levels_[n.a];
    if (n.b >= 0) level = std::max(level, levels_[n.b]);
    if (n.kind == NodeKind::kAdd || n.kind == NodeKind::kSubtract) ++level;
    if (n.kind == NodeKind::kMultiply) level += kMultiplierLevels;
    levels_.push_back(level);
  }
  return levels_[node];
}

bool AdderTreeBuilder::EarnsMultiplier(int node, int64_t odd_constant, int digit_count) const {
  if (!rule_.allowed || digit_count < rule_.min_digits) return false;
  const Range& range = graph_.node(node).range;
  const Range constant{odd_constant, odd_constant};
  if (std::max(range.WidthBits(), constant.WidthBits()) < rule_.min_operand_bits) return false;
  const int x = SignedWidth(range);
  const int c = SignedWidth(constant);
  return std::max(x, c) <= rule_.wide_bits && std::min(x, c) <= rule_.narrow_bits;
}

Term AdderTreeBuilder::Product(int node, int64_t constant) {
  const int shift = TrailingZeros(constant);
  const bool negative = constant < 0;
  const int64_t odd = std::llabs(constant >> shift);
  const auto key = std::make_pair(node, odd);
  auto it = products_.find(key);
  if (it == products_.end()) {
    const std::vector<CsdDigit> digits = CsdDigits(odd);
    Term product;
    if (EarnsMultiplier(node, odd, static_cast<int>(digits.size()))) {
      product = {graph_.Multiply(node, odd), 0, false};
    } else {
      std::vector<Term> terms;
      for (const CsdDigit& digit : digits) terms.push_back({node, digit.position, digit.negative});
      product = Sum(std::move(terms));
    }
    it = products_.emplace(key, product).first;
  }
  Term product = it->second;
  product.shift += shift;
  product.negate = product.negate != negative;
  return product;
}

Term AdderTreeBuilder::Sum(std::vector<Term> terms) {
  if (terms.empty()) return {graph_.Constant(0), 0, false};
  while (terms.size() > 1) {
    // Pair up all that is there when the second earliest term is.
    std::vector<int> arrivals;
    for (const Term& term : terms) arrivals.push_back(Level(term.node));
    std::nth_element(arrivals.begin(), arrivals.begin() + 1, arrivals.end());
    const int now = arrivals[1];
    std::vector<Term> ready;
    std::vector<Term> next;
    for (const Term& term : terms) (Level(term.node) <= now ? ready : next).push_back(term);
    const auto position = [this](const Term& term) {
      const int width = graph_.node(term.node).range.WidthBits();
      return std::make_tuple(term.shift, term.shift + width, term.node, term.negate);
    };
    std::sort(ready.begin(), ready.end(),
              [&](const Term& x, const Term& y) { return position(x) < position(y); });
    for (size_t i = 0; i + 1 < ready.size(); i += 2) {
      next.push_back(graph_.Add(ready[i], ready[i + 1]));
    }
    if (ready.size() % 2 == 1) next.push_back(ready.back());
    terms = std::move(next);
  }
  return terms[0];
}

Term AdderTreeBuilder::Row(const std::vector<WeightedNode>& inputs, int64_t constant) {
  std::vector<Term> terms;
  for (const WeightedNode& input : inputs) {
    if (input.weight == 0) continue;
    if (graph_.node(input.node).range.IsConstant()) {
      constant += input.weight * graph_.node(input.node).range.low;
    } else {
      terms.push_back(Product(input.node, input.weight));
    }
  }
  return RowOfTerms(std::move(terms), constant);
}

Term AdderTreeBuilder::RowOfTerms(std::vector<Term> terms, int64_t constant) {
  if (terms.empty()) return {graph_.Constant(constant), 0, false};
  const auto constant_term = [this](int64_t value) {
    const int shift = TrailingZeros(value);
    return Term{graph_.Constant(value >> shift), shift, false};
  };
  if (constant != 0) {
    std::vector<Term> with_constant = terms;
    with_constant.push_back(constant_term(constant));
    const Term sum = Sum(std::move(with_constant));
    if (!sum.negate) return sum;
  }
  // The negated tree: K - T = ~(T - K - 1), whose inverters melt into the logic behind them.
  const Term sum = Sum(std::move(terms));
  if (!sum.negate) {
    return constant == 0 ? sum : graph_.Add(sum, constant_term(constant));
  }
  const Term positive{sum.node, sum.shift, false};
  if (constant == 0 && sum.shift > 0) {
    // ~T' + 1 at the tree's own position.
    const Term less = graph_.Add(Term{sum.node, 0, false}, constant_term(-1));
    return {graph_.Not(graph_.Resolve(less)), sum.shift, false};
  }
  if (constant == -1) return {graph_.Not(graph_.Resolve(positive)), 0, false};
  const Term less = graph_.Add(positive, constant_term(-constant - 1));
  return {graph_.Not(graph_.Resolve(less)), 0, false};
}

}  // namespace dovetail::hardware
