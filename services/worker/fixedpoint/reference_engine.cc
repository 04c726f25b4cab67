#include "services/worker/fixedpoint/reference_engine.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/worker/fixedpoint/accumulator.h"
#include "services/worker/fixedpoint/dyadic.h"
#include "services/worker/fixedpoint/fixed_value.h"
#include "services/worker/fixedpoint/layer_geometry.h"
#include "services/worker/fixedpoint/parallel.h"
#include "services/worker/fixedpoint/tables.h"
#include "services/worker/fixedpoint/tensor_grid.h"

namespace dovetail::fixedpoint {
namespace {

using nn::ElementCount;
using nn::Layer;
using nn::Network;
using nn::Op;
using nn::TensorType;

using Raws = std::vector<int64_t>;

// One layer ready to run. `inputs` are the raw results of its input layers.
struct Step {
  std::vector<int> inputs;
  std::vector<TensorType> input_types;
  TensorType result_type;
  int64_t element_count = 0;
  std::function<void(const Step&, const std::vector<const Raws*>&, Raws&)> run;

  Wide Input(const std::vector<const Raws*>& inputs_raws, size_t i, int64_t e) const {
    return WideRaw((*inputs_raws[i])[e], TypeAt(input_types[i], e));
  }
  const FixedType& InputType(size_t i, int64_t e) const { return TypeAt(input_types[i], e); }
  int64_t Cast(Wide raw, int fraction_bits, int64_t e) const {
    return CastRaw(raw, fraction_bits, TypeAt(result_type, e));
  }
};

using RunFunction = decltype(Step::run);

Wide Aligned(Wide raw, int from_bits, int to_bits) { return ShiftLeft(raw, to_bits - from_bits); }

struct Matrix {
  MatrixGeometry geometry;
  Raws kernel, bias;
  TensorType kernel_type, bias_type;
  bool narrow = false;
  TensorType accumulator_type;
  int fraction_bits = 0;  // of the exact sum
};

int64_t ExactOutput(const Step& step, const Matrix& matrix, const std::vector<const Raws*>& in,
                    const int32_t* elements, int64_t column, int64_t out) {
  const int64_t columns = matrix.geometry.columns * matrix.geometry.groups;
  Wide sum = 0;
  for (int64_t r = 0; r < matrix.geometry.rows; ++r) {
    if (elements[r] == kPadding) continue;
    const int64_t w = r * columns + column;
    const FixedType& weight_type = TypeAt(matrix.kernel_type, w);
    const Wide product = step.Input(in, 0, elements[r]) * WideRaw(matrix.kernel[w], weight_type);
    sum += Aligned(product,
                   step.InputType(0, elements[r]).fraction_bits() + weight_type.fraction_bits(),
                   matrix.fraction_bits);
  }
  if (!matrix.bias.empty()) {
    const FixedType& bias_type = TypeAt(matrix.bias_type, column);
    sum += Aligned(WideRaw(matrix.bias[column], bias_type), bias_type.fraction_bits(),
                   matrix.fraction_bits);
  }
  return step.Cast(sum, matrix.fraction_bits, out);
}

int64_t NarrowOutput(const Step& step, const Matrix& matrix, const std::vector<const Raws*>& in,
                     const int32_t* elements, int64_t column, int64_t out) {
  const int64_t columns = matrix.geometry.columns * matrix.geometry.groups;
  const FixedType& accumulator = TypeAt(matrix.accumulator_type, column);
  const int bits = accumulator.fraction_bits();
  int64_t sum = 0;
  if (!matrix.bias.empty()) {
    const FixedType& bias_type = TypeAt(matrix.bias_type, column);
    sum = CastRaw(WideRaw(matrix.bias[column], bias_type), bias_type.fraction_bits(), accumulator);
  }
  for (int64_t r = 0; r < matrix.geometry.rows; ++r) {
    int64_t term = 0;
    if (elements[r] != kPadding) {
      const int64_t w = r * columns + column;
      const FixedType& weight_type = TypeAt(matrix.kernel_type, w);
      const Wide product = step.Input(in, 0, elements[r]) * WideRaw(matrix.kernel[w], weight_type);
      term = CastRaw(product,
                     step.InputType(0, elements[r]).fraction_bits() + weight_type.fraction_bits(),
                     accumulator);
    }
    sum = CastRaw(WideRaw(sum, accumulator) + WideRaw(term, accumulator), bits, accumulator);
  }
  return step.Cast(WideRaw(sum, accumulator), bits, out);
}

absl::StatusOr<RunFunction> MatrixStep(const Layer& layer, const Layer& input,
                                       const TensorType& input_type) {
  Matrix matrix;
  ASSIGN_OR_RETURN(matrix.geometry, MatrixGeometryOf(layer, input.output_shape));
  ASSIGN_OR_RETURN(matrix.kernel, RawParameter(layer, "kernel"));
  matrix.kernel_type = layer.types.at("kernel");
  if (layer.parameters.contains("bias")) {
    ASSIGN_OR_RETURN(matrix.bias, RawParameter(layer, "bias"));
    matrix.bias_type = layer.types.at("bias");
  }
  if (const auto it = layer.types.find("accumulator"); it != layer.types.end()) {
    matrix.narrow = true;
    matrix.accumulator_type = it->second;
  } else {
    for (const Interval& range : AccumulatorRanges(layer, input_type)) {
      if (BitsFor(range, true) > 125) {
        return absl::UnimplementedError(
            absl::StrCat("layer \"", layer.name, "\": its exact sum needs more than 126 bits"));
      }
    }
    matrix.fraction_bits = AccumulatorFractionBits(layer, input_type);
  }
  return [matrix](const Step& step, const std::vector<const Raws*>& in, Raws& out) {
    const MatrixGeometry& geometry = matrix.geometry;
    int64_t e = 0;
    for (int64_t block = 0; block < geometry.positions * geometry.groups; ++block) {
      const int32_t* elements = geometry.elements.data() + block * geometry.rows;
      for (int64_t c = 0; c < geometry.columns; ++c, ++e) {
        const int64_t column = block % geometry.groups * geometry.columns + c;
        out[e] = matrix.narrow ? NarrowOutput(step, matrix, in, elements, column, e)
                               : ExactOutput(step, matrix, in, elements, column, e);
      }
    }
  };
}

// x * scale + offset; either may be absent.
absl::StatusOr<RunFunction> ScaleStep(const Layer& layer) {
  Raws scale, offset;
  TensorType scale_type, offset_type;
  if (layer.parameters.contains("scale")) {
    ASSIGN_OR_RETURN(scale, RawParameter(layer, "scale"));
    scale_type = layer.types.at("scale");
  }
  if (layer.parameters.contains("offset")) {
    ASSIGN_OR_RETURN(offset, RawParameter(layer, "offset"));
    offset_type = layer.types.at("offset");
  }
  return [=](const Step& step, const std::vector<const Raws*>& in, Raws& out) {
    for (int64_t e = 0; e < step.element_count; ++e) {
      Wide value = step.Input(in, 0, e);
      int bits = step.InputType(0, e).fraction_bits();
      if (!scale.empty()) {
        const int64_t s = e % static_cast<int64_t>(scale.size());
        value *= WideRaw(scale[s], TypeAt(scale_type, s));
        bits += TypeAt(scale_type, s).fraction_bits();
      }
      if (!offset.empty()) {
        const int64_t o = e % static_cast<int64_t>(offset.size());
        const FixedType& type = TypeAt(offset_type, o);
        const int common = std::max(bits, type.fraction_bits());
        value = Aligned(value, bits, common) +
                Aligned(WideRaw(offset[o], type), type.fraction_bits(), common);
        bits = common;
      }
      out[e] = step.Cast(value, bits, e);
    }
  };
}

RunFunction AddStep() {
  return [](const Step& step, const std::vector<const Raws*>& in, Raws& out) {
    for (int64_t e = 0; e < step.element_count; ++e) {
      int bits = step.InputType(0, e).fraction_bits();
      for (size_t i = 1; i < in.size(); ++i) {
        bits = std::max(bits, step.InputType(i, e).fraction_bits());
      }
      Wide sum = 0;
      for (size_t i = 0; i < in.size(); ++i) {
        sum += Aligned(step.Input(in, i, e), step.InputType(i, e).fraction_bits(), bits);
      }
      out[e] = step.Cast(sum, bits, e);
    }
  };
}

RunFunction MoveStep(const Layer& layer, const std::vector<nn::Shape>& shapes) {
  return [sources = SourcesOf(layer, shapes)](const Step& step, const std::vector<const Raws*>& in,
                                              Raws& out) {
    for (int64_t e = 0; e < step.element_count; ++e) {
      const ElementSource& source = sources[e];
      out[e] = source.element == kPadding
                   ? 0
                   : step.Cast(step.Input(in, source.input, source.element),
                               step.InputType(source.input, source.element).fraction_bits(), e);
    }
  };
}

absl::StatusOr<RunFunction> PoolStep(const Layer& layer, const nn::Shape& input) {
  ASSIGN_OR_RETURN(PoolGeometry geometry, PoolGeometryOf(layer, input));
  const bool is_max = layer.op == Op::kMaxPool || layer.op == Op::kGlobalMaxPool;
  return [geometry = std::move(geometry), is_max](const Step& step,
                                                  const std::vector<const Raws*>& in, Raws& out) {
    for (int64_t e = 0; e < step.element_count; ++e) {
      const int32_t* elements = geometry.elements.data() + geometry.begin[e];
      const int64_t count = geometry.begin[e + 1] - geometry.begin[e];
      int bits = step.InputType(0, elements[0]).fraction_bits();
      for (int64_t i = 1; i < count; ++i) {
        bits = std::max(bits, step.InputType(0, elements[i]).fraction_bits());
      }
      Wide value = 0;
      for (int64_t i = 0; i < count; ++i) {
        const Wide one = Aligned(step.Input(in, 0, elements[i]),
                                 step.InputType(0, elements[i]).fraction_bits(), bits);
        value = i == 0 ? one : is_max ? std::max(value, one) : value + one;
      }
      if (!is_max) value /= geometry.divisor[e];  // towards zero
      out[e] = step.Cast(value, bits, e);
    }
  };
}

// max(x, 0), or x > 0 ? x : alpha * x.
absl::StatusOr<RunFunction> ReluStep(const Layer& layer) {
  Raws alpha;
  TensorType alpha_type;
  if (layer.op == Op::kPRelu) {
    ASSIGN_OR_RETURN(alpha, RawParameter(layer, "alpha"));
    alpha_type = layer.types.at("alpha");
  } else if (layer.op == Op::kLeakyRelu) {
    ASSIGN_OR_RETURN(const LeakySlope slope, LeakySlopeOf(layer));
    alpha = {slope.raw};
    alpha_type.type = slope.type;
  }
  return [=](const Step& step, const std::vector<const Raws*>& in, Raws& out) {
    for (int64_t e = 0; e < step.element_count; ++e) {
      Wide value = step.Input(in, 0, e);
      int bits = step.InputType(0, e).fraction_bits();
      if (value < 0 && alpha.empty()) value = 0;
      if (value < 0 && !alpha.empty()) {
        const int64_t a = e % static_cast<int64_t>(alpha.size());
        value *= WideRaw(alpha[a], TypeAt(alpha_type, a));
        bits += TypeAt(alpha_type, a).fraction_bits();
      }
      out[e] = step.Cast(value, bits, e);
    }
  };
}

RunFunction ClipStep(const Layer& layer) {
  const Dyadic low = DyadicOf(layer.attributes["minimum"].AsNumber());
  const Dyadic high = DyadicOf(layer.attributes["maximum"].AsNumber());
  return [low, high](const Step& step, const std::vector<const Raws*>& in, Raws& out) {
    for (int64_t e = 0; e < step.element_count; ++e) {
      const int from = step.InputType(0, e).fraction_bits();
      const int bits = std::max({from, low.bits, high.bits});
      const Wide value =
          std::clamp(Aligned(step.Input(in, 0, e), from, bits), Aligned(low.raw, low.bits, bits),
                     Aligned(high.raw, high.bits, bits));
      out[e] = step.Cast(value, bits, e);
    }
  };
}

RunFunction TableStep(const Layer& layer) {
  return [table = TableOf(layer)](const Step& step, const std::vector<const Raws*>& in, Raws& out) {
    for (int64_t e = 0; e < step.element_count; ++e) {
      const int64_t index =
          table.IndexOf(step.Input(in, 0, e), step.InputType(0, e).fraction_bits());
      out[e] = step.Cast(WideRaw(table.entries[index], table.type), table.type.fraction_bits(), e);
    }
  };
}

// max(0, min(1, alpha x + beta)), exact before the cast.
absl::StatusOr<RunFunction> HardSigmoidStep(const Layer& layer) {
  const Dyadic alpha = DyadicOf(layer.attributes["alpha"].AsNumber());
  const Dyadic beta = DyadicOf(layer.attributes["beta"].AsNumber());
  // hls4ml's slope and shift have types of their own; a number like 0.2 needs one.
  const auto given = [&layer](const std::string& name, Dyadic& number) {
    const auto it = layer.types.find(name);
    if (it == layer.types.end()) return number.bits < 32;
    const FixedType& type = it->second.type;
    number = {WideRaw(FromDouble(layer.attributes[name].AsNumber(), type), type),
              type.fraction_bits()};
    return true;
  };
  Dyadic slope = alpha;
  Dyadic shift = beta;
  if (!given("alpha", slope) || !given("beta", shift)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "layer \"", layer.name, "\" has no types for its alpha and beta, which are not short"));
  }
  return [slope, shift](const Step& step, const std::vector<const Raws*>& in, Raws& out) {
    for (int64_t e = 0; e < step.element_count; ++e) {
      const int product_bits = step.InputType(0, e).fraction_bits() + slope.bits;
      const int bits = std::max({product_bits, shift.bits, 0});
      const Wide value = Aligned(step.Input(in, 0, e) * slope.raw, product_bits, bits) +
                         Aligned(shift.raw, shift.bits, bits);
      out[e] = step.Cast(std::clamp<Wide>(value, 0, static_cast<Wide>(1) << bits), bits, e);
    }
  };
}

RunFunction CastStep(bool bipolar) {
  return [bipolar](const Step& step, const std::vector<const Raws*>& in, Raws& out) {
    for (int64_t e = 0; e < step.element_count; ++e) {
      const Wide value = step.Input(in, 0, e);
      out[e] = bipolar ? (value >= 0 ? 1 : -1)
                       : step.Cast(value, step.InputType(0, e).fraction_bits(), e);
    }
  };
}

absl::StatusOr<RunFunction> MakeRun(const Network& network, const Layer& layer, const Step& step) {
  std::vector<nn::Shape> shapes;
  for (int input : step.inputs) shapes.push_back(network.layers[input].output_shape);
  if (OnlyMoves(layer.op)) return MoveStep(layer, shapes);
  switch (layer.op) {
    case Op::kDense:
    case Op::kConv1D:
    case Op::kConv2D:
      return MatrixStep(layer, network.layers[step.inputs[0]], step.input_types[0]);
    case Op::kBatchNormalization:
    case Op::kMultiply:
      return ScaleStep(layer);
    case Op::kAdd:
      if (layer.inputs.size() == 1) return ScaleStep(layer);
      return AddStep();
    case Op::kMaxPool:
    case Op::kAveragePool:
    case Op::kGlobalMaxPool:
    case Op::kGlobalAveragePool:
      return PoolStep(layer, shapes[0]);
    case Op::kRelu:
    case Op::kLeakyRelu:
    case Op::kPRelu:
      return ReluStep(layer);
    case Op::kHardTanh:
      return ClipStep(layer);
    case Op::kSigmoid:
    case Op::kTanh:
      return TableStep(layer);
    case Op::kHardSigmoid:
      return HardSigmoidStep(layer);
    case Op::kQuantize:
      return CastStep(layer.attributes["bipolar"].AsBool());
    default:
      return absl::UnimplementedError(absl::StrCat("layer \"", layer.name,
                                                   "\": the fixed-point engine does not run ",
                                                   nn::OpName(layer.op)));
  }
}

class ReferenceEngine : public Engine {
 public:
  absl::Status Prepare(const Network& network, const EngineOptions& options) {
    thread_count_ = options.thread_count;
    const int logits = network.LogitsIndex();
    const std::vector<int> inputs = network.InputIndices();
    if (logits < 0 || inputs.size() != 1) {
      return absl::InvalidArgumentError("the engine runs networks with one input");
    }
    input_ = inputs[0];
    for (int i = 0; i <= logits; ++i) {
      const Layer& layer = network.layers[i];
      Step step;
      ASSIGN_OR_RETURN(const TensorType* type, TypeOf(layer, "result"));
      step.result_type = *type;
      step.element_count = ElementCount(layer.output_shape);
      for (const std::string& name : layer.inputs) {
        step.inputs.push_back(network.IndexOf(name));
        step.input_types.push_back(steps_[step.inputs.back()].result_type);
      }
      if (layer.op != Op::kInput) {
        ASSIGN_OR_RETURN(step.run, MakeRun(network, layer, step));
      }
      steps_.push_back(std::move(step));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Raws> QuantizeInputs(absl::Span<const float> features,
                                      int64_t count) const override {
    RETURN_IF_ERROR(CheckSize(features, count));
    const int64_t width = steps_[input_].element_count;
    Raws raws(features.size());
    ParallelFor(thread_count_, count, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin * width; i < end * width; ++i) {
        raws[i] = FromDouble(features[i], TypeAt(input_type(), i % width));
      }
    });
    return raws;
  }

  absl::StatusOr<Raws> RunRaw(absl::Span<const float> features, int64_t count) const override {
    RETURN_IF_ERROR(CheckSize(features, count));
    const int64_t width = steps_[input_].element_count;
    Raws logits(static_cast<size_t>(count * output_count()));
    ParallelFor(thread_count_, count, [&](int64_t begin, int64_t end) {
      std::vector<Raws> results(steps_.size());
      for (size_t i = 0; i < steps_.size(); ++i) results[i].resize(steps_[i].element_count);
      for (int64_t sample = begin; sample < end; ++sample) {
        for (int64_t e = 0; e < width; ++e) {
          results[input_][e] = FromDouble(features[sample * width + e], TypeAt(input_type(), e));
        }
        RunSample(results);
        std::copy(results.back().begin(), results.back().end(),
                  logits.begin() + sample * output_count());
      }
    });
    return logits;
  }

  const TensorType& input_type() const override { return steps_[input_].result_type; }
  const TensorType& logits_type() const override { return steps_.back().result_type; }
  int64_t output_count() const override { return steps_.back().element_count; }

 private:
  absl::Status CheckSize(absl::Span<const float> features, int64_t count) const {
    const int64_t width = steps_[input_].element_count;
    if (count >= 0 && static_cast<int64_t>(features.size()) == count * width) {
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(
        absl::StrCat(features.size(), " features are not ", count, " samples of ", width));
  }

  void RunSample(std::vector<Raws>& results) const {
    std::vector<const Raws*> in;
    for (size_t i = 0; i < steps_.size(); ++i) {
      if (static_cast<int>(i) == input_) continue;
      in.clear();
      for (int input : steps_[i].inputs) in.push_back(&results[input]);
      steps_[i].run(steps_[i], in, results[i]);
    }
  }

  int thread_count_ = 1;
  int input_ = 0;
  std::vector<Step> steps_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> MakeReferenceEngine(const Network& network,
                                                            const EngineOptions& options) {
  RETURN_IF_ERROR(Check(network));
  auto engine = std::make_unique<ReferenceEngine>();
  RETURN_IF_ERROR(engine->Prepare(network, options));
  return engine;
}

}  // namespace dovetail::fixedpoint
