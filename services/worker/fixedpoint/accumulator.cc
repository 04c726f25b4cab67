#include "services/worker/fixedpoint/accumulator.h"

#include <algorithm>
#include <cstdlib>

#include "services/worker/fixedpoint/engine.h"
#include "services/worker/fixedpoint/fixed_value.h"

namespace dovetail::fixedpoint {
namespace {

// The raw values of a parameter, saturated where it is off its grid (RawParameter refuses those).
int64_t RawAt(const nn::Layer& layer, const std::string& name, int64_t e) {
  return FromDouble(layer.parameters.at(name).values[e], TypeAt(layer.types.at(name), e));
}

// Entries of `input_type` that row `row` of the kernel may meet: for a dense layer its own element,
// for a convolution its channel, or all where types differ by position.
struct InputEntries {
  int64_t first = 0;
  int64_t count = 1;
};

InputEntries EntriesOf(const nn::Layer& layer, const nn::TensorType& input_type, int64_t row) {
  const int64_t entries = static_cast<int64_t>(input_type.elements.size());
  if (entries == 0) return {0, 1};
  const nn::Shape& kernel = layer.parameters.at("kernel").shape;
  const int64_t channels = kernel[kernel.size() - 2];  // of one group
  const int64_t groups = layer.attributes.Has("groups")
                             ? static_cast<int64_t>(layer.attributes["groups"].AsNumber())
                             : 1;
  if (entries == channels * groups && groups == 1) return {row % channels, 1};
  return {0, entries};
}

// Upper bound of the bits of the exact sum, without overflow on the way.
int WorstBits(const nn::Layer& layer, const nn::TensorType& input_type, int64_t rows) {
  int bits = 2;  // the sign and the bias
  for (int64_t n = 1; n < rows + 1; n *= 2) ++bits;
  const auto widest = [](const nn::TensorType& type, int fraction_bits) {
    int widest_bits = 0;
    for (size_t e = 0; e < std::max<size_t>(1, type.elements.size()); ++e) {
      const FixedType& one = TypeAt(type, static_cast<int64_t>(e));
      widest_bits =
          std::max(widest_bits, one.width_bits + std::abs(fraction_bits - one.fraction_bits()));
    }
    return widest_bits;
  };
  const nn::TensorType& kernel = layer.types.at("kernel");
  int product =
      widest(kernel, MaxFractionBits(kernel)) + widest(input_type, MaxFractionBits(input_type));
  const int fraction_bits = AccumulatorFractionBits(layer, input_type);
  product += fraction_bits - MaxFractionBits(kernel) - MaxFractionBits(input_type);
  if (const auto bias = layer.types.find("bias"); bias != layer.types.end()) {
    product = std::max(product, widest(bias->second, fraction_bits));
  }
  return bits + product;
}

}  // namespace

int AccumulatorFractionBits(const nn::Layer& layer, const nn::TensorType& input_type) {
  int bits = MaxFractionBits(input_type) + MaxFractionBits(layer.types.at("kernel"));
  const auto bias = layer.types.find("bias");
  if (bias != layer.types.end()) bits = std::max(bits, MaxFractionBits(bias->second));
  return bits;
}

std::vector<Interval> AccumulatorRanges(const nn::Layer& layer, const nn::TensorType& input_type) {
  const nn::Tensor& kernel = layer.parameters.at("kernel");
  const nn::TensorType& kernel_type = layer.types.at("kernel");
  const int64_t columns = kernel.shape.back();
  const int64_t rows = nn::ElementCount(kernel.shape) / columns;
  const int fraction_bits = AccumulatorFractionBits(layer, input_type);
  std::vector<Interval> ranges(static_cast<size_t>(columns));
  if (WorstBits(layer, input_type, rows) > 124) {
    const Wide huge = (static_cast<Wide>(1) << 126) - 1;
    ranges.assign(ranges.size(), {-huge, huge});
    return ranges;
  }
  for (int64_t row = 0; row < rows; ++row) {
    const InputEntries entries = EntriesOf(layer, input_type, row);
    for (int64_t column = 0; column < columns; ++column) {
      const int64_t e = row * columns + column;
      const FixedType& weight_type = TypeAt(kernel_type, e);
      const Wide weight = WideRaw(RawAt(layer, "kernel", e), weight_type);
      if (weight == 0) continue;
      Interval product;  // contains 0: the product may not have been added yet
      for (int64_t i = 0; i < entries.count; ++i) {
        const FixedType& type = TypeAt(input_type, entries.first + i);
        const int shift = fraction_bits - weight_type.fraction_bits() - type.fraction_bits();
        for (Wide end : {MinRaw(type), MaxRaw(type)}) {
          const Wide value = ShiftLeft(end * weight, shift);
          product.low = std::min(product.low, value);
          product.high = std::max(product.high, value);
        }
      }
      ranges[column].low += product.low;
      ranges[column].high += product.high;
    }
  }
  if (!layer.parameters.contains("bias") || !layer.types.contains("bias")) return ranges;
  for (int64_t column = 0; column < columns; ++column) {
    const FixedType& type = TypeAt(layer.types.at("bias"), column);
    const Wide bias = ShiftLeft(WideRaw(RawAt(layer, "bias", column), type),
                                fraction_bits - type.fraction_bits());
    ranges[column].low += std::min<Wide>(bias, 0);
    ranges[column].high += std::max<Wide>(bias, 0);
  }
  return ranges;
}

FixedType ExactAccumulatorType(const nn::Layer& layer, const nn::TensorType& input_type) {
  Interval all;
  for (const Interval& one : AccumulatorRanges(layer, input_type)) {
    all.low = std::min(all.low, one.low);
    all.high = std::max(all.high, one.high);
  }
  FixedType type;
  type.is_signed = true;
  type.width_bits = BitsFor(all, true);
  type.integer_bits = type.width_bits - AccumulatorFractionBits(layer, input_type);
  return type;
}

}  // namespace dovetail::fixedpoint
