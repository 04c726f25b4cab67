#include "services/worker/train/type_choice.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/worker/fixedpoint/engine.h"
#include "services/worker/train/quantizer.h"
#include "services/worker/train/type_grid.h"

namespace dovetail::train {
namespace {

// How far below the range that clips nothing the search for integer bits goes.
constexpr int kClippingSteps = 5;

// Parameters are stored as floats.
constexpr int kMaxBits = 24;

// Width of the input where none is asked for. It is cast once, outside the hardware, and no
// retraining makes good what it loses: the jet network has 3.6 points more at 8 bits than at 6
// (docs/decisions/0600).
int DefaultInputBits(int activation_bits) { return std::max(8, activation_bits + 2); }

absl::Status CheckBits(absl::string_view name, int bits) {
  if (bits >= 1 && bits <= kMaxBits) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(name, " is ", bits, ", not in 1..", kMaxBits));
}

std::vector<float> SampleRows(const nn::Split& split, int64_t wanted, int64_t* count) {
  const int64_t width = nn::ElementCount(split.sample_shape);
  *count = std::min(wanted, split.count);
  std::vector<float> rows;
  rows.reserve(*count * width);
  for (int64_t k = 0; k < *count; ++k) {
    const float* row = split.features.data() + (k * split.count / *count) * width;
    rows.insert(rows.end(), row, row + width);
  }
  return rows;
}

// The float result of one layer on the samples.
absl::StatusOr<std::vector<float>> ResultOf(const nn::Network& network, int layer,
                                            const std::vector<float>& samples, int64_t count) {
  if (network.layers[layer].op == nn::Op::kInput) return samples;
  nn::Network head = network;
  head.layers.resize(layer + 1);
  head.outputs = {head.layers.back().name};
  for (nn::Layer& each : head.layers) each.types.clear();
  return fixedpoint::RunFloat(head, samples, count);
}

bool IsMovement(nn::Op op) {
  switch (op) {
    case nn::Op::kMaxPool:
    case nn::Op::kGlobalMaxPool:
    case nn::Op::kFlatten:
    case nn::Op::kReshape:
    case nn::Op::kTranspose:
    case nn::Op::kZeroPad:
    case nn::Op::kUpSample:
      return true;
    default:
      return false;
  }
}

bool HasExactAccumulator(nn::Op op) {
  return op == nn::Op::kDense || op == nn::Op::kConv1D || op == nn::Op::kConv2D;
}

// The relu that is the only reader of `layer`, or -1.
int OnlyRelu(const nn::Network& network, int layer) {
  int reader = -1;
  for (size_t i = 0; i < network.layers.size(); ++i) {
    for (const std::string& input : network.layers[i].inputs) {
      if (input != network.layers[layer].name) continue;
      if (reader >= 0) return -1;
      reader = static_cast<int>(i);
    }
  }
  return reader >= 0 && network.layers[reader].op == nn::Op::kRelu ? reader : -1;
}

class TypeChooser {
 public:
  TypeChooser(const TypeOptions& options, std::vector<float> samples, int64_t sample_count,
              nn::Network& network)
      : options_(options),
        samples_(std::move(samples)),
        sample_count_(sample_count),
        network_(network),
        logits_(network.LogitsIndex()) {}

  absl::Status Run() {
    std::vector<std::vector<float>> results(logits_ + 1);
    for (int i = 0; i <= logits_; ++i) {
      ASSIGN_OR_RETURN_WITH(results[i], ResultOf(network_, i, samples_, sample_count_),
                            network_.layers[i].name);
    }
    for (int i = 0; i <= logits_; ++i) RETURN_IF_ERROR(ChooseOf(i, results));
    return absl::OkStatus();
  }

 private:
  absl::Status ChooseOf(int index, const std::vector<std::vector<float>>& results) {
    nn::Layer& layer = network_.layers[index];
    if (layer.op == nn::Op::kInput) {
      const int bits = options_.input_bits > 0 ? options_.input_bits
                                               : DefaultInputBits(options_.activation_bits);
      layer.types["result"] = {TypeOfValues(results[index], bits), {}};
    } else if (HasExactAccumulator(layer.op)) {
      ChooseWeighted(index, results);
    } else if (layer.op == nn::Op::kRelu) {
      FixedType type = LeastErrorType(results[index], options_.activation_bits, false);
      // The half of rounding is in the bias of the layer before, where there is one to take it.
      if (TakesHalf(network_.IndexOf(layer.inputs[0]))) type.quantization = Quantization::kTrn;
      layer.types["result"] = {type, {}};
    } else if (IsMovement(layer.op)) {
      layer.types["result"] = network_.Find(layer.inputs[0])->types.at("result");
    } else if (layer.parameters.empty()) {
      layer.types["result"] = {TypeOfValues(results[index], options_.activation_bits), {}};
    } else {
      for (const auto& [role, tensor] : layer.parameters) {
        layer.types[role] = {LeastErrorType(tensor.values, options_.weight_bits, true), {}};
      }
      layer.types["result"] = {TypeOfValues(results[index], options_.activation_bits), {}};
    }
    return absl::OkStatus();
  }

  FixedType TypeOfValues(const std::vector<float>& values, int bits) const {
    const bool is_signed =
        std::any_of(values.begin(), values.end(), [](float value) { return value < 0; });
    return LeastErrorType(values, bits, is_signed);
  }

  bool TakesHalf(int index) const {
    return HasExactAccumulator(network_.layers[index].op) && index != logits_ &&
           OnlyRelu(network_, index) >= 0;
  }

  void ChooseWeighted(int index, const std::vector<std::vector<float>>& results) {
    nn::Layer& layer = network_.layers[index];
    const nn::Layer& source = *network_.Find(layer.inputs[0]);
    const nn::Tensor& kernel = layer.parameters.at("kernel");
    layer.types["kernel"] = {LeastErrorType(kernel.values, options_.weight_bits, true), {}};
    nn::Tensor& bias = layer.parameters["bias"];
    if (bias.values.empty()) {
      bias.shape = {kernel.shape.back()};
      bias.values.assign(kernel.shape.back(), 0.0f);
    }
    // Bits below those of the products would widen every sum.
    int bias_fraction_bits =
        layer.types["kernel"].type.fraction_bits() + source.types.at("result").type.fraction_bits();
    if (TakesHalf(index)) {
      const int relu = OnlyRelu(network_, index);
      const int fraction_bits =
          LeastErrorType(results[relu], options_.activation_bits, false).fraction_bits();
      bias_fraction_bits = std::min(bias_fraction_bits, fraction_bits + 1);
      const float half = static_cast<float>(std::ldexp(1.0, -fraction_bits - 1));
      for (float& value : bias.values) value += half;
    }
    layer.types["bias"] = {BiasType(bias.values, bias_fraction_bits), {}};
    if (index == logits_ || TakesHalf(index)) {
      SetExactResult(layer, source);
    } else {
      layer.types["result"] = {TypeOfValues(results[index], options_.activation_bits), {}};
    }
  }

  // Range of the values with one bit to grow in.
  static FixedType BiasType(const std::vector<float>& values, int fraction_bits) {
    double largest = std::ldexp(1.0, -fraction_bits);
    for (const float value : values) largest = std::max(largest, std::fabs(double{value}));
    FixedType type;
    type.integer_bits = static_cast<int>(std::ceil(std::log2(largest))) + 2;
    type.width_bits = std::clamp(type.integer_bits + fraction_bits, 2, kMaxBits);
    type.quantization = Quantization::kRnd;
    type.overflow = Overflow::kSat;
    return type;
  }

  const TypeOptions& options_;
  const std::vector<float> samples_;
  const int64_t sample_count_;
  nn::Network& network_;
  const int logits_;
};

}  // namespace

FixedType LeastErrorType(absl::Span<const float> values, int width_bits, bool is_signed) {
  double largest = 0;
  for (const float value : values) largest = std::max(largest, std::fabs(double{value}));
  FixedType type;
  type.width_bits = width_bits;
  type.is_signed = is_signed;
  type.quantization = Quantization::kRnd;
  type.overflow = Overflow::kSat;
  if (largest == 0) {
    type.integer_bits = is_signed ? 1 : 0;
    return type;
  }
  const int widest = static_cast<int>(std::ceil(std::log2(largest))) + 1 + (is_signed ? 1 : 0);
  double least = std::numeric_limits<double>::infinity();
  FixedType best = type;
  for (int integer_bits = widest; integer_bits >= widest - 1 - kClippingSteps; --integer_bits) {
    type.integer_bits = integer_bits;
    double error = 0;
    for (const float value : values) {
      const double difference = CastToGrid(value, type) - value;
      error += difference * difference;
    }
    if (error < least) {
      least = error;
      best = type;
    }
  }
  return best;
}

absl::Status ChooseTypes(const nn::Split& train, const TypeOptions& options, nn::Network& network) {
  RETURN_IF_ERROR(CheckBits("weight_bits", options.weight_bits));
  RETURN_IF_ERROR(CheckBits("activation_bits", options.activation_bits));
  if (options.input_bits != 0) RETURN_IF_ERROR(CheckBits("input_bits", options.input_bits));
  for (nn::Layer& layer : network.layers) layer.types.clear();
  int64_t count = 0;
  std::vector<float> samples = SampleRows(train, options.sample_count, &count);
  return TypeChooser(options, std::move(samples), count, network).Run();
}

void SetUniformType(const FixedType& type, nn::Network& network) {
  const int logits = network.LogitsIndex();
  for (nn::Layer& layer : network.layers) layer.types.clear();
  for (int i = 0; i <= logits; ++i) {
    nn::Layer& layer = network.layers[i];
    for (const auto& [role, tensor] : layer.parameters) layer.types[role] = {type, {}};
    layer.types["result"] = {type, {}};
  }
}

}  // namespace dovetail::train
