// Common two-term subexpressions of a layer's rows, built once: strategy distributed_arithmetic.
// Called by the lowering before the rows' trees are built.
//
// Source: Hartley 1996, "Subexpression sharing in filters using canonic signed digit multipliers",
// IEEE TCAS-II 43(10); weighted and delay-bounded as in Sun et al. 2025, "da4ml" (arXiv
// 2507.04535). Departures: no first stage over matrix columns; patterns are weighted by the carry
// bits they save; a row's depth is bounded by Kraft's sum.
#ifndef DOVETAIL_SERVICES_WORKER_HARDWARE_SUBEXPRESSIONS_H_
#define DOVETAIL_SERVICES_WORKER_HARDWARE_SUBEXPRESSIONS_H_

#include <cstdint>
#include <map>
#include <queue>
#include <unordered_map>
#include <utility>
#include <vector>

#include "services/worker/hardware/graph.h"

namespace dovetail::hardware {

// One use. Deterministic: hash tables are looked up, never iterated. Not thread-safe.
class SubexpressionSharing {
 public:
  // Rows may become at most `extra_levels` adders deeper than the deepest row needs to be.
  SubexpressionSharing(Graph& graph, int extra_levels)
      : graph_(graph), extra_levels_(extra_levels) {}

  // Replaces pairs of terms that occur again by new terms until none pays; every row keeps its sum.
  void Share(std::vector<std::vector<Term>>& rows);

 private:
  struct Digit {
    int shift = 0;
    bool negate = false;
  };
  // node -> its digits, by shift.
  using Row = std::map<int, std::vector<Digit>>;
  // a + (-1)^negate * b * 2^distance, as (a, b, distance, negate) in one number.
  using Pattern = uint64_t;
  struct Entry {
    int64_t score;
    Pattern pattern;
    bool operator<(const Entry& other) const {
      return score != other.score ? score < other.score : pattern > other.pattern;
    }
  };

  static Pattern PatternOf(Term x, Term y);
  static std::pair<Term, Term> TermsOf(Pattern pattern);
  int64_t Score(Pattern pattern, int64_t count);
  int Level(int node);
  double Kraft(const Row& row);

  void Count(const Row& row, const Term& term, int change);
  void Insert(Row& row, Term term);
  void Erase(Row& row, const Term& term);
  // Occurrences replaced over all rows.
  int64_t Substitute(Pattern pattern);
  // How many times the pattern may be taken out of the row, in order of shifts.
  std::vector<std::pair<Term, Term>> Matches(const Row& row, Pattern pattern);

  Graph& graph_;
  int extra_levels_;
  double max_kraft_ = 0;
  std::vector<int> levels_;
  std::vector<Row> rows_;
  std::unordered_map<Pattern, int64_t> counts_;
  std::priority_queue<Entry> queue_;
};

}  // namespace dovetail::hardware

#endif  // DOVETAIL_SERVICES_WORKER_HARDWARE_SUBEXPRESSIONS_H_
