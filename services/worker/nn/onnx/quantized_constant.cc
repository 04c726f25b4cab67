#include "services/worker/nn/onnx/quantized_constant.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/worker/nn/onnx/import_context.h"

namespace dovetail::nn::onnx_file {
namespace {

double At(const std::vector<double>& numbers, size_t i) {
  return numbers.size() == 1 ? numbers[0] : numbers[i];
}

// One type where all are equal, one per last dimension where columns agree, else one per element.
TensorType Compress(std::vector<FixedType> elements, int64_t channels) {
  TensorType type;
  type.type = elements[0];
  const bool uniform = std::all_of(elements.begin(), elements.end(),
                                   [&](const FixedType& t) { return t == elements[0]; });
  if (uniform) return type;
  bool by_channel = true;
  for (size_t i = static_cast<size_t>(channels); i < elements.size() && by_channel; ++i) {
    by_channel = elements[i] == elements[i % static_cast<size_t>(channels)];
  }
  if (by_channel) elements.resize(static_cast<size_t>(channels));
  type.elements = std::move(elements);
  return type;
}

}  // namespace

Constant PermuteConstant(const Constant& constant, const std::vector<int>& order) {
  Constant result = constant;
  const size_t rank = constant.shape.size();
  std::vector<int64_t> from_stride(rank, 1);
  for (size_t d = rank; d-- > 1;) from_stride[d - 1] = from_stride[d] * constant.shape[d];
  for (size_t d = 0; d < rank; ++d) result.shape[d] = constant.shape[order[d]];
  for (size_t i = 0; i < constant.values.size(); ++i) {
    int64_t rest = static_cast<int64_t>(i);
    int64_t from = 0;
    for (size_t d = rank; d-- > 0;) {
      from += rest % result.shape[d] * from_stride[order[d]];
      rest /= result.shape[d];
    }
    result.values[i] = constant.values[from];
    if (constant.quant_scale.size() > 1) result.quant_scale[i] = constant.quant_scale[from];
    if (constant.quant_bits.size() > 1) result.quant_bits[i] = constant.quant_bits[from];
  }
  return result;
}

bool IsPowerOfTwo(double scale) {
  int exponent = 0;
  return std::isfinite(scale) && scale > 0 && std::frexp(scale, &exponent) == 0.5;
}

double RoundAs(const std::string& rounding, double x) {
  if (rounding == "CEIL") return std::ceil(x);
  if (rounding == "FLOOR") return std::floor(x);
  if (rounding == "ROUND_TO_ZERO" || rounding == "DOWN") return std::trunc(x);
  if (rounding == "UP") return x < 0 ? std::floor(x) : std::ceil(x);
  if (rounding == "HALF_UP") return std::copysign(std::floor(std::abs(x) + 0.5), x);
  if (rounding == "HALF_DOWN") return std::copysign(std::ceil(std::abs(x) - 0.5), x);
  // ROUND, HALF_EVEN: to nearest, ties to even.
  const double below = std::floor(x);
  const double rest = x - below;
  if (rest != 0.5) return rest < 0.5 ? below : below + 1;
  return std::fmod(below, 2.0) == 0 ? below : below + 1;
}

absl::StatusOr<FixedType> QuantType(const Node& node, double scale, double bits, bool is_signed,
                                    bool is_narrow, const std::string& rounding) {
  if (!(bits >= 1 && bits <= 64) || bits != std::floor(bits)) {
    return Refuse(node, absl::StrCat("its bit width ", bits, " is not a whole number in 1..64"));
  }
  FixedType type;
  int exponent = 0;
  std::frexp(scale, &exponent);  // scale = 2^(exponent - 1)
  type.width_bits = static_cast<int>(bits);
  type.integer_bits = type.width_bits + exponent - 1;
  if (type.integer_bits < -256 || type.integer_bits > 256) {
    return Refuse(node, absl::StrCat("its scale ", scale, " is out of range"));
  }
  type.is_signed = is_signed;
  type.overflow = is_signed && is_narrow ? Overflow::kSatSym : Overflow::kSat;
  if (rounding == "ROUND" || rounding == "HALF_EVEN") {
    type.quantization = Quantization::kRndConv;
  } else if (rounding == "FLOOR") {
    type.quantization = Quantization::kTrn;
  } else if (rounding == "ROUND_TO_ZERO" || rounding == "DOWN") {
    type.quantization = Quantization::kTrnZero;
  } else if (rounding == "HALF_UP") {
    type.quantization = Quantization::kRndInf;
  } else if (rounding == "HALF_DOWN") {
    type.quantization = Quantization::kRndZero;
  } else {
    return Refuse(node,
                  absl::StrCat("its rounding mode \"", rounding, "\" has no ap_fixed counterpart"));
  }
  return type;
}

absl::StatusOr<QuantizedParameter> ToQuantizedParameter(const Node& node,
                                                        const Constant& constant) {
  QuantizedParameter result;
  result.tensor = ToTensor(constant);
  if (constant.quant_scale.empty() || constant.values.empty()) return result;
  const int64_t channels = constant.shape.empty() ? 1 : constant.shape.back();
  const bool powers = std::all_of(constant.quant_scale.begin(), constant.quant_scale.end(),
                                  [](double scale) { return IsPowerOfTwo(scale); });
  std::vector<FixedType> types;
  for (size_t i = 0; i < constant.values.size(); ++i) {
    ASSIGN_OR_RETURN(
        const FixedType type,
        QuantType(node, powers ? At(constant.quant_scale, i) : 1.0, At(constant.quant_bits, i),
                  constant.quant_signed, constant.quant_narrow, constant.quant_rounding));
    types.push_back(type);
    if (constant.quant_scale.size() == 1 && constant.quant_bits.size() == 1) break;
  }
  result.type = Compress(std::move(types), channels);
  if (powers) return result;
  const bool single = constant.quant_scale.size() == 1;
  for (size_t i = 0; i < constant.values.size(); ++i) {
    const double scale = At(constant.quant_scale, i);
    if (!single && scale != constant.quant_scale[i % static_cast<size_t>(channels)]) {
      return Refuse(node,
                    "its weights' scales are no powers of two and differ within an output channel");
    }
    if (scale == 0 || !std::isfinite(scale)) return Refuse(node, "a scale is zero or not finite");
    result.tensor.values[i] = static_cast<float>(std::round(constant.values[i] / scale));
  }
  const int64_t scale_count = single ? 1 : channels;
  result.scale.shape = {scale_count};
  result.scale.values.assign(constant.quant_scale.begin(),
                             constant.quant_scale.begin() + scale_count);
  return result;
}

}  // namespace dovetail::nn::onnx_file
