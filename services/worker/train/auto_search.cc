#include "services/worker/train/auto_search.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/status_macros.h"

namespace dovetail::train {

Value SearchTrace::ToTable() const {
  Value table{Value::List()};
  for (const SearchStep& step : steps) {
    Value row{Value::Map()};
    row.Set("point", step.point);
    row.Set("accuracy", step.accuracy);
    row.Set("accepted", step.is_accepted);
    table.Append(std::move(row));
  }
  return table;
}

std::string SearchTrace::ToPlot(double reference_accuracy) const {
  constexpr int kWidth = 40;
  double lowest = reference_accuracy;
  double highest = reference_accuracy;
  for (const SearchStep& step : steps) {
    lowest = std::min(lowest, step.accuracy);
    highest = std::max(highest, step.accuracy);
  }
  std::string plot = absl::StrFormat("  point  accuracy  %.4f .. %.4f\n", lowest, highest);
  const double span = std::max(highest - lowest, 1e-9);
  for (const SearchStep& step : steps) {
    const int length =
        1 + static_cast<int>(std::lround((kWidth - 1) * (step.accuracy - lowest) / span));
    absl::StrAppendFormat(&plot, "%7.4f  %8.4f  %-40s %s\n", step.point, step.accuracy,
                          std::string(length, '#'), step.is_accepted ? "accepted" : "refused");
  }
  return plot;
}

absl::StatusOr<SearchTrace> Bisect(const BisectionOptions& options,
                                   const std::function<absl::StatusOr<double>(double)>& measure) {
  SearchTrace trace;
  double low = options.low;
  double high = options.high;
  double point = options.start;
  if (!(point > low && point < high)) point = (low + high) / 2;
  while (static_cast<int>(trace.steps.size()) < options.max_evaluations) {
    ASSIGN_OR_RETURN(const double accuracy, measure(point));
    const bool is_accepted = accuracy >= options.reference_accuracy - options.tolerance;
    if (is_accepted) trace.best = static_cast<int>(trace.steps.size());
    trace.steps.push_back({point, accuracy, is_accepted});
    (is_accepted ? low : high) = point;
    const double next = (low + high) / 2;
    if (std::fabs(next - point) < options.resolution) break;
    point = next;
  }
  return trace;
}

absl::StatusOr<SearchTrace> Descend(const std::vector<double>& points,
                                    const DescentOptions& options,
                                    const std::function<absl::StatusOr<double>(double)>& measure) {
  SearchTrace trace;
  int refused_in_a_row = 0;
  for (const double point : points) {
    if (static_cast<int>(trace.steps.size()) >= options.max_evaluations) break;
    ASSIGN_OR_RETURN(const double accuracy, measure(point));
    const bool is_accepted = accuracy >= options.reference_accuracy - options.tolerance;
    if (is_accepted) trace.best = static_cast<int>(trace.steps.size());
    trace.steps.push_back({point, accuracy, is_accepted});
    refused_in_a_row = is_accepted ? 0 : refused_in_a_row + 1;
    if (refused_in_a_row >= options.patience) break;
  }
  return trace;
}

}  // namespace dovetail::train
