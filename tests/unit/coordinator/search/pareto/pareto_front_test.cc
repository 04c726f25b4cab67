#include "services/coordinator/search/pareto_front.h"

#include <gtest/gtest.h>

#include <cmath>

#include "common/base/rng.h"

namespace dovetail::search {
namespace {

TEST(ParetoFrontTest, KeepsNonDominatedAndFirstOfEquals) {
  const std::vector<Goal> goals = {Goal::kMaximize, Goal::kMinimize};
  EXPECT_EQ(ParetoFront({{1, 5}, {2, 5}, {2, 5}, {3, 9}, {0, 1}, {0, 2}, {NAN, 0}}, goals),
            (std::vector<int>{1, 3, 4}));
}

TEST(HypervolumeTest, KnownVolumes) {
  EXPECT_DOUBLE_EQ(Hypervolume({{1, 3}, {2, 2}, {3, 1}}, {4, 4}), 6.0);
  EXPECT_DOUBLE_EQ(Hypervolume({{5, 5}}, {4, 4}), 0.0);
  EXPECT_DOUBLE_EQ(Hypervolume({}, {4, 4}), 0.0);
  EXPECT_DOUBLE_EQ(Hypervolume({{2.5}, {1.5}}, {4}), 2.5);
  EXPECT_DOUBLE_EQ(Hypervolume({{0, 0, 0}}, {2, 3, 4}), 24.0);
}

// Inclusion and exclusion over all subsets.
double BruteForce(const std::vector<std::vector<double>>& points,
                  const std::vector<double>& reference) {
  double volume = 0;
  for (unsigned mask = 1; mask < (1u << points.size()); ++mask) {
    double product = 1;
    for (size_t k = 0; k < reference.size(); ++k) {
      double corner = -1e300;
      for (size_t i = 0; i < points.size(); ++i) {
        if (mask >> i & 1) corner = std::max(corner, points[i][k]);
      }
      product *= std::max(0.0, reference[k] - corner);
    }
    volume += __builtin_popcount(mask) % 2 == 1 ? product : -product;
  }
  return volume;
}

TEST(HypervolumeTest, EqualsInclusionAndExclusion) {
  Rng rng(5);
  for (int objectives = 2; objectives <= 5; ++objectives) {
    for (int repeat = 0; repeat < 20; ++repeat) {
      std::vector<std::vector<double>> points(9, std::vector<double>(objectives));
      for (auto& point : points) {
        for (double& x : point) x = std::floor(rng.Uniform() * 12) / 10;
      }
      const std::vector<double> reference(objectives, 1.0);
      EXPECT_NEAR(Hypervolume(points, reference), BruteForce(points, reference), 1e-12);
    }
  }
}

}  // namespace
}  // namespace dovetail::search
