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

// What is known to be bad lies above (of warped, signed values) and is clipped there.
enum class Tail {
  kKept,
  kObjective,   // beyond 5 interquartile ranges above the third quartile: no detail a search needs
  kConstraint,  // beyond twice the median distance from the bound: the boundary is what matters
};

// Mean, deviation and clip of `raw` under a warp. bound: raw, for kConstraint.
OutputTransform FitTransform(const std::vector<double>& raw, Warp warp, double sign, Tail tail,
                             double bound = 0);

}  // namespace dovetail::search

#endif  // DOVETAIL_SERVICES_COORDINATOR_SEARCH_SURROGATE_OUTPUT_TRANSFORM_H_
