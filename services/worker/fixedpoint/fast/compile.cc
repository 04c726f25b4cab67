#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/worker/fixedpoint/accumulator.h"
#include "services/worker/fixedpoint/dyadic.h"
#include "services/worker/fixedpoint/fast/cast_plan.h"
#include "services/worker/fixedpoint/fast/program.h"
#include "services/worker/fixedpoint/layer_geometry.h"

namespace dovetail::fixedpoint::fast {
namespace {

using nn::Layer;
using nn::Op;
using nn::TensorType;

constexpr RowOffset kZeroRow = 0;

Interval Union(const Interval& a, const Interval& b) {
  return {std::min(a.low, b.low), std::max(a.high, b.high)};
}

Interval Scaled(const Interval& x, Wide factor) {
  return {std::min(x.low * factor, x.high * factor), std::max(x.low * factor, x.high * factor)};
}

bool Equal(const CastParams& a, const CastParams& b) {
  return a.add == b.add && a.add_if_negative == b.add_if_negative && a.odd == b.odd &&
         a.low == b.low && a.high == b.high && a.wrap_offset == b.wrap_offset &&
         a.wrap_mask == b.wrap_mask && a.left == b.left && a.right == b.right &&
         a.overflow == b.overflow;
}

bool Equal(const AffineParams& a, const AffineParams& b) {
  return a.if_positive == b.if_positive && a.if_negative == b.if_negative && a.offset == b.offset &&
         a.clamp_low == b.clamp_low && a.clamp_high == b.clamp_high && a.has_clamp == b.has_clamp;
}

// One entry where all are equal.
template <typename Params>
void Compress(std::vector<Params>& params) {
  for (const Params& one : params) {
    if (!Equal(one, params[0])) return;
  }
  if (!params.empty()) params.resize(1);
}

absl::Status Beyond(const Layer& layer, absl::string_view what) {
  return absl::UnimplementedError(absl::StrCat("layer \"", layer.name, "\": ", what));
}

class Compiler {
 public:
  explicit Compiler(const nn::Network& network) : network_(network) {}

  absl::StatusOr<Program> Run() {
    const int logits = network_.LogitsIndex();
    const std::vector<int> inputs = network_.InputIndices();
    if (logits < 0 || inputs.size() != 1) {
      return absl::InvalidArgumentError("the engine runs networks with one input");
    }
    program_.arena_bytes = kTile * LaneBytes(kLane64);  // the row of zeros
    tensors_.resize(static_cast<size_t>(logits) + 1);
    for (int i = 0; i <= logits; ++i) RETURN_IF_ERROR(CompileLayer(i, logits));
    program_.input = tensors_[inputs[0]];
    program_.logits = tensors_[logits];
    return std::move(program_);
  }

 private:
  const TensorPlan& Input(const Layer& layer, size_t i) const {
    return tensors_[network_.IndexOf(layer.inputs[i])];
  }

  absl::Status CompileLayer(int index, int logits) {
    const Layer& layer = network_.layers[index];
    ASSIGN_OR_RETURN(const TensorType* type, TypeOf(layer, "result"));
    TensorPlan& tensor = tensors_[index];
    if (!tensor.rows.empty()) return absl::OkStatus();  // fused into the layer before
    tensor.type = *type;
    switch (layer.op) {
      case Op::kInput:
        for (int64_t e = 0; e < nn::ElementCount(layer.output_shape); ++e) {
          tensor.ranges.push_back(RangeOf(TypeAt(*type, e)));
        }
        return Allocate(layer, tensor);
      case Op::kDense:
      case Op::kConv1D:
      case Op::kConv2D:
        return CompileMatrix(index, logits);
      case Op::kMaxPool:
      case Op::kAveragePool:
      case Op::kGlobalMaxPool:
      case Op::kGlobalAveragePool:
        return CompilePool(layer, tensor);
      case Op::kAdd:
        if (layer.inputs.size() > 1) return CompileAdd(layer, tensor);
        return CompileElements(layer, tensor);
      default:
        if (OnlyMoves(layer.op)) return CompileMoves(layer, tensor);
        return CompileElements(layer, tensor);
    }
  }

  // Lane by the ranges, a row per element.
  absl::Status Allocate(const Layer& layer, TensorPlan& tensor) {
    int bits = 16;
    for (const Interval& range : tensor.ranges) bits = std::max(bits, LaneBits(range));
    if (bits > 64) return Beyond(layer, "its values need more than 64-bit lanes");
    tensor.lane = bits == 16 ? kLane16 : bits == 32 ? kLane32 : kLane64;
    const int64_t row_bytes = kTile * LaneBytes(tensor.lane);
    for (size_t e = 0; e < tensor.ranges.size(); ++e) {
      tensor.rows.push_back(program_.arena_bytes);
      program_.arena_bytes += row_bytes;
    }
    if (program_.arena_bytes > (int64_t{1} << 31)) return Beyond(layer, "it is too large");
    return absl::OkStatus();
  }

  absl::Status CompileMoves(const Layer& layer, TensorPlan& tensor) {
    std::vector<nn::Shape> shapes;
    for (const std::string& name : layer.inputs) {
      shapes.push_back(network_.Find(name)->output_shape);
    }
    ElementOp op;
    std::vector<FixedType> from;
    bool alias = true;
    op.in_lane = Input(layer, 0).lane;
    for (const ElementSource& source : SourcesOf(layer, shapes)) {
      const TensorPlan& input = Input(layer, static_cast<size_t>(source.input));
      const int64_t e = static_cast<int64_t>(op.in.size());
      const FixedType& to = TypeAt(tensor.type, e);
      const bool padding = source.element == kPadding;
      from.push_back(padding ? to : TypeAt(input.type, source.element));
      op.in.push_back(padding ? kZeroRow : input.rows[source.element]);
      tensor.ranges.push_back(padding ? Interval() : input.ranges[source.element]);
      alias = alias && from.back() == to && input.lane == op.in_lane;
      if (input.lane != op.in_lane) return Beyond(layer, "its inputs have different lanes");
    }
    if (alias) {
      tensor.rows = std::move(op.in);
      tensor.lane = op.in_lane;
      return absl::OkStatus();
    }
    op.affine.resize(1);
    return FinishElements(layer, tensor, std::move(op), tensor.ranges, from);
  }

  // `before`: ranges after the affine part, at the fraction bits of `from`.
  absl::Status FinishElements(const Layer& layer, TensorPlan& tensor, ElementOp op,
                              std::vector<Interval> before, const std::vector<FixedType>& from) {
    std::vector<Interval> results;
    for (size_t e = 0; e < before.size(); ++e) {
      const CastPlan plan = PlanCast(before[e], from[e].fraction_bits(),
                                     TypeAt(tensor.type, static_cast<int64_t>(e)));
      if (plan.bits > 64) return Beyond(layer, "it needs more than 64 bits");
      op.in_64_bits = op.in_64_bits || plan.bits == 64 || LaneBits(before[e]) == 64;
      op.cast.push_back(plan.params);
      results.push_back(plan.result);
    }
    op.in_64_bits = op.in_64_bits || op.in_lane == kLane64;
    tensor.ranges = std::move(results);
    RETURN_IF_ERROR(Allocate(layer, tensor));
    op.out = tensor.rows;
    op.out_lane = tensor.lane;
    Compress(op.affine);
    Compress(op.cast);
    program_.steps.push_back({Step::kElement, static_cast<int>(program_.elements.size())});
    program_.elements.push_back(std::move(op));
    return absl::OkStatus();
  }

  struct AlignedParameter {
    std::vector<int64_t> raws;
    TensorType type;
    Wide Raw(int64_t e) const {
      const int64_t at = e % static_cast<int64_t>(raws.size());
      return WideRaw(raws[at], TypeAt(type, at));
    }
    int Bits(int64_t e) const {
      return TypeAt(type, e % static_cast<int64_t>(raws.size())).fraction_bits();
    }
  };

  static absl::StatusOr<AlignedParameter> Parameter(const Layer& layer, const std::string& name) {
    AlignedParameter parameter;
    if (!layer.parameters.contains(name)) return parameter;
    ASSIGN_OR_RETURN(parameter.raws, RawParameter(layer, name));
    parameter.type = layer.types.at(name);
    return parameter;
  }

  absl::Status CompileElements(const Layer& layer, TensorPlan& tensor) {
    AlignedParameter scale, offset, alpha;
    ASSIGN_OR_RETURN(scale, Parameter(layer, "scale"));
    ASSIGN_OR_RETURN(offset, Parameter(layer, "offset"));
    ASSIGN_OR_RETURN(alpha, Parameter(layer, "alpha"));
    if (layer.op == Op::kLeakyRelu) {
      ASSIGN_OR_RETURN(const LeakySlope slope, LeakySlopeOf(layer));
      alpha.raws = {slope.raw};
      alpha.type.type = slope.type;
    }
    switch (layer.op) {
      case Op::kRelu:
      case Op::kLeakyRelu:
      case Op::kPRelu:
      case Op::kQuantize:
      case Op::kBatchNormalization:
      case Op::kMultiply:
      case Op::kAdd:
      case Op::kHardTanh:
        break;
      default:
        return Beyond(layer, absl::StrCat("the engine does not run ", nn::OpName(layer.op)));
    }
    const TensorPlan& input = Input(layer, 0);
    ElementOp op;
    op.in = input.rows;
    op.in_lane = input.lane;
    std::vector<Interval> ranges;
    std::vector<FixedType> types;
    for (size_t i = 0; i < input.rows.size(); ++i) {
      const int64_t e = static_cast<int64_t>(i);
      int bits = TypeAt(input.type, e).fraction_bits();
      Wide positive = 1, negative = 1, added = 0;
      AffineParams params;
      if (!scale.raws.empty()) {
        positive = negative = scale.Raw(e);
        bits += scale.Bits(e);
      }
      if (layer.op == Op::kRelu) negative = 0;
      if (!alpha.raws.empty()) {
        negative = alpha.Raw(e);
        const int alpha_bits = alpha.Bits(e);
        if (alpha_bits < 0 || alpha_bits > 40) return Beyond(layer, "its alpha is out of range");
        positive = static_cast<Wide>(1) << alpha_bits;
        bits += alpha_bits;
      }
      if (!offset.raws.empty()) {
        const int common = std::max(bits, offset.Bits(e));
        if (common - bits > 40 || common - offset.Bits(e) > 60) {
          return Beyond(layer, "its offset is out of range");
        }
        positive = negative = ShiftLeft(positive, common - bits);
        added = ShiftLeft(offset.Raw(e), common - offset.Bits(e));
        bits = common;
      }
      if (layer.op == Op::kQuantize && layer.attributes["bipolar"].AsBool()) {
        positive = negative = 2;
        added = 1;
        params.has_clamp = 1;
        params.clamp_low = -1;
        params.clamp_high = 1;
        bits = TypeAt(tensor.type, e).fraction_bits();
      }
      if (layer.op == Op::kHardTanh) {
        RETURN_IF_ERROR(SetClip(layer, bits, positive, params));
        negative = positive;
      }
      const Interval x = input.ranges[i];
      const Interval scaled =
          Union(Scaled({std::max<Wide>(x.low, 0), std::max<Wide>(x.high, 0)}, positive),
                Scaled({std::min<Wide>(x.low, 0), std::min<Wide>(x.high, 0)}, negative));
      Interval range = {scaled.low + added, scaled.high + added};
      const int needed = std::max(LaneBits(range), LaneBits(scaled));
      if (needed > 64 || LaneBits({positive, positive}) > 64 ||
          LaneBits({std::min(negative, added), std::max(negative, added)}) > 64) {
        return Beyond(layer, "it needs more than 64 bits");
      }
      op.in_64_bits = op.in_64_bits || needed == 64 || LaneBits({positive, positive}) == 64 ||
                      LaneBits({std::min(negative, added), std::max(negative, added)}) == 64;
      if (params.has_clamp != 0) {
        range = {std::clamp<Wide>(range.low, params.clamp_low, params.clamp_high),
                 std::clamp<Wide>(range.high, params.clamp_low, params.clamp_high)};
        op.in_64_bits = op.in_64_bits || LaneBits({params.clamp_low, params.clamp_high}) == 64;
      }
      params.if_positive = static_cast<int64_t>(positive);
      params.if_negative = static_cast<int64_t>(negative);
      params.offset = static_cast<int64_t>(added);
      op.affine.push_back(params);
      ranges.push_back(range);
      types.push_back({.width_bits = 64, .integer_bits = 64 - bits});
    }
    return FinishElements(layer, tensor, std::move(op), std::move(ranges), types);
  }

  // A clip to the attributes' limits, at fraction bits that hold them exactly.
  static absl::Status SetClip(const Layer& layer, int& bits, Wide& factor, AffineParams& params) {
    const Dyadic low = DyadicOf(layer.attributes["minimum"].AsNumber());
    const Dyadic high = DyadicOf(layer.attributes["maximum"].AsNumber());
    const int common = std::max({bits, low.bits, high.bits});
    if (common - bits > 40 || common > 50) return Beyond(layer, "its limits are out of range");
    const Interval limits = {ShiftLeft(low.raw, common - low.bits),
                             ShiftLeft(high.raw, common - high.bits)};
    if (LaneBits(limits) > 64) return Beyond(layer, "its limits are out of range");
    factor = static_cast<Wide>(1) << (common - bits);
    bits = common;
    params.has_clamp = 1;
    params.clamp_low = static_cast<int64_t>(limits.low);
    params.clamp_high = static_cast<int64_t>(limits.high);
    return absl::OkStatus();
  }

  // One output element of a combination of rows; fraction bits are aligned by shifts.
  struct Term {
    RowOffset row;
    Lane lane;
    Interval range;
    int bits;
  };

  absl::Status AddCombination(const Layer& layer, const std::vector<Term>& terms, int64_t divisor,
                              const FixedType& to, CombineOp& op, std::vector<Interval>& results) {
    int bits = terms[0].bits;
    for (const Term& term : terms) bits = std::max(bits, term.bits);
    Interval total;
    for (size_t i = 0; i < terms.size(); ++i) {
      const int shift = bits - terms[i].bits;
      if (shift > 40) return Beyond(layer, "its inputs' fractions differ too much");
      const Interval one = Scaled(terms[i].range, static_cast<Wide>(1) << shift);
      // A maximum stays inside the union; a sum may pass any subset's sum on the way.
      if (op.is_max) {
        total = i == 0 ? one : Union(total, one);
      } else {
        total = {total.low + std::min<Wide>(one.low, 0), total.high + std::max<Wide>(one.high, 0)};
      }
      op.in.push_back(terms[i].row);
      op.lanes.push_back(terms[i].lane);
      op.shifts.push_back(shift);
      op.in_64_bits = op.in_64_bits || terms[i].lane == kLane64;
    }
    if (LaneBits(total) > 64 || (divisor > 1 && LaneBits(Scaled(total, 1 << 20)) > 64)) {
      return Beyond(layer, "its sums need more than 64 bits");
    }
    op.in_64_bits = op.in_64_bits || LaneBits(total) == 64;
    if (divisor > 1) total = {total.low / divisor, total.high / divisor};
    const CastPlan plan = PlanCast(total, bits, to);
    if (plan.bits > 64) return Beyond(layer, "it needs more than 64 bits");
    op.in_64_bits = op.in_64_bits || plan.bits == 64;
    op.cast.push_back(plan.params);
    op.divisor.push_back(divisor);
    op.begin.push_back(static_cast<int64_t>(op.in.size()));
    results.push_back(plan.result);
    return absl::OkStatus();
  }

  absl::Status FinishCombine(const Layer& layer, TensorPlan& tensor, CombineOp op) {
    RETURN_IF_ERROR(Allocate(layer, tensor));
    op.out = tensor.rows;
    op.out_lane = tensor.lane;
    Compress(op.cast);
    program_.steps.push_back({Step::kCombine, static_cast<int>(program_.combines.size())});
    program_.combines.push_back(std::move(op));
    return absl::OkStatus();
  }

  absl::Status CompileAdd(const Layer& layer, TensorPlan& tensor) {
    CombineOp op;
    op.begin = {0};
    std::vector<Term> terms;
    for (int64_t e = 0; e < nn::ElementCount(layer.output_shape); ++e) {
      terms.clear();
      for (size_t i = 0; i < layer.inputs.size(); ++i) {
        const TensorPlan& input = Input(layer, i);
        terms.push_back(
            {input.rows[e], input.lane, input.ranges[e], TypeAt(input.type, e).fraction_bits()});
      }
      RETURN_IF_ERROR(AddCombination(layer, terms, 1, TypeAt(tensor.type, e), op, tensor.ranges));
    }
    return FinishCombine(layer, tensor, std::move(op));
  }

  absl::Status CompilePool(const Layer& layer, TensorPlan& tensor) {
    const TensorPlan& input = Input(layer, 0);
    ASSIGN_OR_RETURN(const PoolGeometry geometry,
                     PoolGeometryOf(layer, network_.Find(layer.inputs[0])->output_shape));
    CombineOp op;
    op.is_max = layer.op == Op::kMaxPool || layer.op == Op::kGlobalMaxPool;
    op.begin = {0};
    std::vector<Term> terms;
    for (int64_t e = 0; e < nn::ElementCount(layer.output_shape); ++e) {
      terms.clear();
      for (int64_t i = geometry.begin[e]; i < geometry.begin[e + 1]; ++i) {
        const int32_t element = geometry.elements[i];
        terms.push_back({input.rows[element], input.lane, input.ranges[element],
                         TypeAt(input.type, element).fraction_bits()});
      }
      const int64_t divisor = op.is_max ? 1 : geometry.divisor[e];
      RETURN_IF_ERROR(
          AddCombination(layer, terms, divisor, TypeAt(tensor.type, e), op, tensor.ranges));
    }
    return FinishCombine(layer, tensor, std::move(op));
  }

  // The only reader of layer `index`, where it is a ReLU that the matrix step can do too; else -1.
  int FusableRelu(int index, int logits) const {
    if (index == logits) return -1;
    int reader = -1;
    for (int i = index + 1; i <= logits; ++i) {
      for (const std::string& input : network_.layers[i].inputs) {
        if (input != network_.layers[index].name) continue;
        if (reader >= 0) return -1;
        reader = i;
      }
    }
    if (reader < 0 || network_.layers[reader].op != Op::kRelu) return -1;
    return network_.layers[reader].types.contains("result") ? reader : -1;
  }

  struct MatrixPlan {
    MatrixGeometry geometry;
    std::vector<Wide> weights;   // aligned; [rows x all columns]
    std::vector<Wide> bias;      // aligned; [all columns]
    std::vector<Interval> sums;  // per column, of any subset of terms
    std::vector<int64_t> kept;   // rows with a weight other than 0, of any group
    int fraction_bits = 0;
  };

  absl::StatusOr<MatrixPlan> PlanMatrix(const Layer& layer) const {
    MatrixPlan plan;
    const TensorPlan& input = Input(layer, 0);
    ASSIGN_OR_RETURN(plan.geometry,
                     MatrixGeometryOf(layer, network_.Find(layer.inputs[0])->output_shape));
    AlignedParameter kernel, bias;
    ASSIGN_OR_RETURN(kernel, Parameter(layer, "kernel"));
    ASSIGN_OR_RETURN(bias, Parameter(layer, "bias"));
    plan.fraction_bits = AccumulatorFractionBits(layer, input.type);
    const MatrixGeometry& g = plan.geometry;
    const int64_t all_columns = g.columns * g.groups;
    plan.weights.resize(static_cast<size_t>(g.rows * all_columns));
    plan.sums.resize(static_cast<size_t>(all_columns));
    for (int64_t r = 0; r < g.rows; ++r) {
      bool used = false;
      for (int64_t group = 0; group < g.groups; ++group) {
        Interval range;
        int bits = 0;
        bool seen = false;
        for (int64_t p = 0; p < g.positions; ++p) {
          const int32_t element = g.elements[(p * g.groups + group) * g.rows + r];
          if (element == kPadding) continue;
          const int one = TypeAt(input.type, element).fraction_bits();
          if (seen && one != bits) return Beyond(layer, "an input's type differs by position");
          range = Union(range, input.ranges[element]);
          bits = one;
          seen = true;
        }
        if (!seen) continue;
        for (int64_t c = 0; c < g.columns; ++c) {
          const int64_t column = group * g.columns + c;
          const int64_t at = r * all_columns + column;
          const Wide raw = kernel.Raw(at);
          if (raw == 0) continue;
          const int shift = plan.fraction_bits - bits - kernel.Bits(at);
          if (shift > 40) return Beyond(layer, "its types' fractions differ too much");
          used = true;
          plan.weights[at] = ShiftLeft(raw, shift);
          if (LaneBits({plan.weights[at], plan.weights[at]}) > 64) {
            return Beyond(layer, "its weights need more than 64 bits");
          }
          const Interval product = Scaled(range, plan.weights[at]);
          plan.sums[column].low += std::min<Wide>(product.low, 0);
          plan.sums[column].high += std::max<Wide>(product.high, 0);
        }
      }
      if (used) plan.kept.push_back(r);
    }
    plan.bias.resize(static_cast<size_t>(all_columns));
    for (int64_t column = 0; column < all_columns && !bias.raws.empty(); ++column) {
      const int shift = plan.fraction_bits - bias.Bits(column);
      if (shift > 60) return Beyond(layer, "its bias is out of range");
      plan.bias[column] = ShiftLeft(bias.Raw(column), shift);
      plan.sums[column].low += std::min<Wide>(plan.bias[column], 0);
      plan.sums[column].high += std::max<Wide>(plan.bias[column], 0);
    }
    for (const Interval& sum : plan.sums) {
      if (LaneBits(sum) > 64) return Beyond(layer, "its sums need more than 64 bits");
    }
    return plan;
  }

  // A narrower accumulator is only covered where it loses nothing.
  static absl::Status CheckAccumulator(const Layer& layer, const MatrixPlan& plan) {
    const auto it = layer.types.find("accumulator");
    if (it == layer.types.end()) return absl::OkStatus();
    for (size_t column = 0; column < plan.sums.size(); ++column) {
      const FixedType& type = TypeAt(it->second, static_cast<int64_t>(column));
      const int shift = type.fraction_bits() - plan.fraction_bits;
      if (shift < 0 || shift > 60 || ShiftLeft(plan.sums[column].low, shift) < MinRaw(type) ||
          ShiftLeft(plan.sums[column].high, shift) > MaxRaw(type)) {
        return Beyond(layer, "its accumulator rounds or overflows on the way");
      }
    }
    return absl::OkStatus();
  }

  static bool FitsIn16(const TensorPlan& input, const MatrixPlan& plan) {
    if (input.lane != kLane16) return false;
    for (const Wide& weight : plan.weights) {
      if (LaneBits({weight, weight}) > 16) return false;
    }
    for (const Interval& sum : plan.sums) {
      if (LaneBits(sum) > 32) return false;
    }
    return true;
  }

  static void PackWeights(const MatrixPlan& plan, MatrixOp& op) {
    const int64_t all_columns = op.columns * op.groups;
    const auto weight = [&plan, all_columns](int64_t kept, int64_t column) {
      if (kept >= static_cast<int64_t>(plan.kept.size())) return Wide{0};
      return plan.weights[plan.kept[kept] * all_columns + column];
    };
    for (int64_t group = 0; group < op.groups; ++group) {
      for (int64_t start = 0; start < op.columns; start += kBlockOutputs) {
        const int64_t count = std::min<int64_t>(kBlockOutputs, op.columns - start);
        const int64_t first = group * op.columns + start;
        for (int64_t o = 0; o < count; ++o) {
          op.bias16.push_back(static_cast<int32_t>(plan.bias[first + o]));
          op.bias64.push_back(static_cast<int64_t>(plan.bias[first + o]));
        }
        for (int64_t k = 0; k < op.rows; k += op.in_16_bits ? 2 : 1) {
          for (int64_t o = 0; o < count; ++o) {
            if (!op.in_16_bits) {
              op.weights64.push_back(static_cast<int64_t>(weight(k, first + o)));
              continue;
            }
            const uint32_t low = static_cast<uint16_t>(weight(k, first + o));
            const uint32_t high = static_cast<uint16_t>(weight(k + 1, first + o));
            op.weights16.push_back(static_cast<int32_t>(low | (high << 16)));
          }
        }
      }
    }
  }

  absl::Status CompileMatrix(int index, int logits) {
    const Layer& layer = network_.layers[index];
    const TensorPlan& input = Input(layer, 0);
    ASSIGN_OR_RETURN(const MatrixPlan plan, PlanMatrix(layer));
    RETURN_IF_ERROR(CheckAccumulator(layer, plan));
    const MatrixGeometry& g = plan.geometry;
    MatrixOp op;
    op.in_16_bits = FitsIn16(input, plan);
    op.in_lane = input.lane;
    op.rows = static_cast<int64_t>(plan.kept.size());
    op.blocks = g.positions * g.groups;
    op.groups = g.groups;
    op.columns = g.columns;
    for (int64_t block = 0; block < op.blocks; ++block) {
      for (int64_t r : plan.kept) {
        const int32_t element = g.elements[block * g.rows + r];
        op.gather.push_back(element == kPadding ? kZeroRow : input.rows[element]);
      }
    }
    PackWeights(plan, op);
    program_.max_pairs = std::max(program_.max_pairs, (op.rows + 1) / 2);
    RETURN_IF_ERROR(PlanMatrixCasts(layer, plan, index, FusableRelu(index, logits), op));
    program_.steps.push_back({Step::kMatrix, static_cast<int>(program_.matrices.size())});
    program_.matrices.push_back(std::move(op));
    return absl::OkStatus();
  }

  // The cast to the layer's result and, where `relu` >= 0, the ReLU's after it.
  absl::Status PlanMatrixCasts(const Layer& layer, const MatrixPlan& plan, int index, int relu,
                               MatrixOp& op) {
    TensorPlan& own = tensors_[index];
    TensorPlan fused;
    if (relu >= 0) fused.type = network_.layers[relu].types.at("result");
    bool fusable = relu >= 0;
    op.cast_in_64 = !op.in_16_bits;
    bool first_in_64 = op.cast_in_64;
    bool second_in_64 = false;
    for (int64_t e = 0; e < op.blocks * op.columns; ++e) {
      const int64_t column = e % (op.columns * op.groups);
      const FixedType& to = TypeAt(own.type, e);
      CastPlan first = PlanCast(plan.sums[column], plan.fraction_bits, to);
      if (first.bits > 64) return Beyond(layer, "its result needs more than 64 bits");
      first_in_64 = first_in_64 || first.bits == 64;
      own.ranges.push_back(first.result);
      if (fusable) {
        const Interval positive = {std::max<Wide>(first.result.low, 0),
                                   std::max<Wide>(first.result.high, 0)};
        CastPlan second = PlanCast(positive, to.fraction_bits(), TypeAt(fused.type, e));
        if (second.is_inside) second.params.overflow = first.params.overflow;
        if (first.is_inside) first.params.overflow = second.params.overflow;
        fusable = second.bits <= 64 && first.params.overflow == second.params.overflow &&
                  first.params.overflow <= 1;
        second_in_64 = second_in_64 || second.bits == 64;
        fused.ranges.push_back(second.result);
        op.second.push_back(second.params);
      }
      op.first.push_back(first.params);
    }
    Compress(op.first);
    if (!fusable) {
      op.second.clear();
      op.cast_in_64 = first_in_64;
      RETURN_IF_ERROR(Allocate(layer, own));
      op.out = own.rows;
      op.out_lane = own.lane;
      return absl::OkStatus();
    }
    Compress(op.second);
    op.has_second = true;
    op.cast_in_64 = first_in_64 || second_in_64;
    RETURN_IF_ERROR(Allocate(layer, fused));
    op.out = fused.rows;
    op.out_lane = fused.lane;
    tensors_[relu] = std::move(fused);
    return absl::OkStatus();
  }

  const nn::Network& network_;
  Program program_;
  std::vector<TensorPlan> tensors_;
};

}  // namespace

absl::StatusOr<Program> Compile(const nn::Network& network) { return Compiler(network).Run(); }

}  // namespace dovetail::fixedpoint::fast
