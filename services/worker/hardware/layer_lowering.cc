#include "services/worker/hardware/layer_lowering.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/worker/fixedpoint/layer_geometry.h"
#include "services/worker/hardware/subexpressions.h"

namespace dovetail::hardware {
namespace {

using nn::Layer;
using nn::Op;

absl::StatusOr<const nn::TensorType*> FindType(const Layer& layer, const std::string& what) {
  const auto it = layer.types.find(what);
  if (it == layer.types.end()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "layer \"", layer.name, "\" has no type for its ", what, ": quantise the network first"));
  }
  return &it->second;
}

absl::StatusOr<int64_t> RawOf(const Layer& layer, absl::string_view what, float value,
                              const FixedType& type) {
  const double scaled = std::ldexp(static_cast<double>(value), type.fraction_bits());
  const double raw = std::nearbyint(scaled);
  const Range bounds = RangeOfType(type);
  if (raw != scaled || raw < static_cast<double>(bounds.low) ||
      raw > static_cast<double>(bounds.high)) {
    return absl::InvalidArgumentError(absl::StrCat("layer \"", layer.name, "\": a ", what, " of ",
                                                   value, " is not on the grid of ",
                                                   FixedTypeToText(type)));
  }
  return static_cast<int64_t>(raw);
}

// Constants of one parameter as raw integers with their fraction bits; empty where absent.
struct RawParameter {
  std::vector<int64_t> raw;
  std::vector<int> fraction_bits;
};

absl::StatusOr<RawParameter> RawParameterOf(const Layer& layer, const std::string& name) {
  RawParameter result;
  const auto parameter = layer.parameters.find(name);
  if (parameter == layer.parameters.end()) return result;
  ASSIGN_OR_RETURN(const nn::TensorType* type, FindType(layer, name));
  const std::vector<float>& values = parameter->second.values;
  const int64_t count = static_cast<int64_t>(values.size());
  const int64_t channels = parameter->second.shape.empty() ? 1 : parameter->second.shape.back();
  for (int64_t i = 0; i < count; ++i) {
    const FixedType& one = ElementType(*type, i, count, channels);
    ASSIGN_OR_RETURN(result.raw.emplace_back(), RawOf(layer, name, values[i], one));
    result.fraction_bits.push_back(one.fraction_bits());
  }
  return result;
}

// Dense and convolution layers, unrolled over all positions.
absl::StatusOr<std::vector<MatrixRow>> ProductMatrix(const Layer& layer, const nn::Shape& shape) {
  ASSIGN_OR_RETURN(const fixedpoint::MatrixGeometry geometry,
                   fixedpoint::MatrixGeometryOf(layer, shape));
  ASSIGN_OR_RETURN(const RawParameter kernel, RawParameterOf(layer, "kernel"));
  ASSIGN_OR_RETURN(const RawParameter bias, RawParameterOf(layer, "bias"));
  const int64_t channels = geometry.groups * geometry.columns;
  std::vector<MatrixRow> rows(geometry.positions * channels);
  for (int64_t p = 0; p < geometry.positions; ++p) {
    for (int64_t channel = 0; channel < channels; ++channel) {
      MatrixRow& row = rows[p * channels + channel];
      const int64_t first = (p * geometry.groups + channel / geometry.columns) * geometry.rows;
      for (int64_t r = 0; r < geometry.rows; ++r) {
        const int element = geometry.elements[first + r];
        const int64_t weight = kernel.raw[r * channels + channel];
        if (element == fixedpoint::kPadding || weight == 0) continue;
        row.entries.push_back({element, weight, kernel.fraction_bits[r * channels + channel]});
      }
      if (bias.raw.empty()) continue;
      row.bias = bias.raw[channel];
      row.bias_fraction_bits = bias.fraction_bits[channel];
    }
  }
  return rows;
}

// Batch normalisation, and products and sums with constants: a diagonal matrix.
absl::StatusOr<std::vector<MatrixRow>> ScaleMatrix(const Layer& layer, const nn::Shape& shape) {
  ASSIGN_OR_RETURN(const RawParameter scale, RawParameterOf(layer, "scale"));
  ASSIGN_OR_RETURN(const RawParameter offset, RawParameterOf(layer, "offset"));
  std::vector<MatrixRow> rows(nn::ElementCount(shape));
  for (size_t e = 0; e < rows.size(); ++e) {
    const size_t s = scale.raw.empty() ? 0 : e % scale.raw.size();
    const int64_t weight = scale.raw.empty() ? 1 : scale.raw[s];
    if (weight != 0) {
      rows[e].entries.push_back(
          {static_cast<int>(e), weight, scale.raw.empty() ? 0 : scale.fraction_bits[s]});
    }
    if (offset.raw.empty()) continue;
    rows[e].bias = offset.raw[e % offset.raw.size()];
    rows[e].bias_fraction_bits = offset.fraction_bits[e % offset.raw.size()];
  }
  return rows;
}

bool IsScale(const Layer& layer) {
  return layer.op == Op::kBatchNormalization || layer.op == Op::kMultiply ||
         (layer.op == Op::kAdd && layer.inputs.size() == 1);
}

}  // namespace

bool HasMatrix(const Layer& layer) {
  return layer.op == Op::kDense || layer.op == Op::kConv1D || layer.op == Op::kConv2D ||
         IsScale(layer);
}

const FixedType& ElementType(const nn::TensorType& type, int64_t index, int64_t element_count,
                             int64_t channels) {
  const int64_t count = static_cast<int64_t>(type.elements.size());
  if (count == 0) return type.type;
  if (count == element_count) return type.elements[index];
  return type.elements[index % std::min(count, std::max<int64_t>(1, channels))];
}

absl::StatusOr<std::vector<MatrixRow>> MatrixOf(const Layer& layer, const nn::Shape& input_shape) {
  if (IsScale(layer)) return ScaleMatrix(layer, input_shape);
  if (HasMatrix(layer)) return ProductMatrix(layer, input_shape);
  return absl::UnimplementedError(
      absl::StrCat("layer \"", layer.name, "\": no hardware for ", nn::OpName(layer.op), " yet"));
}

namespace {

// True when the accumulator type holds every value of the exact accumulator.
bool HoldsExactly(const FixedType& accumulator, int fraction_bits, const Range& exact) {
  if (accumulator.fraction_bits() < fraction_bits) return false;
  const Range bounds = RangeOfType(accumulator);
  const int shift = std::min(accumulator.fraction_bits() - fraction_bits, 62);
  return (__int128{exact.low} << shift) >= bounds.low &&
         (__int128{exact.high} << shift) <= bounds.high;
}

struct AlignedRow {
  std::vector<WeightedNode> inputs;
  int64_t constant = 0;
  int fraction_bits = 0;
  Range exact;  // of every partial sum in any order
};

absl::StatusOr<AlignedRow> Align(const Layer& layer, const MatrixRow& row,
                                 const std::vector<GraphSignal>& values, const Graph& graph) {
  AlignedRow aligned;
  aligned.fraction_bits = row.bias != 0 ? row.bias_fraction_bits : -1000;
  for (const MatrixRow::Entry& entry : row.entries) {
    aligned.fraction_bits =
        std::max(aligned.fraction_bits, entry.fraction_bits + values[entry.input].fraction_bits);
  }
  if (aligned.fraction_bits == -1000) aligned.fraction_bits = 0;
  __int128 low = 0;
  __int128 high = 0;
  const auto scaled = [&](int64_t raw, int fraction_bits) -> __int128 {
    return __int128{raw} << std::min(62, aligned.fraction_bits - fraction_bits);
  };
  const auto widen = [&](__int128 one, __int128 two) {
    low += std::min({one, two, __int128{0}});
    high += std::max({one, two, __int128{0}});
  };
  for (const MatrixRow::Entry& entry : row.entries) {
    const GraphSignal& value = values[entry.input];
    const __int128 weight = scaled(entry.weight, entry.fraction_bits + value.fraction_bits);
    const Range& range = graph.node(value.node).range;
    widen(weight * range.low, weight * range.high);
    aligned.inputs.push_back({value.node, static_cast<int64_t>(weight)});
  }
  const __int128 bias = row.bias != 0 ? scaled(row.bias, row.bias_fraction_bits) : 0;
  widen(bias, bias);
  if (low < -(__int128{1} << 60) || high > (__int128{1} << 60)) {
    return absl::UnimplementedError(
        absl::StrCat("layer \"", layer.name, "\": its accumulator needs more than 61 bits"));
  }
  aligned.constant = static_cast<int64_t>(bias);
  aligned.exact = {static_cast<int64_t>(low), static_cast<int64_t>(high)};
  return aligned;
}

// Lowest set bit over all that is summed: below it every sum is zero.
int CommonZeros(const AlignedRow& row) {
  uint64_t bits = static_cast<uint64_t>(row.constant);
  for (const WeightedNode& input : row.inputs) bits |= static_cast<uint64_t>(input.weight);
  return bits == 0 ? 63 : std::countr_zero(bits);
}

// Rounding that needs no adder of its own: none where no bit is lost, and half an LSB that rides
// along with the bias.
void FoldRounding(AlignedRow& row, FixedType& type) {
  const int dropped = row.fraction_bits - type.fraction_bits();
  if (dropped <= 0) return;
  if (dropped <= CommonZeros(row)) {
    type.quantization = Quantization::kTrn;
  } else if (type.quantization == Quantization::kRnd) {
    row.constant += int64_t{1} << std::min(dropped - 1, 60);
    type.quantization = Quantization::kTrn;
  }
}

// Rows as signed digits of the inputs, subexpressions shared, then trees.
std::vector<Term> BuildSharedSums(const std::vector<AlignedRow>& rows, const MatrixOptions& options,
                                  Graph& graph) {
  std::vector<std::vector<Term>> terms(rows.size());
  std::vector<int64_t> constants;
  for (size_t r = 0; r < rows.size(); ++r) {
    constants.push_back(rows[r].constant);
    for (const WeightedNode& input : rows[r].inputs) {
      const Range& range = graph.node(input.node).range;
      if (range.IsConstant()) {
        constants[r] += input.weight * range.low;
        continue;
      }
      for (const CsdDigit& digit : CsdDigits(input.weight)) {
        terms[r].push_back({input.node, digit.position, digit.negative});
      }
    }
  }
  SubexpressionSharing(graph, options.extra_levels).Share(terms);
  AdderTreeBuilder trees(graph, {.allowed = false});
  std::vector<Term> sums;
  for (size_t r = 0; r < rows.size(); ++r) {
    sums.push_back(trees.RowOfTerms(std::move(terms[r]), constants[r]));
  }
  return sums;
}

std::vector<Term> BuildSums(const std::vector<AlignedRow>& rows, const MatrixOptions& options,
                            Graph& graph) {
  if (options.share_subexpressions) return BuildSharedSums(rows, options, graph);
  AdderTreeBuilder trees(graph, options.rule);
  std::vector<Term> sums;
  for (const AlignedRow& row : rows) sums.push_back(trees.Row(row.inputs, row.constant));
  return sums;
}

}  // namespace

absl::StatusOr<std::vector<GraphSignal>> LowerMatrix(const Layer& layer,
                                                     const std::vector<MatrixRow>& rows,
                                                     const std::vector<GraphSignal>& values,
                                                     const std::vector<bool>& needed,
                                                     const MatrixOptions& options, Graph& graph) {
  ASSIGN_OR_RETURN(const nn::TensorType* result_type, FindType(layer, "result"));
  const auto accumulator = layer.types.find("accumulator");
  const int64_t channels = layer.output_shape.empty() ? 1 : layer.output_shape.back();
  std::vector<GraphSignal> results(rows.size());
  std::vector<size_t> outputs;
  std::vector<AlignedRow> aligned;
  std::vector<FixedType> types;
  for (size_t o = 0; o < rows.size(); ++o) {
    if (!needed[o]) continue;
    ASSIGN_OR_RETURN(AlignedRow row, Align(layer, rows[o], values, graph));
    if (accumulator != layer.types.end() &&
        !HoldsExactly(ElementType(accumulator->second, o, rows.size(), channels), row.fraction_bits,
                      row.exact)) {
      return absl::UnimplementedError(absl::StrCat(
          "layer \"", layer.name, "\": the accumulator ", FixedTypeToText(accumulator->second.type),
          " is narrower than exact; hardware keeps exact accumulators: leave the type out"));
    }
    FixedType type = ElementType(*result_type, o, rows.size(), channels);
    results[o].fraction_bits = type.fraction_bits();
    FoldRounding(row, type);
    outputs.push_back(o);
    aligned.push_back(std::move(row));
    types.push_back(type);
  }
  const std::vector<Term> sums = BuildSums(aligned, options, graph);
  for (size_t k = 0; k < outputs.size(); ++k) {
    const int dropped = aligned[k].fraction_bits - types[k].fraction_bits();
    results[outputs[k]].node = graph.Cast(sums[k].node, dropped - sums[k].shift, types[k]);
  }
  RETURN_IF_ERROR_WITH(graph.status(), absl::StrCat("layer \"", layer.name, "\""));
  return results;
}

absl::StatusOr<std::vector<std::vector<int>>> SourcesOfElements(const Layer& layer,
                                                                const nn::Shape& input_shape) {
  std::vector<std::vector<int>> sources(nn::ElementCount(layer.output_shape));
  if (layer.op == Op::kRelu || layer.op == Op::kQuantize) {
    for (size_t e = 0; e < sources.size(); ++e) sources[e] = {static_cast<int>(e)};
  } else if (fixedpoint::OnlyMoves(layer.op)) {
    const auto moves = fixedpoint::SourcesOf(layer, {input_shape});
    for (size_t e = 0; e < sources.size(); ++e) {
      if (moves[e].element != fixedpoint::kPadding) sources[e] = {moves[e].element};
    }
  } else if (layer.op == Op::kMaxPool || layer.op == Op::kGlobalMaxPool) {
    ASSIGN_OR_RETURN(const fixedpoint::PoolGeometry pool,
                     fixedpoint::PoolGeometryOf(layer, input_shape));
    for (size_t e = 0; e < sources.size(); ++e) {
      sources[e].assign(pool.elements.begin() + pool.begin[e],
                        pool.elements.begin() + pool.begin[e + 1]);
    }
  } else {
    return absl::UnimplementedError(
        absl::StrCat("layer \"", layer.name, "\": no hardware for ", nn::OpName(layer.op), " yet"));
  }
  return sources;
}

absl::StatusOr<std::vector<GraphSignal>> LowerElements(const Layer& layer,
                                                       const std::vector<std::vector<int>>& sources,
                                                       const std::vector<GraphSignal>& values,
                                                       const std::vector<bool>& needed,
                                                       Graph& graph) {
  const auto type = layer.types.find("result");
  const int64_t channels = layer.output_shape.empty() ? 1 : layer.output_shape.back();
  std::vector<GraphSignal> results(sources.size());
  for (size_t e = 0; e < results.size(); ++e) {
    if (!needed[e]) continue;
    GraphSignal& signal = results[e];
    for (int source : sources[e]) {
      signal.fraction_bits = std::max(signal.fraction_bits, values[source].fraction_bits);
    }
    std::vector<int> nodes;
    for (int source : sources[e]) {
      nodes.push_back(
          graph.Shift(values[source].node, signal.fraction_bits - values[source].fraction_bits));
    }
    while (nodes.size() > 1) {
      std::vector<int> next;
      for (size_t i = 0; i + 1 < nodes.size(); i += 2) {
        next.push_back(graph.Maximum(nodes[i], nodes[i + 1]));
      }
      if (nodes.size() % 2 == 1) next.push_back(nodes.back());
      nodes = std::move(next);
    }
    signal.node = nodes.empty() ? graph.Constant(0) : nodes[0];
    if (layer.op == Op::kRelu) signal.node = graph.Maximum(graph.Constant(0), signal.node);
    if (type == layer.types.end()) continue;
    const FixedType& to = ElementType(type->second, e, results.size(), channels);
    signal.node = graph.Cast(signal.node, signal.fraction_bits - to.fraction_bits(), to);
    signal.fraction_bits = to.fraction_bits();
  }
  RETURN_IF_ERROR_WITH(graph.status(), absl::StrCat("layer \"", layer.name, "\""));
  return results;
}

}  // namespace dovetail::hardware
