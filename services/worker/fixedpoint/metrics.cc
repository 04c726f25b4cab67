#include "services/worker/fixedpoint/metrics.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace dovetail::fixedpoint {
namespace {

// log(sum of exp) of the sample's logits, without overflow.
double LogSumExp(const double* logits, int64_t width) {
  const double largest = *std::max_element(logits, logits + width);
  double sum = 0;
  for (int64_t c = 0; c < width; ++c) sum += std::exp(logits[c] - largest);
  return largest + std::log(sum);
}

// log of the probability of `label`.
double LogProbability(const double* logits, int64_t width, int32_t label) {
  if (width > 1) return logits[label] - LogSumExp(logits, width);
  const double signed_logit = label == 1 ? logits[0] : -logits[0];
  return signed_logit > 0 ? -std::log1p(std::exp(-signed_logit))
                          : signed_logit - std::log1p(std::exp(signed_logit));
}

}  // namespace

template <typename Number>
std::vector<int32_t> Classes(absl::Span<const Number> logits, int64_t width) {
  std::vector<int32_t> classes;
  for (size_t start = 0; start + width <= logits.size(); start += width) {
    const Number* row = logits.data() + start;
    classes.push_back(width == 1 ? static_cast<int32_t>(row[0] > 0)
                                 : static_cast<int32_t>(std::max_element(row, row + width) - row));
  }
  return classes;
}
template std::vector<int32_t> Classes<float>(absl::Span<const float>, int64_t);
template std::vector<int32_t> Classes<double>(absl::Span<const double>, int64_t);
template std::vector<int32_t> Classes<int64_t>(absl::Span<const int64_t>, int64_t);

double FractionEqual(absl::Span<const int32_t> a, absl::Span<const int32_t> b) {
  if (a.empty()) return 0;
  int64_t equal = 0;
  for (size_t i = 0; i < a.size(); ++i) equal += a[i] == b[i];
  return static_cast<double>(equal) / static_cast<double>(a.size());
}

double ProportionError(double p, int64_t count) {
  return count > 0 ? std::sqrt(p * (1 - p) / static_cast<double>(count)) : 0;
}

LogLoss LogLossOf(absl::Span<const double> logits, int64_t width,
                  absl::Span<const int32_t> labels) {
  LogLoss loss;
  double squares = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    const double one = -LogProbability(logits.data() + i * width, width, labels[i]);
    loss.mean += one;
    squares += one * one;
  }
  const double count = static_cast<double>(labels.size());
  if (count == 0) return loss;
  loss.mean /= count;
  loss.standard_error = std::sqrt(std::max(0.0, squares / count - loss.mean * loss.mean) / count);
  return loss;
}

double AreaUnderCurve(absl::Span<const double> logits, int64_t width,
                      absl::Span<const int32_t> labels, int32_t label) {
  std::vector<std::pair<double, bool>> scored;
  for (size_t i = 0; i < labels.size(); ++i) {
    const double score = LogProbability(logits.data() + i * width, width, label);
    scored.emplace_back(score, labels[i] == label);
  }
  std::sort(scored.begin(), scored.end());
  double positives = 0;
  double rank_sum = 0;
  for (size_t i = 0; i < scored.size();) {
    size_t end = i;
    double positives_here = 0;
    for (; end < scored.size() && scored[end].first == scored[i].first; ++end) {
      positives_here += scored[end].second ? 1 : 0;
    }
    rank_sum += positives_here * (static_cast<double>(i + end + 1) / 2);  // mean rank of the ties
    positives += positives_here;
    i = end;
  }
  const double negatives = static_cast<double>(scored.size()) - positives;
  if (positives == 0 || negatives == 0) return 0.5;
  return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives);
}

}  // namespace dovetail::fixedpoint
