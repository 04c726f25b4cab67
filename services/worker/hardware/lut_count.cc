#include "services/worker/hardware/lut_count.h"

#include <algorithm>
#include <utility>

namespace dovetail::hardware {
namespace {

// Which bit of an operand stands at position `bit`, its sign bit above its width; -1: a zero.
int BitAt(const Range& range, int bit) {
  const int width = range.WidthBits();
  if (bit < width) return bit;
  return range.IsSigned() ? width - 1 : -1;
}

// A LUT for each pair of bits that occurs; equal pairs above both widths are one.
int64_t AdderLuts(const Graph& graph, const Node& node) {
  const int width = CarryBits(graph, node);
  const Range& a = graph.node(node.a).range;
  const Range& b = graph.node(node.b).range;
  std::pair<int, int> previous = {-2, -2};
  int64_t luts = 0;
  for (int bit = 0; bit < width; ++bit) {
    const std::pair<int, int> pair = {BitAt(a, bit + node.shift), BitAt(b, bit)};
    const bool logic = node.kind == NodeKind::kAdd ? pair.first >= 0 && pair.second >= 0
                                                   : pair.first >= 0 || pair.second >= 0;
    if (logic && pair != previous) ++luts;
    previous = pair;
  }
  return luts;
}

int64_t ClampLuts(const Graph& graph, const Node& node) {
  if (node.type.overflow == Overflow::kWrap) return 0;
  // The bits beyond the type's, six to a LUT; one more input is the bit itself.
  const int excess = graph.node(node.a).range.WidthBits() - node.type.width_bits + 1;
  return node.range.WidthBits() + (excess > 4 ? (excess + 3) / 5 : 0);
}

}  // namespace

int64_t CountLuts(const Graph& graph, const std::vector<int>& outputs, const Schedule& schedule) {
  const std::vector<int> last = LastUse(graph, outputs, schedule);
  int64_t luts = 0;
  for (size_t i = 0; i < last.size(); ++i) {
    if (last[i] < 0) continue;
    const Node& node = graph.node(static_cast<int>(i));
    const int width = node.range.WidthBits();
    switch (node.kind) {
      case NodeKind::kAdd:
      case NodeKind::kSubtract:
        luts += AdderLuts(graph, node);
        break;
      case NodeKind::kClamp:
        luts += ClampLuts(graph, node);
        break;
      case NodeKind::kRound:
        luts += width + 1;
        break;
      case NodeKind::kMaximum: {
        const Node& x = graph.node(node.a);
        const Node& y = graph.node(node.b);
        const bool constant = x.kind == NodeKind::kConstant || y.kind == NodeKind::kConstant;
        const bool merged = x.kind == NodeKind::kClamp || y.kind == NodeKind::kClamp;
        // Against zero: the registers' synchronous resets take it, or the clamp's own LUTs.
        luts += constant ? (merged ? 0 : 1) : 2 * width;
        break;
      }
      default:
        break;
    }
    const int delays = last[i] - schedule.stage[i];
    if (node.kind != NodeKind::kConstant && delays >= 3) luts += width;
  }
  return luts;
}

}  // namespace dovetail::hardware
