#include "services/worker/train/parameter_cast.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace dovetail::train {

void ParameterCast::Reset(const std::vector<ParameterBlock>& blocks,
                          const std::vector<ParameterRef>& order) {
  blocks_ = &blocks;
  order_ = order;
  is_float_ = true;
  is_uniform_ = true;
  low_.assign(order.size(), -std::numeric_limits<float>::infinity());
  high_.assign(order.size(), std::numeric_limits<float>::infinity());
  scale_.clear();
  step_.clear();
  raw_low_.clear();
  raw_high_.clear();
  for (size_t i = 0; i < order.size(); ++i) {
    const QuantizerSet& type = blocks[order[i].block].type;
    if (type.empty()) {
      is_uniform_ = false;
      continue;
    }
    is_float_ = false;
    const Quantizer& quantizer = type.At(order[i].element);
    const bool saturates = quantizer.type.overflow == Overflow::kSat;
    is_uniform_ = is_uniform_ && saturates && quantizer.type.quantization == Quantization::kRnd;
    if (saturates) {
      low_[i] = static_cast<float>(quantizer.low());
      high_[i] = static_cast<float>(quantizer.high());
    }
    scale_.push_back(quantizer.scale);
    step_.push_back(quantizer.step);
    raw_low_.push_back(quantizer.raw_low);
    raw_high_.push_back(quantizer.raw_high);
  }
}

void ParameterCast::Apply(absl::Span<const float> masters, std::vector<float>& values) const {
  const size_t n = masters.size();
  values.resize(n);
  if (is_float_) {
    std::copy(masters.begin(), masters.end(), values.begin());
    return;
  }
  if (is_uniform_) {
    const float* const in = masters.data();
    float* const out = values.data();
    for (size_t i = 0; i < n; ++i) {
      const double raw = std::floor(in[i] * scale_[i] + 0.5);
      out[i] = static_cast<float>(std::min(std::max(raw, raw_low_[i]), raw_high_[i]) * step_[i]);
    }
    return;
  }
  for (size_t i = 0; i < n; ++i) {
    const QuantizerSet& type = (*blocks_)[order_[i].block].type;
    values[i] = type.empty() ? masters[i]
                             : static_cast<float>(type.At(order_[i].element).Apply(masters[i]));
  }
}

}  // namespace dovetail::train
