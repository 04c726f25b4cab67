#include "services/worker/train/learnt_bits.h"

#include "services/worker/train/type_grid.h"

namespace dovetail::train {
namespace {

FixedType MakeType(bool is_signed, int integer_bits, int fraction_bits) {
  FixedType type;
  type.is_signed = is_signed;
  type.width_bits = std::clamp(integer_bits + fraction_bits, 1, 24);
  type.integer_bits = type.width_bits - fraction_bits;
  type.quantization = Quantization::kRnd;
  type.overflow = Overflow::kSat;
  return type;
}

// Writes what was learnt into the network as types, masks and (float) weights.
class TypeWriter {
 public:
  TypeWriter(const LearntBits& bits, DenseModel& model, nn::Network& network)
      : bits_(bits), model_(model), network_(network) {
    for (int i = 0; i <= network.LogitsIndex(); ++i) {
      if (network.layers[i].op == nn::Op::kDense) dense_layers_.push_back(i);
    }
  }

  void Write() {
    RemoveZeros();
    nn::Layer& input = network_.layers[0];
    input.types["result"] = bits_.input.Types(Quantization::kRnd);
    for (size_t s = 0; s < model_.stages.size(); ++s) WriteStage(s);
  }

 private:
  // Prunes weights that round to 0 and all weights from and to results without bits.
  void RemoveZeros() {
    for (size_t s = 0; s < model_.stages.size(); ++s) {
      const DenseStage& stage = model_.stages[s];
      ParameterBlock& kernel = model_.kernel(s);
      const ChannelBits& source = s == 0 ? bits_.input : bits_.results[s - 1];
      for (size_t k = 0; k < kernel.values.size(); ++k) {
        const double scale = std::ldexp(1.0, bits_.weight_fraction[s][k]);
        const bool is_zero = std::floor(kernel.values[k] * scale + 0.5) == 0;
        const bool has_source = source.Width(k / stage.n_out) > 0;
        const bool has_result =
            s + 1 == model_.stages.size() || bits_.results[s].Width(k % stage.n_out) > 0;
        if (is_zero || !has_source || !has_result) kernel.is_kept[k] = 0;
      }
    }
  }

  void WriteStage(size_t s) {
    nn::Layer& layer = network_.layers[dense_layers_[s]];
    const DenseStage& stage = model_.stages[s];
    ParameterBlock& kernel = model_.kernel(s);
    ParameterBlock& bias = model_.blocks[2 * s + 1];
    const ChannelBits& source = s == 0 ? bits_.input : bits_.results[s - 1];
    nn::TensorType kernel_type;
    std::vector<int> sum_fraction(stage.n_out, -64);
    for (size_t k = 0; k < kernel.values.size(); ++k) {
      const int fraction = bits_.weight_fraction[s][k];
      const int integer =
          kernel.is_kept[k] ? 1 + RoundedMagnitudeBits(kernel.values[k], fraction) : 1 - fraction;
      kernel_type.elements.push_back(MakeType(true, integer, fraction));
      if (!kernel.is_kept[k]) continue;
      int& finest = sum_fraction[k % stage.n_out];
      finest = std::max(finest, fraction + Rounded(source.fraction[k / stage.n_out]));
    }
    kernel_type.type = kernel_type.elements[0];
    layer.types["kernel"] = kernel_type;
    layer.parameters["kernel"].values = kernel.values;
    nn::Tensor& mask = layer.masks["kernel"];
    mask.shape = layer.parameters["kernel"].shape;
    mask.values.assign(kernel.is_kept.begin(), kernel.is_kept.end());

    nn::TensorType bias_type;
    for (int j = 0; j < stage.n_out; ++j) {
      bias_type.elements.push_back(BiasType(s, j, sum_fraction[j], bias.values[j]));
    }
    bias_type.type = bias_type.elements[0];
    layer.types["bias"] = bias_type;
    layer.parameters["bias"] = {{stage.n_out}, bias.values};
    SetExactResult(layer, network_.layers[dense_layers_[s] - 1]);
    if (s + 1 < model_.stages.size()) {
      network_.layers[dense_layers_[s] + 1].types["result"] =
          bits_.results[s].Types(Quantization::kTrn);
    }
  }

  // Of what the value rounds to.
  static int RoundedMagnitudeBits(double value, int fraction) {
    const double scale = std::ldexp(1.0, fraction);
    return MagnitudeBits(std::floor(value * scale + 0.5) / scale);
  }

  // The half that rounding the relu's result would add is put into the bias, on half its step;
  // nothing finer than the products, which would widen the sum.
  FixedType BiasType(size_t s, int channel, int sum_fraction, float& value) const {
    int fraction = sum_fraction > -64 ? sum_fraction : 4;
    if (s + 1 < model_.stages.size()) {
      const int step = Rounded(bits_.results[s].fraction[channel]);
      value += static_cast<float>(std::ldexp(1.0, -step - 1));
      fraction = sum_fraction > -64 ? std::min(fraction, step + 1) : step + 1;
    }
    return MakeType(true, std::max(2 + MagnitudeBits(value), 2 - fraction), fraction);
  }

  const LearntBits& bits_;
  DenseModel& model_;
  nn::Network& network_;
  std::vector<int> dense_layers_;  // of each stage
};

}  // namespace

int MagnitudeBits(double value) {
  return value == 0 ? -64 : static_cast<int>(std::floor(std::log2(std::fabs(value)))) + 1;
}

std::vector<Quantizer> ChannelBits::Quantizers() const {
  std::vector<Quantizer> quantizers;
  for (size_t c = 0; c < fraction.size(); ++c) {
    quantizers.push_back(
        Quantizer::Make(MakeType(is_signed, integer[c], Rounded(fraction[c]))).value());
    if (Width(c) > 0) continue;
    quantizers.back().raw_low = 0;  // no bits: always 0
    quantizers.back().raw_high = 0;
  }
  return quantizers;
}

nn::TensorType ChannelBits::Types(Quantization quantization) const {
  nn::TensorType type;
  for (size_t c = 0; c < fraction.size(); ++c) {
    FixedType each = MakeType(is_signed, integer[c], Rounded(fraction[c]));
    each.quantization = quantization;
    type.elements.push_back(each);
  }
  type.type = type.elements[0];
  return type;
}

void WriteLearntTypes(const LearntBits& bits, DenseModel& model, nn::Network& network) {
  TypeWriter(bits, model, network).Write();
}

}  // namespace dovetail::train
