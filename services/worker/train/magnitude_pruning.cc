#include "services/worker/train/magnitude_pruning.h"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace dovetail::train {

double CubicSparsity(double initial, double rate, double begin, double end, double progress) {
  if (progress < begin) return initial;
  if (progress >= end || end <= begin) return rate;
  const double left = 1 - (progress - begin) / (end - begin);
  return rate + (initial - rate) * left * left * left;
}

void RemoveSmallest(double rate, absl::Span<PrunableTensor> tensors) {
  struct Candidate {
    float magnitude;
    int32_t tensor;
    int32_t element;
  };
  std::vector<Candidate> kept;
  int64_t total = 0;
  for (size_t t = 0; t < tensors.size(); ++t) {
    total += static_cast<int64_t>(tensors[t].values.size());
    for (size_t i = 0; i < tensors[t].values.size(); ++i) {
      if (!tensors[t].is_kept[i]) continue;
      kept.push_back(
          {std::fabs(tensors[t].values[i]), static_cast<int32_t>(t), static_cast<int32_t>(i)});
    }
  }
  const int64_t target_zeros = std::llround(rate * static_cast<double>(total));
  const int64_t present_zeros = total - static_cast<int64_t>(kept.size());
  const int64_t removed = std::clamp<int64_t>(target_zeros - present_zeros, 0, kept.size());
  const auto by_rank = [](const Candidate& a, const Candidate& b) {
    return std::tie(a.magnitude, a.tensor, a.element) < std::tie(b.magnitude, b.tensor, b.element);
  };
  if (removed < static_cast<int64_t>(kept.size())) {
    std::nth_element(kept.begin(), kept.begin() + removed, kept.end(), by_rank);
  }
  for (int64_t k = 0; k < removed; ++k) tensors[kept[k].tensor].is_kept[kept[k].element] = 0;
}

}  // namespace dovetail::train
