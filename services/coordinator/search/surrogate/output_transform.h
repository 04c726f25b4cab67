// From a metric's raw numbers to what a Gaussian process likes: minimised, logarithmic where that
// fits better, bad tail clipped, mean 0 and deviation 1. Called by SurrogateModel.
#ifndef DOVETAIL_SERVICES_COORDINATOR_SEARCH_SURROGATE_OUTPUT_TRANSFORM_H_
#define DOVETAIL_SERVICES_COORDINATOR_SEARCH_SURROGATE_OUTPUT_TRANSFORM_H_

#include <limits>
#include <vector>

#include "absl/status/statusor.h"
#include "common/domain/value.h"

namespace dovetail::search {

enum class Warp { kNone, kLog, kLog1p };

struct OutputTransform {
  Warp warp = Warp::kNone;
  double sign = 1;  // -1: larger is better
  double mean = 0;
  double deviation = 1;
  double clip = std::numeric_limits<double>::infinity();  // of transformed values, from above

  // Infinite where the warp is not defined (a bound below the range of a logarithm).
  double Forward(double raw) const;
  double Clipped(double raw) const;  // Forward, winsorised
  double Backward(double value) const;
  // Sum of log |d warped / d raw|, for comparing densities of warps.
  double LogSlope(const std::vector<double>& raw) const;

  Value ToValue() const;
  static OutputTransform FromValue(const Value& value);
};

// The warps worth trying: logarithms for positive values that span more than a decade.
std::vector<Warp> PlausibleWarps(const std::vector<double>& raw);

// Mean, deviation and clip of `raw` under a warp. clip_tail: values further than 5 interquartile
// ranges above the third quartile are clipped there (they carry no detail a search needs).
OutputTransform FitTransform(const std::vector<double>& raw, Warp warp, double sign,
                             bool clip_tail);

}  // namespace dovetail::search

#endif  // DOVETAIL_SERVICES_COORDINATOR_SEARCH_SURROGATE_OUTPUT_TRANSFORM_H_
