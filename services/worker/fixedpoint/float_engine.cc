// The float reference: the same graph in single precision, one sample at a time.
#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/worker/fixedpoint/engine.h"
#include "services/worker/fixedpoint/layer_geometry.h"
#include "services/worker/fixedpoint/recurrent.h"

namespace dovetail::fixedpoint {
namespace {

using nn::ElementCount;
using nn::Layer;
using nn::Op;

using Floats = std::vector<float>;

struct FloatStep {
  const Layer* layer = nullptr;
  std::vector<int> inputs;
  MatrixGeometry matrix;
  PoolGeometry pool;
  std::vector<ElementSource> sources;
};

float At(const Floats& values, int64_t e) { return values[static_cast<size_t>(e) % values.size()]; }

void RunMatrix(const FloatStep& step, const Floats& in, Floats& out) {
  const MatrixGeometry& geometry = step.matrix;
  const Floats& kernel = step.layer->parameters.at("kernel").values;
  const auto bias = step.layer->parameters.find("bias");
  const int64_t all_columns = geometry.columns * geometry.groups;
  for (int64_t block = 0; block < geometry.positions * geometry.groups; ++block) {
    const int64_t first = block % geometry.groups * geometry.columns;
    float* result = out.data() + block * geometry.columns;
    for (int64_t c = 0; c < geometry.columns; ++c) {
      result[c] = bias == step.layer->parameters.end() ? 0.0f : bias->second.values[first + c];
    }
    for (int64_t r = 0; r < geometry.rows; ++r) {
      const int32_t element = geometry.elements[block * geometry.rows + r];
      if (element == kPadding || in[element] == 0.0f) continue;
      const float x = in[element];
      const float* row = kernel.data() + r * all_columns + first;
      for (int64_t c = 0; c < geometry.columns; ++c) result[c] += x * row[c];
    }
  }
}

void RunPool(const FloatStep& step, const Floats& in, Floats& out) {
  const bool is_max = step.layer->op == Op::kMaxPool || step.layer->op == Op::kGlobalMaxPool;
  for (size_t e = 0; e < out.size(); ++e) {
    float value = in[step.pool.elements[step.pool.begin[e]]];
    for (int64_t i = step.pool.begin[e] + 1; i < step.pool.begin[e + 1]; ++i) {
      const float one = in[step.pool.elements[i]];
      value = is_max ? std::max(value, one) : value + one;
    }
    out[e] = is_max ? value : value / static_cast<float>(step.pool.divisor[e]);
  }
}

void RunSoftmax(const Layer& layer, const Floats& in, Floats& out) {
  const size_t width = static_cast<size_t>(layer.output_shape.back());
  for (size_t start = 0; start < in.size(); start += width) {
    const float largest = *std::max_element(in.begin() + start, in.begin() + start + width);
    float sum = 0;
    for (size_t e = start; e < start + width; ++e) sum += out[e] = std::exp(in[e] - largest);
    for (size_t e = start; e < start + width; ++e) out[e] /= sum;
  }
}

float Activate(const Layer& layer, float x, int64_t e) {
  switch (layer.op) {
    case Op::kRelu:
      return std::max(x, 0.0f);
    case Op::kLeakyRelu:
      return x > 0 ? x : static_cast<float>(layer.attributes["alpha"].AsNumber()) * x;
    case Op::kPRelu:
      return x > 0 ? x : At(layer.parameters.at("alpha").values, e) * x;
    case Op::kElu:
      return x > 0 ? x : static_cast<float>(layer.attributes["alpha"].AsNumber()) * std::expm1(x);
    case Op::kSigmoid:
      return 1.0f / (1.0f + std::exp(-x));
    case Op::kTanh:
      return std::tanh(x);
    case Op::kHardSigmoid:
      return std::clamp(static_cast<float>(layer.attributes["alpha"].AsNumber()) * x +
                            static_cast<float>(layer.attributes["beta"].AsNumber()),
                        0.0f, 1.0f);
    case Op::kHardTanh:
      return std::clamp(x, static_cast<float>(layer.attributes["minimum"].AsNumber()),
                        static_cast<float>(layer.attributes["maximum"].AsNumber()));
    case Op::kBatchNormalization:
      return x * At(layer.parameters.at("scale").values, e) +
             At(layer.parameters.at("offset").values, e);
    case Op::kMultiply:
      return x * At(layer.parameters.at("scale").values, e);
    default:
      return x;
  }
}

void RunAdd(const FloatStep& step, const std::vector<const Floats*>& in, Floats& out) {
  for (size_t e = 0; e < out.size(); ++e) {
    float sum = (*in[0])[e];
    for (size_t i = 1; i < in.size(); ++i) sum += (*in[i])[e];
    if (in.size() == 1) sum += At(step.layer->parameters.at("offset").values, e);
    out[e] = sum;
  }
}

void RunLayer(const FloatStep& step, const std::vector<const Floats*>& in, Floats& out) {
  switch (step.layer->op) {
    case Op::kDense:
    case Op::kConv1D:
    case Op::kConv2D:
      return RunMatrix(step, *in[0], out);
    case Op::kMaxPool:
    case Op::kAveragePool:
    case Op::kGlobalMaxPool:
    case Op::kGlobalAveragePool:
      return RunPool(step, *in[0], out);
    case Op::kSoftmax:
      return RunSoftmax(*step.layer, *in[0], out);
    case Op::kAdd:
      return RunAdd(step, in, out);
    case Op::kLstm:
    case Op::kGru:
      return RunRecurrentFloat(*step.layer, *in[0], out);
    default:
      break;
  }
  if (OnlyMoves(step.layer->op)) {
    for (size_t e = 0; e < out.size(); ++e) {
      const ElementSource& source = step.sources[e];
      out[e] = source.element == kPadding ? 0.0f : (*in[source.input])[source.element];
    }
    return;
  }
  for (size_t e = 0; e < out.size(); ++e) {
    out[e] = Activate(*step.layer, (*in[0])[e], static_cast<int64_t>(e));
  }
}

absl::StatusOr<std::vector<FloatStep>> Prepare(const nn::Network& network, int logits) {
  std::vector<FloatStep> steps;
  for (int i = 0; i <= logits; ++i) {
    FloatStep step{.layer = &network.layers[i]};
    std::vector<nn::Shape> shapes;
    for (const std::string& name : step.layer->inputs) {
      step.inputs.push_back(network.IndexOf(name));
      shapes.push_back(network.layers[step.inputs.back()].output_shape);
    }
    const Op op = step.layer->op;
    if (op == Op::kDense || op == Op::kConv1D || op == Op::kConv2D) {
      ASSIGN_OR_RETURN(step.matrix, MatrixGeometryOf(*step.layer, shapes[0]));
    } else if (op == Op::kMaxPool || op == Op::kAveragePool || op == Op::kGlobalMaxPool ||
               op == Op::kGlobalAveragePool) {
      ASSIGN_OR_RETURN(step.pool, PoolGeometryOf(*step.layer, shapes[0]));
    } else if (OnlyMoves(op)) {
      step.sources = SourcesOf(*step.layer, shapes);
    }
    steps.push_back(std::move(step));
  }
  return steps;
}

}  // namespace

absl::StatusOr<std::vector<float>> RunFloat(const nn::Network& network,
                                            absl::Span<const float> features, int64_t count) {
  RETURN_IF_ERROR(Check(network));
  const int logits = network.LogitsIndex();
  const std::vector<int> inputs = network.InputIndices();
  if (inputs.size() != 1) {
    return absl::InvalidArgumentError("the float engine runs networks with one input");
  }
  const int64_t width = ElementCount(network.layers[inputs[0]].output_shape);
  if (count < 0 || static_cast<int64_t>(features.size()) != count * width) {
    return absl::InvalidArgumentError(
        absl::StrCat(features.size(), " features are not ", count, " samples of ", width));
  }
  ASSIGN_OR_RETURN(const std::vector<FloatStep> steps, Prepare(network, logits));
  std::vector<Floats> results(steps.size());
  for (size_t i = 0; i < steps.size(); ++i) {
    results[i].resize(static_cast<size_t>(ElementCount(steps[i].layer->output_shape)));
  }
  std::vector<float> outputs;
  outputs.reserve(static_cast<size_t>(count) * results.back().size());
  std::vector<const Floats*> in;
  for (int64_t sample = 0; sample < count; ++sample) {
    const float* row = features.data() + sample * width;
    std::copy(row, row + width, results[inputs[0]].begin());
    for (size_t i = 0; i < steps.size(); ++i) {
      if (steps[i].layer->op == Op::kInput) continue;
      in.clear();
      for (int input : steps[i].inputs) in.push_back(&results[input]);
      RunLayer(steps[i], in, results[i]);
    }
    outputs.insert(outputs.end(), results.back().begin(), results.back().end());
  }
  return outputs;
}

}  // namespace dovetail::fixedpoint
