// Constant matrix times vector as adders: products by signed digits, explicit two-operand trees.
// Called by the lowering for each dense or convolution layer (strategy "latency").
#ifndef DOVETAIL_SERVICES_WORKER_HARDWARE_ADDER_TREE_H_
#define DOVETAIL_SERVICES_WORKER_HARDWARE_ADDER_TREE_H_

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "services/worker/hardware/graph.h"

namespace dovetail::hardware {

// Which constants earn a DSP multiplier. Source: vendor HLS reports (docs/decisions/0800): three
// or more signed digits, and a larger operand of at least 11 bits.
struct MultiplierRule {
  bool allowed = true;
  int min_digits = 3;
  int min_operand_bits = 11;
  int wide_bits = 27;  // signed operand widths of the device's block
  int narrow_bits = 18;
};

// One weighted input of a row: weight * value of `node`.
struct WeightedNode {
  int node = -1;
  int64_t weight = 0;
};

// Builds into `graph`, which must outlive it. Products by equal odd constants are shared between
// rows. Not thread-safe.
class AdderTreeBuilder {
 public:
  AdderTreeBuilder(Graph& graph, const MultiplierRule& rule) : graph_(graph), rule_(rule) {}

  // constant + sum of weight * node, never negated.
  Term Row(const std::vector<WeightedNode>& inputs, int64_t constant);
  // constant + sum of terms, never negated.
  Term RowOfTerms(std::vector<Term> terms, int64_t constant);
  // constant * node.
  Term Product(int node, int64_t constant);
  // Sum of terms in a tree of least depth, terms of like position and width paired; may be negated.
  Term Sum(std::vector<Term> terms);

 private:
  // Adder levels below the node; a DSP counts as four.
  int Level(int node);
  bool EarnsMultiplier(int node, int64_t odd_constant, int digit_count) const;

  Graph& graph_;
  MultiplierRule rule_;
  std::vector<int> levels_;
  std::map<std::pair<int, int64_t>, Term> products_;
};

}  // namespace dovetail::hardware

#endif  // DOVETAIL_SERVICES_WORKER_HARDWARE_ADDER_TREE_H_
