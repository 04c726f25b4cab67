// Float networks made fixed-point without training, and the plainest possible reference for what
// they compute: for tests and benchmarks of the hardware rooms.
#ifndef DOVETAIL_TESTS_SUPPORT_QUANTIZED_NETWORKS_H_
#define DOVETAIL_TESTS_SUPPORT_QUANTIZED_NETWORKS_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/base/rng.h"
#include "services/worker/nn/network.h"
#include "tests/support/networks.h"

namespace dovetail::testing {

struct QuantizeOptions {
  int weight_bits = 6;
  int activation_bits = 6;
  double kept_fraction = 1;  // of weights, the largest of each layer
  Quantization rounding = Quantization::kRnd;
  Overflow overflow = Overflow::kSat;
  int result_integer_bits = 3;
};

// The type of `width` bits that holds `largest` with the fewest integer bits.
inline FixedType FitType(int width, double largest, bool is_signed) {
  const int magnitude = largest > 0 ? static_cast<int>(std::floor(std::log2(largest))) + 1 : 0;
  return {.width_bits = width,
          .integer_bits = magnitude + (is_signed ? 1 : 0),
          .is_signed = is_signed,
          .quantization = Quantization::kRnd,
          .overflow = Overflow::kSat};
}

inline void PutOnGrid(nn::Tensor& tensor, const FixedType& type) {
  const double top = std::ldexp(1.0, type.width_bits - 1) - 1;
  for (float& value : tensor.values) {
    const double raw = std::floor(std::ldexp(double{value}, type.fraction_bits()) + 0.5);
    value = static_cast<float>(std::ldexp(std::clamp(raw, -top - 1, top), -type.fraction_bits()));
  }
}

// Prunes by magnitude and types every tensor.
inline void Quantize(nn::Network& network, const QuantizeOptions& options) {
  for (nn::Layer& layer : network.layers) {
    FixedType result{.width_bits = options.activation_bits,
                     .integer_bits = options.result_integer_bits,
                     .is_signed = layer.op != nn::Op::kRelu,
                     .quantization = options.rounding,
                     .overflow = options.overflow};
    layer.types["result"] = {.type = result};
    if (!layer.HasWeights()) continue;
    nn::Tensor& kernel = layer.parameters["kernel"];
    std::vector<float> sizes;
    for (float value : kernel.values) sizes.push_back(std::fabs(value));
    std::sort(sizes.begin(), sizes.end(), std::greater<float>());
    const size_t kept = static_cast<size_t>(options.kept_fraction * sizes.size());
    const float threshold = kept >= sizes.size() ? 0.0f : sizes[kept];
    for (float& value : kernel.values) {
      if (std::fabs(value) <= threshold && kept < sizes.size()) value = 0;
    }
    for (const char* name : {"kernel", "bias"}) {
      nn::Tensor& tensor = layer.parameters[name];
      float largest = 0;
      for (float value : tensor.values) largest = std::max(largest, std::fabs(value));
      const FixedType type = FitType(options.weight_bits, largest, true);
      PutOnGrid(tensor, type);
      layer.types[name] = {.type = type};
    }
  }
}

inline nn::Network QuantizedDenseNetwork(const std::vector<int64_t>& widths, uint64_t seed,
                                         const QuantizeOptions& options) {
  nn::Network network = DenseNetwork(widths, seed);
  Quantize(network, options);
  return network;
}

// One raw input vector, uniform over the input type.
inline std::vector<int64_t> RandomRawInput(const nn::Network& network, Rng& rng) {
  const FixedType& type = network.layers[0].types.at("result").type;
  const int64_t low = type.is_signed ? -(int64_t{1} << (type.width_bits - 1)) : 0;
  std::vector<int64_t> values(nn::ElementCount(network.layers[0].output_shape));
  for (int64_t& value : values) {
    value = low + static_cast<int64_t>(rng.Below(uint64_t{1} << type.width_bits));
  }
  return values;
}

// Rounds by long division and clamps by comparison: slow, obvious.
inline int64_t CastSlowly(__int128 raw, int fraction_bits, const FixedType& type) {
  const int dropped = fraction_bits - type.fraction_bits();
  __int128 quotient = raw;
  if (dropped < 0) quotient = raw * (__int128{1} << -dropped);
  if (dropped > 0) {
    const __int128 unit = __int128{1} << dropped;
    quotient = raw / unit;
    __int128 rest = raw % unit;
    if (rest < 0) {
      rest += unit;
      --quotient;
    }
    const bool exactly_half = 2 * rest == unit;
    const bool above_half = 2 * rest > unit;
    switch (type.quantization) {
      case Quantization::kTrn:
        break;
      case Quantization::kTrnZero:
        quotient += raw < 0 && rest != 0;
        break;
      case Quantization::kRnd:
        quotient += above_half || exactly_half;
        break;
      case Quantization::kRndZero:
        quotient += above_half || (exactly_half && raw < 0);
        break;
      case Quantization::kRndMinInf:
        quotient += above_half;
        break;
      case Quantization::kRndInf:
        quotient += above_half || (exactly_half && raw > 0);
        break;
      case Quantization::kRndConv:
        quotient += above_half || (exactly_half && quotient % 2);
        break;
    }
  }
  const __int128 high = (__int128{1} << (type.width_bits - (type.is_signed ? 1 : 0))) - 1;
  const __int128 low = type.is_signed ? -high - 1 : 0;
  const __int128 modulus = __int128{1} << type.width_bits;
  if (type.overflow == Overflow::kSatSym && type.is_signed && quotient == low) return low + 1;
  if (quotient >= low && quotient <= high) return static_cast<int64_t>(quotient);
  switch (type.overflow) {
    case Overflow::kSat:
      return static_cast<int64_t>(quotient > high ? high : low);
    case Overflow::kSatSym:
      return static_cast<int64_t>(quotient > high ? high : (type.is_signed ? -high : 0));
    case Overflow::kSatZero:
      return 0;
    default:
      break;
  }
  __int128 wrapped = quotient % modulus;
  if (wrapped < 0) wrapped += modulus;
  if (wrapped > high) wrapped -= modulus;
  return static_cast<int64_t>(wrapped);
}

// Raw logits of a chain of dense, relu and quantize layers.
inline std::vector<int64_t> RunSlowly(const nn::Network& network, std::vector<int64_t> values) {
  int fraction = network.layers[0].types.at("result").type.fraction_bits();
  for (int l = 1; l <= network.LogitsIndex(); ++l) {
    const nn::Layer& layer = network.layers[l];
    const FixedType& type = layer.types.at("result").type;
    if (layer.op == nn::Op::kDense) {
      const nn::Tensor& kernel = layer.parameters.at("kernel");
      const FixedType& kernel_type = layer.types.at("kernel").type;
      const FixedType& bias_type = layer.types.at("bias").type;
      const int products = fraction + kernel_type.fraction_bits();
      const int common = std::max(products, bias_type.fraction_bits());
      std::vector<int64_t> results(kernel.shape[1]);
      for (int64_t j = 0; j < kernel.shape[1]; ++j) {
        const auto raw = [](double value, const FixedType& t) {
          return static_cast<__int128>(std::ldexp(value, t.fraction_bits()));
        };
        __int128 sum = raw(layer.parameters.at("bias").values[j], bias_type)
                       << (common - bias_type.fraction_bits());
        for (int64_t i = 0; i < kernel.shape[0]; ++i) {
          sum += (raw(kernel.values[i * kernel.shape[1] + j], kernel_type) * values[i])
                 << (common - products);
        }
        results[j] = CastSlowly(sum, common, type);
      }
      values = std::move(results);
    } else {
      for (int64_t& value : values) {
        if (layer.op == nn::Op::kRelu) value = std::max<int64_t>(0, value);
        value = CastSlowly(value, fraction, type);
      }
    }
    fraction = type.fraction_bits();
  }
  return values;
}

inline Value IntegerList(std::vector<int64_t> values) {
  Value list{Value::List()};
  for (int64_t value : values) list.Append(value);
  return list;
}

inline nn::Tensor RandomTensor(nn::Shape shape, Rng& rng) {
  nn::Tensor tensor{.shape = shape};
  for (int64_t i = 0; i < nn::ElementCount(shape); ++i) {
    tensor.values.push_back(static_cast<float>(0.4 * rng.Normal()));
  }
  return tensor;
}

// 6x6x2 -> conv 3x3x3 -> scale -> relu -> max pool 2x2 -> flatten -> dense 4.
inline nn::Network SmallConvolution() {
  Rng rng(21);
  nn::Network network;
  network.name = "convolution";
  network.layers.push_back({.name = "input", .op = nn::Op::kInput, .output_shape = {6, 6, 2}});
  nn::Layer conv{
      .name = "conv", .op = nn::Op::kConv2D, .inputs = {"input"}, .output_shape = {4, 4, 3}};
  conv.attributes.Set("strides", IntegerList({1, 1})).Set("padding", IntegerList({0, 0, 0, 0}));
  conv.attributes.Set("dilations", IntegerList({1, 1})).Set("groups", 1);
  conv.parameters["kernel"] = RandomTensor({3, 3, 2, 3}, rng);
  conv.parameters["bias"] = RandomTensor({3}, rng);
  network.layers.push_back(conv);
  nn::Layer scale{.name = "norm",
                  .op = nn::Op::kBatchNormalization,
                  .inputs = {"conv"},
                  .output_shape = {4, 4, 3}};
  scale.parameters["scale"] = RandomTensor({3}, rng);
  scale.parameters["offset"] = RandomTensor({3}, rng);
  network.layers.push_back(scale);
  network.layers.push_back(
      {.name = "relu", .op = nn::Op::kRelu, .inputs = {"norm"}, .output_shape = {4, 4, 3}});
  nn::Layer pool{
      .name = "pool", .op = nn::Op::kMaxPool, .inputs = {"relu"}, .output_shape = {2, 2, 3}};
  pool.attributes.Set("pool", IntegerList({2, 2})).Set("strides", IntegerList({2, 2}));
  pool.attributes.Set("padding", IntegerList({0, 0, 0, 0}));
  network.layers.push_back(pool);
  network.layers.push_back(
      {.name = "flatten", .op = nn::Op::kFlatten, .inputs = {"pool"}, .output_shape = {12}});
  nn::Layer dense{.name = "fc", .op = nn::Op::kDense, .inputs = {"flatten"}, .output_shape = {4}};
  dense.parameters["kernel"] = RandomTensor({12, 4}, rng);
  dense.parameters["bias"] = RandomTensor({4}, rng);
  network.layers.push_back(dense);
  network.outputs = {"fc"};
  for (nn::Layer& layer : network.layers) {
    layer.types["result"] = {.type = {.width_bits = 7,
                                      .integer_bits = 3,
                                      .quantization = Quantization::kRnd,
                                      .overflow = Overflow::kSat}};
    for (auto& [name, tensor] : layer.parameters) {
      const FixedType type{.width_bits = 6, .integer_bits = 2};
      PutOnGrid(tensor, type);
      layer.types[name] = {.type = type};
    }
  }
  return network;
}

}  // namespace dovetail::testing

#endif  // DOVETAIL_TESTS_SUPPORT_QUANTIZED_NETWORKS_H_
