#include "services/worker/nn/weight_statistics.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <vector>

namespace dovetail::nn {

FixedType FitWeightType(absl::Span<const float> values, int width_bits) {
  double largest = 0;
  for (float value : values) largest = std::max(largest, std::abs(static_cast<double>(value)));
  FixedType type{.width_bits = width_bits,
                 .integer_bits = 1,
                 .is_signed = true,
                 .quantization = Quantization::kRnd,
                 .overflow = Overflow::kSat};
  if (largest > 0) {
    int exponent = 0;
    const double mantissa = std::frexp(largest, &exponent);  // largest = mantissa * 2^exponent
    type.integer_bits = (mantissa == 0.5 ? exponent - 1 : exponent) + 1;
  }
  return type;
}

int CsdDigitCount(int64_t number) {
  const uint64_t magnitude = static_cast<uint64_t>(std::llabs(number));
  return std::popcount(magnitude ^ (3 * magnitude));
}

LayerSummary::CsdStatistics CsdStatisticsOf(absl::Span<const float> kernel, int64_t columns,
                                            int width_bits) {
  const FixedType type = FitWeightType(kernel, width_bits);
  const double scale = std::ldexp(1.0, type.fraction_bits());
  const double limit = std::ldexp(1.0, width_bits - 1);
  LayerSummary::CsdStatistics statistics;
  int64_t digits = 0;
  std::vector<int64_t> multipliers;
  for (size_t row = 0; row + columns <= kernel.size(); row += columns) {
    multipliers.clear();
    for (int64_t j = 0; j < columns; ++j) {
      const double rounded = std::floor(kernel[row + j] * scale + 0.5);
      const int64_t raw = static_cast<int64_t>(std::clamp(rounded, -limit, limit - 1));
      const int count = CsdDigitCount(raw);
      digits += count;
      statistics.nonzero_weights += raw != 0;
      if (count >= 3) multipliers.push_back(raw);
    }
    std::sort(multipliers.begin(), multipliers.end());
    statistics.distinct_multipliers +=
        std::unique(multipliers.begin(), multipliers.end()) - multipliers.begin();
  }
  if (!kernel.empty()) {
    statistics.mean_nonzero_digits =
        static_cast<double>(digits) / static_cast<double>(kernel.size());
  }
  return statistics;
}

}  // namespace dovetail::nn
