#include "services/worker/hardware/subexpressions.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

namespace dovetail::hardware {
namespace {

constexpr int kDistanceOffset = 128;

bool Before(const Term& x, const Term& y) {
  return x.node != y.node ? x.node < y.node : x.shift < y.shift;
}

}  // namespace

SubexpressionSharing::Pattern SubexpressionSharing::PatternOf(Term x, Term y) {
  if (Before(y, x)) std::swap(x, y);
  const uint64_t distance = static_cast<uint64_t>(y.shift - x.shift + kDistanceOffset);
  return (static_cast<uint64_t>(x.node) << 36) | (static_cast<uint64_t>(y.node) << 10) |
         (distance << 1) | (x.negate != y.negate ? 1 : 0);
}

std::pair<Term, Term> SubexpressionSharing::TermsOf(Pattern pattern) {
  const int distance = static_cast<int>((pattern >> 1) & 0x1ff) - kDistanceOffset;
  const Term x{static_cast<int>(pattern >> 36), std::max(0, -distance), false};
  const Term y{static_cast<int>((pattern >> 10) & 0x3ffffff), std::max(0, distance),
               (pattern & 1) != 0};
  return {x, y};
}

int SubexpressionSharing::Level(int node) {
  for (int i = static_cast<int>(levels_.size()); i <= node; ++i) {
    const Node& n = graph_.node(i);
    int level = n.a >= 0 ? levels_[n.a] : 0;
    if (n.b >= 0) level = std::max(level, levels_[n.b]);
    const bool adder = n.kind == NodeKind::kAdd || n.kind == NodeKind::kSubtract;
    levels_.push_back(level + (adder ? 1 : 0));
  }
  return levels_[node];
}

double SubexpressionSharing::Kraft(const Row& row) {
  double sum = 0;
  for (const auto& [node, digits] : row) {
    sum += static_cast<double>(digits.size()) * std::exp2(Level(node));
  }
  return sum;
}

int64_t SubexpressionSharing::Score(Pattern pattern, int64_t count) {
  const auto [x, y] = TermsOf(pattern);
  const int x_width = graph_.node(x.node).range.WidthBits() + x.shift;
  const int y_width = graph_.node(y.node).range.WidthBits() + y.shift;
  const int bits = std::max(x_width, y_width) + 1 - std::max(x.shift, y.shift);
  return (count - 1) * bits;
}

// Adds `change` to the count of every pattern of `term` with the other terms of the row.
void SubexpressionSharing::Count(const Row& row, const Term& term, int change) {
  for (const auto& [node, digits] : row) {
    for (const Digit& digit : digits) {
      const Term other{node, digit.shift, digit.negate};
      if (std::abs(other.shift - term.shift) >= kDistanceOffset) continue;
      const Pattern pattern = PatternOf(term, other);
      const int64_t count = (counts_[pattern] += change);
      if (change > 0 && count >= 2) queue_.push({Score(pattern, count), pattern});
    }
  }
}

void SubexpressionSharing::Erase(Row& row, const Term& term) {
  std::vector<Digit>& digits = row[term.node];
  digits.erase(std::find_if(digits.begin(), digits.end(),
                            [&](const Digit& d) { return d.shift == term.shift; }));
  if (digits.empty()) row.erase(term.node);
  Count(row, term, -1);
}

void SubexpressionSharing::Insert(Row& row, Term term) {
  const auto it = row.find(term.node);
  if (it != row.end()) {
    for (const Digit& digit : it->second) {
      if (digit.shift != term.shift) continue;
      const bool cancels = digit.negate != term.negate;
      Erase(row, {term.node, digit.shift, digit.negate});
      if (!cancels) Insert(row, {term.node, term.shift + 1, term.negate});
      return;
    }
  }
  Count(row, term, 1);
  std::vector<Digit>& digits = row[term.node];
  digits.push_back({term.shift, term.negate});
  std::sort(digits.begin(), digits.end(),
            [](const Digit& a, const Digit& b) { return a.shift < b.shift; });
}

std::vector<std::pair<Term, Term>> SubexpressionSharing::Matches(const Row& row, Pattern pattern) {
  std::vector<std::pair<Term, Term>> matches;
  const auto [x, y] = TermsOf(pattern);
  const auto x_digits = row.find(x.node);
  const auto y_digits = row.find(y.node);
  if (x_digits == row.end() || y_digits == row.end()) return matches;
  std::vector<int> taken;  // shifts of x.node already used, where both are one node
  for (const Digit& first : x_digits->second) {
    const int wanted = first.shift + y.shift - x.shift;
    const bool negate = first.negate != y.negate;
    for (const Digit& second : y_digits->second) {
      if (second.shift != wanted || second.negate != negate) continue;
      if (x.node == y.node) {
        const auto used = [&](int s) {
          return std::find(taken.begin(), taken.end(), s) != taken.end();
        };
        if (used(first.shift) || used(second.shift)) continue;
        taken.push_back(first.shift);
        taken.push_back(second.shift);
      }
      matches.push_back({{x.node, first.shift, first.negate}, {y.node, wanted, negate}});
    }
  }
  return matches;
}

int64_t SubexpressionSharing::Substitute(Pattern pattern) {
  const auto [x, y] = TermsOf(pattern);
  const double grown = std::exp2(std::max(Level(x.node), Level(y.node)) + 1) -
                       std::exp2(Level(x.node)) - std::exp2(Level(y.node));
  std::vector<std::pair<size_t, std::vector<std::pair<Term, Term>>>> places;
  int64_t count = 0;
  for (size_t r = 0; r < rows_.size(); ++r) {
    std::vector<std::pair<Term, Term>> matches = Matches(rows_[r], pattern);
    if (matches.empty()) continue;
    if (grown > 0) {
      const double room = max_kraft_ - Kraft(rows_[r]);
      matches.resize(std::min<size_t>(
          matches.size(), static_cast<size_t>(std::max(0.0, std::floor(room / grown)))));
    }
    count += static_cast<int64_t>(matches.size());
    if (!matches.empty()) places.emplace_back(r, std::move(matches));
  }
  if (count < 2) return 0;
  const Term shared = graph_.Add(x, y);
  for (const auto& [r, matches] : places) {
    for (const auto& [first, second] : matches) {
      Erase(rows_[r], first);
      Erase(rows_[r], second);
      Insert(rows_[r],
             {shared.node, first.shift - x.shift + shared.shift, first.negate != shared.negate});
    }
  }
  return count;
}

void SubexpressionSharing::Share(std::vector<std::vector<Term>>& rows) {
  for (const std::vector<Term>& terms : rows) {
    Row row;
    for (const Term& term : terms) Insert(row, term);
    max_kraft_ = std::max(max_kraft_, Kraft(row));
    rows_.push_back(std::move(row));
  }
  max_kraft_ = std::exp2(std::ceil(std::log2(std::max(1.0, max_kraft_))) + extra_levels_);
  while (!queue_.empty()) {
    const Entry entry = queue_.top();
    queue_.pop();
    const auto count = counts_.find(entry.pattern);
    if (count == counts_.end() || count->second < 2) continue;
    const int64_t score = Score(entry.pattern, count->second);
    if (score < entry.score) {
      queue_.push({score, entry.pattern});
      continue;
    }
    // What is left of the pattern can never be taken out later: rows only lose room.
    if (Substitute(entry.pattern) == 0) count->second = std::numeric_limits<int32_t>::min();
  }
  for (size_t r = 0; r < rows.size(); ++r) {
    rows[r].clear();
    for (const auto& [node, digits] : rows_[r]) {
      for (const Digit& digit : digits) rows[r].push_back({node, digit.shift, digit.negate});
    }
  }
}

}  // namespace dovetail::hardware
