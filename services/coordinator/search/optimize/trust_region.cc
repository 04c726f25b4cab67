#include "services/coordinator/search/optimize/trust_region.h"

#include <algorithm>
#include <cmath>

namespace dovetail::search {
namespace {

constexpr double kStart = 0.8;
constexpr double kLargest = 1.6;
constexpr double kSmallest = 0.0078125;  // 2^-7
constexpr int kSuccesses = 3;            // in a row, until it doubles

}  // namespace

double TrustRegionSide(const std::vector<bool>& successes, int dimensions) {
  const int tolerance = std::max(4, dimensions);  // failures in a row, until it halves
  double side = kStart;
  int good = 0, bad = 0;
  for (bool success : successes) {
    good = success ? good + 1 : 0;
    bad = success ? 0 : bad + 1;
    if (good == kSuccesses) {
      side = std::min(2 * side, kLargest);
      good = 0;
    } else if (bad == tolerance) {
      side /= 2;
      bad = 0;
    }
    if (side < kSmallest) side = kStart;
  }
  return side;
}

Box TrustRegionBox(const std::vector<double>& centre, const Eigen::VectorXd& lengths, double side) {
  Box box;
  const Eigen::VectorXd logs = lengths.array().log();
  const double mean = logs.size() > 0 ? logs.mean() : 0.0;
  for (size_t g = 0; g < centre.size(); ++g) {
    // Beyond a factor of four a length scale says "irrelevant", not "go far".
    const double weight =
        std::exp(std::clamp(logs[static_cast<Eigen::Index>(g)] - mean, -1.386, 1.386));
    box.lower.push_back(std::clamp(centre[g] - 0.5 * weight * side, 0.0, 1.0));
    box.upper.push_back(std::clamp(centre[g] + 0.5 * weight * side, 0.0, 1.0));
  }
  return box;
}

}  // namespace dovetail::search
