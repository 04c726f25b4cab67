#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/worker/hardware/design.h"
#include "services/worker/hardware/layer_lowering.h"
#include "services/worker/hardware/lut_count.h"

namespace dovetail::hardware {
namespace {

using nn::Layer;
using nn::Network;
using nn::Op;

// A network layer of a module: a matrix, or where each of its elements comes from.
struct Step {
  const Layer* layer = nullptr;
  std::vector<MatrixRow> rows;
  std::vector<std::vector<int>> sources;
};

// Layers that share a module: one with a matrix (or none, at the start) and those behind it.
struct Group {
  std::vector<Step> steps;
};

// The layers from the input to the logits, in order.
absl::StatusOr<std::vector<const Layer*>> ChainOf(const Network& network) {
  int index = network.LogitsIndex();
  if (index < 0) return absl::InvalidArgumentError("the network has no output");
  std::vector<const Layer*> chain;
  while (true) {
    const Layer& layer = network.layers[index];
    chain.push_back(&layer);
    if (layer.op == Op::kInput) break;
    if (layer.inputs.size() != 1) {
      return absl::UnimplementedError(absl::StrCat("layer \"", layer.name, "\": no hardware for ",
                                                   nn::OpName(layer.op), " with ",
                                                   layer.inputs.size(), " inputs yet"));
    }
    index = network.IndexOf(layer.inputs[0]);
    if (index < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("layer \"", layer.name, "\" reads an unknown layer"));
    }
  }
  std::reverse(chain.begin(), chain.end());
  return chain;
}

absl::StatusOr<std::vector<Group>> GroupsOf(const std::vector<const Layer*>& chain) {
  std::vector<Group> groups;
  for (size_t i = 1; i < chain.size(); ++i) {
    const nn::Shape& input_shape = chain[i - 1]->output_shape;
    Step step{.layer = chain[i]};
    if (HasMatrix(*chain[i])) {
      ASSIGN_OR_RETURN(step.rows, MatrixOf(*chain[i], input_shape));
      groups.emplace_back();
    } else {
      ASSIGN_OR_RETURN(step.sources, SourcesOfElements(*chain[i], input_shape));
      if (groups.empty()) groups.emplace_back();
    }
    groups.back().steps.push_back(std::move(step));
  }
  if (groups.empty()) {
    return absl::InvalidArgumentError("the network has no layer between input and logits");
  }
  return groups;
}

// Which of the step's inputs reach an output that is needed.
std::vector<bool> InputsNeeded(const Step& step, int64_t input_count,
                               const std::vector<bool>& outputs_needed) {
  std::vector<bool> needed(input_count, false);
  for (size_t o = 0; o < outputs_needed.size(); ++o) {
    if (!outputs_needed[o]) continue;
    if (!step.rows.empty()) {
      for (const MatrixRow::Entry& entry : step.rows[o].entries) needed[entry.input] = true;
    } else {
      for (int source : step.sources[o]) needed[source] = true;
    }
  }
  return needed;
}

std::string ModuleName(size_t index, const std::string& layer_name) {
  std::string name = absl::StrCat("layer", index + 1, "_");
  for (char c : layer_name) name.push_back(absl::ascii_isalnum(c) ? c : '_');
  return name;
}

void CountResources(LayerDesign& layer) {
  const std::vector<int> last = [&] {
    std::vector<int> outputs;
    for (int element : layer.output_ports) outputs.push_back(layer.output_nodes[element]);
    layer.register_bits = RegisterBits(layer.graph, outputs, layer.schedule);
    layer.lut_estimate = CountLuts(layer.graph, outputs, layer.schedule);
    return LastUse(layer.graph, outputs, layer.schedule);
  }();
  for (size_t i = 0; i < last.size(); ++i) {
    if (last[i] < 0) continue;
    const Node& node = layer.graph.node(static_cast<int>(i));
    if (node.kind == NodeKind::kMultiply) ++layer.dsp_count;
    const int bits = CarryBits(layer.graph, node);
    if (bits > 0) ++layer.adder_count;
    layer.adder_bits += bits;
  }
}

struct GroupContext {
  // Per step the elements of its input that are needed, and at the end those of the last output.
  const std::vector<std::vector<bool>>& needed;
  const MatrixOptions& matrix;
  const ScheduleOptions& schedule;
};

// Builds and schedules a group; `signals` is its input tensor and becomes its output tensor.
absl::StatusOr<LayerDesign> LowerGroup(const Group& group, const GroupContext& context,
                                       std::vector<Signal>& signals) {
  LayerDesign layer;
  layer.name = group.steps.front().layer->name;
  std::vector<GraphSignal> values(signals.size());
  layer.input_nodes.assign(signals.size(), -1);
  for (size_t i = 0; i < signals.size(); ++i) {
    if (!context.needed.front()[i]) continue;
    const Signal& signal = signals[i];
    values[i] = {signal.range.IsConstant()
                     ? layer.graph.Constant(signal.range.low)
                     : layer.graph.Input(static_cast<int64_t>(i), signal.range),
                 signal.fraction_bits};
    layer.input_nodes[i] = values[i].node;
    if (!signal.range.IsConstant()) layer.input_ports.push_back(static_cast<int>(i));
  }
  for (size_t k = 0; k < group.steps.size(); ++k) {
    const Step& step = group.steps[k];
    const std::vector<bool>& needed = context.needed[k + 1];
    layer.layers.push_back(step.layer->name);
    if (!step.rows.empty()) {
      ASSIGN_OR_RETURN(
          values, LowerMatrix(*step.layer, step.rows, values, needed, context.matrix, layer.graph));
    } else {
      ASSIGN_OR_RETURN(values,
                       LowerElements(*step.layer, step.sources, values, needed, layer.graph));
    }
  }
  signals.assign(values.size(), {});
  std::vector<int> outputs;
  for (size_t i = 0; i < values.size(); ++i) {
    layer.output_nodes.push_back(values[i].node);
    if (values[i].node < 0) continue;
    signals[i] = {layer.graph.node(values[i].node).range, values[i].fraction_bits};
    if (signals[i].range.IsConstant()) continue;
    layer.output_ports.push_back(static_cast<int>(i));
    outputs.push_back(values[i].node);
  }
  layer.schedule = MakeSchedule(layer.graph, outputs, context.schedule);
  CountResources(layer);
  return layer;
}

// Shared subexpressions, or plain trees without multipliers where those cost less.
absl::StatusOr<LayerDesign> CheapestShared(const Group& group,
                                           const std::vector<std::vector<bool>>& needed,
                                           const ScheduleOptions& schedule,
                                           const std::vector<Signal>& signals,
                                           std::vector<Signal>& results) {
  std::optional<LayerDesign> best;
  for (const bool share : {true, false}) {
    const MatrixOptions matrix{.rule = {.allowed = false}, .share_subexpressions = share};
    std::vector<Signal> values = signals;
    ASSIGN_OR_RETURN(LayerDesign layer, LowerGroup(group, {needed, matrix, schedule}, values));
    if (best.has_value() && best->lut_estimate <= layer.lut_estimate) continue;
    best = std::move(layer);
    results = std::move(values);
  }
  return *std::move(best);
}

bool HasDspPrimitive(Family family) {
  return family == Family::kSeries7 || family == Family::kUltraScale ||
         family == Family::kUltraScalePlus || family == Family::kVersal;
}

absl::Status CheckOptions(const LowerOptions& options) {
  if (options.strategy != "latency" && options.strategy != "distributed_arithmetic") {
    return absl::UnimplementedError(absl::StrCat("Strategy \"", options.strategy,
                                                 "\" has no hardware yet; known: latency, "
                                                 "distributed_arithmetic"));
  }
  if (options.reuse_factor != 1) {
    return absl::UnimplementedError(absl::StrCat("ReuseFactor ", options.reuse_factor,
                                                 " has no hardware yet; the strategies offer 1"));
  }
  if (options.io_type != "io_parallel") {
    return absl::UnimplementedError(
        absl::StrCat("IOType \"", options.io_type, "\" has no hardware yet; known: io_parallel"));
  }
  if (!(options.clock_period_ns > 0) || options.clock_period_ns > 1e6) {
    return absl::InvalidArgumentError(
        absl::StrCat("ClockPeriod ", options.clock_period_ns, " ns is not a clock period"));
  }
  if (!(options.clock_uncertainty_fraction >= 0) || options.clock_uncertainty_fraction >= 1) {
    return absl::InvalidArgumentError("ClockUncertainty is not in [0, 100) percent");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<FixedType>> ResultTypes(const Layer& layer) {
  const auto type = layer.types.find("result");
  if (type == layer.types.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("layer \"", layer.name, "\" has no result type: quantise the network first"));
  }
  const int64_t count = nn::ElementCount(layer.output_shape);
  const int64_t channels = layer.output_shape.empty() ? 1 : layer.output_shape.back();
  std::vector<FixedType> types;
  for (int64_t i = 0; i < count; ++i) {
    types.push_back(ElementType(type->second, i, count, channels));
    if (types.back().width_bits > 60) {
      return absl::UnimplementedError(absl::StrCat("layer \"", layer.name,
                                                   "\": ", FixedTypeToText(types.back()),
                                                   " is wider than hardware offers (60 bits)"));
    }
  }
  return types;
}

}  // namespace

int64_t Design::DspCount() const {
  int64_t count = 0;
  for (const LayerDesign& layer : layers) count += layer.dsp_count;
  return count;
}

int64_t Design::AdderCount() const {
  int64_t count = 0;
  for (const LayerDesign& layer : layers) count += layer.adder_count;
  return count;
}

int64_t Design::AdderBits() const {
  int64_t bits = 0;
  for (const LayerDesign& layer : layers) bits += layer.adder_bits;
  return bits;
}

int64_t Design::RegisterBits() const {
  int64_t bits = 0;
  for (const LayerDesign& layer : layers) bits += layer.register_bits;
  return bits;
}

int64_t Design::LutEstimate() const {
  int64_t luts = 0;
  for (const LayerDesign& layer : layers) luts += layer.lut_estimate;
  return luts;
}

std::vector<int64_t> Design::Evaluate(absl::Span<const int64_t> raw_inputs) const {
  std::vector<int64_t> values(raw_inputs.begin(), raw_inputs.end());
  for (const LayerDesign& layer : layers) {
    const std::vector<int64_t> nodes = layer.graph.Evaluate(values);
    values.assign(layer.output_nodes.size(), 0);
    for (size_t i = 0; i < values.size(); ++i) {
      if (layer.output_nodes[i] >= 0) values[i] = nodes[layer.output_nodes[i]];
    }
  }
  return values;
}

absl::StatusOr<Design> LowerNetwork(const Network& network, const LowerOptions& options) {
  RETURN_IF_ERROR(CheckOptions(options));
  Design design;
  ASSIGN_OR_RETURN(const Device* device, FindDevice(options.part));
  design.device = *device;
  design.part = options.part;
  design.clock_period_ns = options.clock_period_ns;
  design.clock_uncertainty_fraction = options.clock_uncertainty_fraction;
  ASSIGN_OR_RETURN(const std::vector<const Layer*> chain, ChainOf(network));
  ASSIGN_OR_RETURN(const std::vector<Group> groups, GroupsOf(chain));
  ASSIGN_OR_RETURN(design.input_types, ResultTypes(*chain.front()));
  ASSIGN_OR_RETURN(design.output_types, ResultTypes(*chain.back()));

  // needed[g]: the masks of group g; the last of one group is the first of the next.
  std::vector<std::vector<std::vector<bool>>> needed(groups.size());
  std::vector<bool> mask(design.output_types.size(), true);
  for (size_t g = groups.size(), l = chain.size() - 1; g-- > 0;) {
    needed[g].assign(groups[g].steps.size() + 1, {});
    needed[g].back() = mask;
    for (size_t k = groups[g].steps.size(); k-- > 0;) {
      --l;
      mask = InputsNeeded(groups[g].steps[k], nn::ElementCount(chain[l]->output_shape), mask);
      needed[g][k] = mask;
    }
  }

  std::vector<Signal> signals;
  for (const FixedType& type : design.input_types) {
    signals.push_back({RangeOfType(type), type.fraction_bits()});
  }
  const MatrixOptions plain{.rule = {.allowed = HasDspPrimitive(device->family),
                                     .wide_bits = device->dsp_wide_bits,
                                     .narrow_bits = device->dsp_narrow_bits}};
  const ScheduleOptions schedule{
      .period_ps = 1000 * options.clock_period_ns * (1 - options.clock_uncertainty_fraction),
      .delays = DelayModelOf(device->family)};
  for (size_t g = 0; g < groups.size(); ++g) {
    std::vector<Signal> results = signals;
    ASSIGN_OR_RETURN(LayerDesign layer,
                     LowerGroup(groups[g], {needed[g], plain, schedule}, results));
    if (options.strategy == "distributed_arithmetic") {
      ASSIGN_OR_RETURN(layer, CheapestShared(groups[g], needed[g], schedule, signals, results));
    }
    signals = std::move(results);
    layer.module = ModuleName(g, layer.name);
    design.latency_cycles += layer.schedule.latency_cycles;
    design.critical_path_ps = std::max(design.critical_path_ps, layer.schedule.critical_path_ps);
    design.layers.push_back(std::move(layer));
  }
  if (design.critical_path_ps > schedule.period_ps) {
    design.warnings.push_back(absl::StrCat("a single operation takes ",
                                           NumberToText(design.critical_path_ps / 1000),
                                           " ns by the delay model, more than ClockPeriod leaves (",
                                           NumberToText(schedule.period_ps / 1000), " ns)"));
  }
  return design;
}

}  // namespace dovetail::hardware
