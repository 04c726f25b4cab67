// How good logits are against labels: accuracy, log loss, areas under ROC curves, agreement.
// Called by the evaluate task.
#ifndef DOVETAIL_SERVICES_WORKER_FIXEDPOINT_METRICS_H_
#define DOVETAIL_SERVICES_WORKER_FIXEDPOINT_METRICS_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace dovetail::fixedpoint {

// Class of each sample: the argmax of its logits, first maximum wins; with one logit, class 1 where
// it is positive. logits: [count x width]. Instantiated for float, double and int64_t.
template <typename Number>
std::vector<int32_t> Classes(absl::Span<const Number> logits, int64_t width);

// Fraction of equal entries; 0 for none. Precondition: equal sizes.
double FractionEqual(absl::Span<const int32_t> a, absl::Span<const int32_t> b);

// sqrt(p (1 - p) / n), the standard error of a proportion.
double ProportionError(double p, int64_t count);

struct LogLoss {
  double mean = 0;
  double standard_error = 0;
};
// Cross entropy in nats of softmax(logits); with one logit, of the sigmoid.
LogLoss LogLossOf(absl::Span<const double> logits, int64_t width, absl::Span<const int32_t> labels);

// Area under the ROC curve of class `label` against the rest, by the softmax probability; ties
// count half. 0.5 where one side is empty. Source: Hanley and McNeil 1982 (the Mann-Whitney
// statistic).
double AreaUnderCurve(absl::Span<const double> logits, int64_t width,
                      absl::Span<const int32_t> labels, int32_t label);

}  // namespace dovetail::fixedpoint

#endif  // DOVETAIL_SERVICES_WORKER_FIXEDPOINT_METRICS_H_
