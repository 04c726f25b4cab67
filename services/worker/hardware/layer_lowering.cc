#include "services/worker/hardware/layer_lowering.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
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

// Dense over the last dimension, at each position of the leading ones.
absl::StatusOr<std::vector<MatrixRow>> DenseMatrix(const Layer& layer, const nn::Shape& shape) {
  const nn::Tensor& kernel = layer.parameters.at("kernel");
  const int64_t n_in = kernel.shape[0];
  const int64_t n_out = kernel.shape[1];
  const int64_t positions = nn::ElementCount(shape) / n_in;
  ASSIGN_OR_RETURN(const nn::TensorType* kernel_type, FindType(layer, "kernel"));
  const auto bias = layer.parameters.find("bias");
  const nn::TensorType* bias_type = nullptr;
  if (bias != layer.parameters.end()) {
    ASSIGN_OR_RETURN(bias_type, FindType(layer, "bias"));
  }
  std::vector<MatrixRow> rows(positions * n_out);
  for (int64_t j = 0; j < n_out; ++j) {
    MatrixRow row;
    for (int64_t i = 0; i < n_in; ++i) {
      const int64_t index = i * n_out + j;
      const float value = kernel.values[index];
      if (value == 0) continue;
      const FixedType& type = ElementType(*kernel_type, index, n_in * n_out, n_out);
      ASSIGN_OR_RETURN(const int64_t raw, RawOf(layer, "weight", value, type));
      row.entries.push_back({static_cast<int>(i), raw, type.fraction_bits()});
    }
    if (bias_type != nullptr) {
      const FixedType& type = ElementType(*bias_type, j, n_out, n_out);
      ASSIGN_OR_RETURN(row.bias, RawOf(layer, "bias", bias->second.values[j], type));
      row.bias_fraction_bits = type.fraction_bits();
    }
    for (int64_t p = 0; p < positions; ++p) {
      MatrixRow& at = rows[p * n_out + j];
      at = row;
      for (MatrixRow::Entry& entry : at.entries) entry.input += static_cast<int>(p * n_in);
    }
  }
  return rows;
}

}  // namespace

bool HasMatrix(Op op) { return op == Op::kDense; }

bool IsElementwise(Op op) {
  return op == Op::kRelu || op == Op::kQuantize || op == Op::kFlatten || op == Op::kReshape;
}

const FixedType& ElementType(const nn::TensorType& type, int64_t index, int64_t element_count,
                             int64_t channels) {
  const int64_t count = static_cast<int64_t>(type.elements.size());
  if (count == 0) return type.type;
  if (count == element_count) return type.elements[index];
  return type.elements[index % std::min(count, std::max<int64_t>(1, channels))];
}

absl::StatusOr<std::vector<MatrixRow>> MatrixOf(const Layer& layer, const nn::Shape& input_shape) {
  if (layer.op == Op::kDense) return DenseMatrix(layer, input_shape);
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

absl::StatusOr<std::vector<GraphSignal>> LowerElementwise(const Layer& layer,
                                                          const std::vector<GraphSignal>& values,
                                                          Graph& graph) {
  if (!IsElementwise(layer.op)) {
    return absl::UnimplementedError(
        absl::StrCat("layer \"", layer.name, "\": no hardware for ", nn::OpName(layer.op), " yet"));
  }
  const auto type = layer.types.find("result");
  const int64_t channels = layer.output_shape.empty() ? 1 : layer.output_shape.back();
  std::vector<GraphSignal> results = values;
  for (size_t i = 0; i < results.size(); ++i) {
    GraphSignal& signal = results[i];
    if (signal.node < 0) continue;
    if (layer.op == Op::kRelu) signal.node = graph.Maximum(graph.Constant(0), signal.node);
    if (type != layer.types.end()) {
      const FixedType& to = ElementType(type->second, i, results.size(), channels);
      signal.node = graph.Cast(signal.node, signal.fraction_bits - to.fraction_bits(), to);
      signal.fraction_bits = to.fraction_bits();
    }
  }
  RETURN_IF_ERROR_WITH(graph.status(), absl::StrCat("layer \"", layer.name, "\""));
  return results;
}

}  // namespace dovetail::hardware
