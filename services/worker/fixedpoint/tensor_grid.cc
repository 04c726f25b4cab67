#include "services/worker/fixedpoint/tensor_grid.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace dovetail::fixedpoint {

int MaxFractionBits(const nn::TensorType& type) {
  int bits = type.elements.empty() ? type.type.fraction_bits() : type.elements[0].fraction_bits();
  for (const FixedType& element : type.elements) bits = std::max(bits, element.fraction_bits());
  return bits;
}

absl::StatusOr<const nn::TensorType*> TypeOf(const nn::Layer& layer, const std::string& name) {
  const auto it = layer.types.find(name);
  if (it != layer.types.end()) return &it->second;
  return absl::InvalidArgumentError(absl::StrCat(nn::OpName(layer.op), " layer \"", layer.name,
                                                 "\" has no type for its ", name,
                                                 "; quantise the network first"));
}

absl::StatusOr<std::vector<int64_t>> RawParameter(const nn::Layer& layer, const std::string& name) {
  const absl::StatusOr<const nn::TensorType*> type = TypeOf(layer, name);
  if (!type.ok()) return type.status();
  const std::vector<float>& values = layer.parameters.at(name).values;
  std::vector<int64_t> raws(values.size());
  for (size_t e = 0; e < values.size(); ++e) {
    const FixedType& element = TypeAt(**type, static_cast<int64_t>(e));
    raws[e] = FromDouble(values[e], element);
    if (static_cast<float>(ToDouble(raws[e], element)) != values[e]) {
      return absl::InvalidArgumentError(
          absl::StrCat("layer \"", layer.name, "\": element ", e, " of its ", name, ", ", values[e],
                       ", is not a value of ", FixedTypeToText(element)));
    }
  }
  return raws;
}

Interval RangeOf(const FixedType& type) { return {MinRaw(type), MaxRaw(type)}; }

int BitsFor(const Interval& interval, bool is_signed) {
  int bits = is_signed ? 1 : 0;
  while (true) {
    const Wide high = (static_cast<Wide>(1) << (bits - (is_signed ? 1 : 0))) - 1;
    const Wide low = is_signed ? -high - 1 : 0;
    if (interval.low >= low && interval.high <= high) return std::max(bits, 1);
    if (++bits > 126) return 127;
  }
}

}  // namespace dovetail::fixedpoint
