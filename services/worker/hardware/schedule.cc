#include "services/worker/hardware/schedule.h"

#include <algorithm>

namespace dovetail::hardware {
namespace {

// Nodes that outputs depend on, and how many operations read each.
std::vector<int> Fanouts(const Graph& graph, const std::vector<int>& outputs) {
  const auto& nodes = graph.nodes();
  std::vector<int> fanout(nodes.size(), 0);
  for (int output : outputs) ++fanout[output];
  for (int i = static_cast<int>(nodes.size()) - 1; i >= 0; --i) {
    if (fanout[i] == 0) continue;
    if (nodes[i].a >= 0) ++fanout[nodes[i].a];
    if (nodes[i].b >= 0) ++fanout[nodes[i].b];
  }
  return fanout;
}

double NodeDelayPs(const Graph& graph, const Node& node, int fanout, const DelayModel& delays) {
  switch (node.kind) {
    case NodeKind::kInput:
    case NodeKind::kConstant:
    case NodeKind::kNot:
    case NodeKind::kShift:
      return 0;
    case NodeKind::kMultiply:
      return 0;  // registered: handled by the scheduler
    case NodeKind::kAdd:
    case NodeKind::kSubtract: {
      const int bits = CarryBits(graph, node);
      return bits == 0 ? 0 : delays.AdderPs(bits, fanout);
    }
    case NodeKind::kRound:
      return delays.LutLevelPs(1) + delays.AdderPs(node.range.WidthBits(), fanout);
    case NodeKind::kClamp: {
      const int excess = graph.node(node.a).range.WidthBits() - node.type.width_bits + 1;
      return (excess > 5 ? 3 : 2) * delays.LutLevelPs(std::max(1, node.type.width_bits));
    }
    case NodeKind::kMaximum: {
      const bool with_constant = graph.node(node.a).kind == NodeKind::kConstant ||
                                 graph.node(node.b).kind == NodeKind::kConstant;
      if (!with_constant) {
        return delays.AdderPs(node.range.WidthBits(), fanout) +
               delays.LutLevelPs(node.range.WidthBits());
      }
      // Against zero behind a clamp: the clamp's own LUTs take the sign in.
      const Node& other = graph.node(std::max(node.a, node.b));
      return other.kind == NodeKind::kClamp ? 0 : delays.LutLevelPs(node.range.WidthBits());
    }
  }
  return 0;
}

DspRegisters ChooseDspRegisters(const ScheduleOptions& options) {
  const DelayModel& d = options.delays;
  const double feed_ps = d.clock_to_q_ps + d.NetPs(1);
  if (feed_ps + d.dsp_input_to_p_ps <= options.period_ps) return {};
  if (feed_ps + d.dsp_input_to_m_ps <= options.period_ps && d.dsp_m_to_p_ps <= options.period_ps) {
    return {.product = true};
  }
  return {.input = true, .product = true};
}

double DspFeedPs(const DspRegisters& registers, const DelayModel& d) {
  if (registers.input) return d.dsp_input_setup_ps;
  return registers.product ? d.dsp_input_to_m_ps : d.dsp_input_to_p_ps;
}

}  // namespace

int CarryBits(const Graph& graph, const Node& node) {
  if (node.kind != NodeKind::kAdd && node.kind != NodeKind::kSubtract) return 0;
  const Range& a = graph.node(node.a).range;
  // Disjoint bits of an unsigned low part: the sum is a concatenation.
  if (node.kind == NodeKind::kAdd && !a.IsSigned() && a.WidthBits() <= node.shift) return 0;
  return std::max(0, node.range.WidthBits() - node.shift);
}

std::vector<int> LastUse(const Graph& graph, const std::vector<int>& outputs,
                         const Schedule& schedule) {
  const auto& nodes = graph.nodes();
  std::vector<int> last(nodes.size(), -1);
  for (int output : outputs) last[output] = schedule.latency_cycles;
  for (int i = static_cast<int>(nodes.size()) - 1; i >= 0; --i) {
    if (last[i] < 0) continue;
    int read_in = schedule.stage[i];
    if (nodes[i].kind == NodeKind::kMultiply) read_in -= schedule.dsp_registers.Cycles();
    for (int operand : {nodes[i].a, nodes[i].b}) {
      if (operand >= 0) last[operand] = std::max(last[operand], read_in);
    }
  }
  return last;
}

Schedule MakeSchedule(const Graph& graph, const std::vector<int>& outputs,
                      const ScheduleOptions& options) {
  const DelayModel& d = options.delays;
  const std::vector<int> fanouts = Fanouts(graph, outputs);
  const auto& nodes = graph.nodes();
  Schedule schedule;
  schedule.stage.assign(nodes.size(), 0);
  schedule.ready_ps.assign(nodes.size(), d.clock_to_q_ps);
  schedule.dsp_registers = ChooseDspRegisters(options);
  const double dsp_feed_ps = DspFeedPs(schedule.dsp_registers, d);
  double longest_ps = d.clock_to_q_ps;

  for (size_t i = 0; i < nodes.size(); ++i) {
    const Node& node = nodes[i];
    if (fanouts[i] == 0 || node.kind == NodeKind::kConstant) continue;
    int stage = 0;
    double start_ps = d.clock_to_q_ps;
    for (int operand : {node.a, node.b}) {
      if (operand < 0 || nodes[operand].kind == NodeKind::kConstant) continue;
      if (schedule.stage[operand] > stage) {
        stage = schedule.stage[operand];
        start_ps = schedule.ready_ps[operand];
      } else if (schedule.stage[operand] == stage) {
        start_ps = std::max(start_ps, schedule.ready_ps[operand]);
      }
    }
    if (node.kind == NodeKind::kMultiply) {
      const double feed_ps = d.NetPs(1) + dsp_feed_ps;
      if (start_ps + feed_ps > options.period_ps && start_ps > d.clock_to_q_ps) {
        ++stage;
        start_ps = d.clock_to_q_ps;
      }
      longest_ps = std::max({longest_ps, start_ps + feed_ps - d.setup_ps,
                             schedule.dsp_registers.product ? d.dsp_m_to_p_ps : 0.0});
      schedule.stage[i] = stage + schedule.dsp_registers.Cycles();
      schedule.ready_ps[i] = d.dsp_clock_to_q_ps;
      continue;
    }
    const double delay_ps = NodeDelayPs(graph, node, fanouts[i], d);
    if (delay_ps > 0 && start_ps + delay_ps + d.setup_ps > options.period_ps &&
        start_ps > d.clock_to_q_ps) {
      ++stage;
      start_ps = d.clock_to_q_ps;
    }
    schedule.stage[i] = stage;
    schedule.ready_ps[i] = start_ps + delay_ps;
    longest_ps = std::max(longest_ps, schedule.ready_ps[i]);
  }
  for (int output : outputs) {
    schedule.latency_cycles = std::max(schedule.latency_cycles, schedule.stage[output] + 1);
  }
  schedule.critical_path_ps = longest_ps + d.setup_ps;
  return schedule;
}

int64_t RegisterBits(const Graph& graph, const std::vector<int>& outputs,
                     const Schedule& schedule) {
  const std::vector<int> last = LastUse(graph, outputs, schedule);
  int64_t bits = 0;
  for (size_t i = 0; i < last.size(); ++i) {
    if (graph.node(i).kind == NodeKind::kConstant) continue;
    bits += int64_t{std::max(0, last[i] - schedule.stage[i])} * graph.node(i).range.WidthBits();
  }
  return bits;
}

}  // namespace dovetail::hardware
