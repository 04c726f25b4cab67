#include "services/worker/train/optimizer.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace dovetail::train {

absl::StatusOr<OptimizerKind> ParseOptimizerKind(absl::string_view name) {
  if (name == "adam") return OptimizerKind::kAdam;
  if (name == "adamw") return OptimizerKind::kAdamW;
  if (name == "sgd") return OptimizerKind::kSgd;
  return absl::InvalidArgumentError(
      absl::StrCat("there is no optimizer \"", name, "\"; known: adam, adamw, sgd"));
}

absl::StatusOr<ScheduleKind> ParseScheduleKind(absl::string_view name) {
  if (name == "constant") return ScheduleKind::kConstant;
  if (name == "cosine") return ScheduleKind::kCosine;
  if (name == "one_cycle") return ScheduleKind::kOneCycle;
  return absl::InvalidArgumentError(
      absl::StrCat("there is no schedule \"", name, "\"; known: constant, cosine, one_cycle"));
}

double LearningRateFactor(ScheduleKind schedule, double progress) {
  if (schedule == ScheduleKind::kConstant) return 1;
  const double rise = schedule == ScheduleKind::kCosine ? 0.03 : 0.3;
  if (progress < rise) return progress / rise;
  const double t = std::min(1.0, (progress - rise) / (1 - rise));
  return 0.5 * (1 + std::cos(M_PI * t));
}

void Optimizer::Reset(int64_t parameter_count) {
  step_ = 0;
  first_.assign(parameter_count, 0.0f);
  second_.assign(parameter_count, 0.0f);
}

void Optimizer::Keep(const std::vector<int32_t>& kept) {
  for (size_t i = 0; i < kept.size(); ++i) {
    first_[i] = first_[kept[i]];
    second_[i] = second_[kept[i]];
  }
  first_.resize(kept.size());
  second_.resize(kept.size());
}

void Optimizer::Step(double learning_rate, const std::vector<float>& gradient,
                     const std::vector<float>& is_kernel, const std::vector<float>& low,
                     const std::vector<float>& high, std::vector<float>& parameters) {
  ++step_;
  const size_t n = parameters.size();
  const bool is_adamw = options_.kind == OptimizerKind::kAdamW;
  const float l1 = static_cast<float>(options_.l1);
  const float l2 = is_adamw ? 0.0f : static_cast<float>(options_.l2);
  const float shrink = is_adamw ? static_cast<float>(learning_rate * options_.l2) : 0.0f;
  const float beta1 = static_cast<float>(options_.beta1);
  const float beta2 = static_cast<float>(options_.beta2);
  float* const p = parameters.data();
  float* const first = first_.data();
  float* const second = second_.data();
  const float* const g = gradient.data();
  const float* const kernel = is_kernel.data();
  if (options_.kind == OptimizerKind::kSgd) {
    const float rate = static_cast<float>(learning_rate);
    for (size_t i = 0; i < n; ++i) {
      const float sign = p[i] > 0 ? 1.0f : (p[i] < 0 ? -1.0f : 0.0f);
      first[i] = beta1 * first[i] + g[i] + kernel[i] * (l2 * p[i] + l1 * sign);
      p[i] = std::min(std::max(p[i] - rate * first[i], low[i]), high[i]);
    }
    return;
  }
  const double correction1 = 1 - std::pow(options_.beta1, static_cast<double>(step_));
  const double correction2 = 1 - std::pow(options_.beta2, static_cast<double>(step_));
  const float rate = static_cast<float>(learning_rate / correction1);
  const float inverse_root = static_cast<float>(1 / std::sqrt(correction2));
  const float epsilon = static_cast<float>(options_.epsilon);
  for (size_t i = 0; i < n; ++i) {
    const float sign = p[i] > 0 ? 1.0f : (p[i] < 0 ? -1.0f : 0.0f);
    const float d = g[i] + kernel[i] * (l2 * p[i] + l1 * sign);
    first[i] = beta1 * first[i] + (1 - beta1) * d;
    second[i] = beta2 * second[i] + (1 - beta2) * d * d;
    const float step = rate * first[i] / (std::sqrt(second[i]) * inverse_root + epsilon);
    const float value = p[i] - step - shrink * kernel[i] * p[i];
    p[i] = std::min(std::max(value, low[i]), high[i]);
  }
}

}  // namespace dovetail::train
