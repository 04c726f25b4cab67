#include "services/coordinator/search/acquisition/acquisition.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/base/rng.h"
#include "services/coordinator/search/acquisition/normal.h"
#include "services/coordinator/search/pareto_front.h"

namespace dovetail::search {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::vector<std::vector<double>> RandomFront(Rng& rng, int objectives, int count) {
  std::vector<std::vector<double>> points(count, std::vector<double>(objectives));
  for (auto& point : points) {
    for (double& x : point) x = rng.Uniform();
  }
  std::vector<std::vector<double>> front;
  for (int i : ParetoFront(points, std::vector<Goal>(objectives, Goal::kMinimize))) {
    front.push_back(points[i]);
  }
  return front;
}

TEST(BoxDecompositionTest, BoxesGiveTheVolumeAPointAdds) {
  Rng rng(7);
  for (int objectives = 1; objectives <= 4; ++objectives) {
    const std::vector<double> reference(objectives, 1.1);
    for (int repeat = 0; repeat < 30; ++repeat) {
      const auto front = RandomFront(rng, objectives, 12);
      const BoxDecomposition boxes = DecomposeNonDominated(front, reference);
      std::vector<double> y(objectives);
      for (double& x : y) x = rng.Uniform() * 1.2 - 0.1;
      double volume = 0;
      for (const auto& box : boxes.boxes) {
        double product = 1;
        for (int k = 0; k < objectives; ++k) {
          const double upper = boxes.edges[k][box.upper[k]];
          const double lower = box.lower[k] < 0 ? -kInfinity : boxes.edges[k][box.lower[k]];
          product *= std::max(0.0, upper - std::max(lower, y[k]));
        }
        volume += product;
      }
      auto with = front;
      with.push_back(y);
      EXPECT_NEAR(volume, Hypervolume(with, reference) - Hypervolume(front, reference), 1e-12)
          << objectives;
    }
  }
}

TEST(BoxDecompositionTest, BoxesStayFewInThreeObjectives) {
  Rng rng(8);
  const auto front = RandomFront(rng, 3, 300);
  EXPECT_LE(DecomposeNonDominated(front, {2, 2, 2}).boxes.size(), 2 * front.size() + 1);
}

TEST(AcquisitionTest, OneObjectiveIsLogExpectedImprovement) {
  const Acquisition acquisition(1, {DecomposeNonDominated({{0.3}}, {0.3})}, {});
  for (double mean : {-1.0, 0.3, 2.0, 40.0, 1e4}) {
    PointPosterior posterior{Eigen::MatrixXd::Constant(1, 1, mean),
                             Eigen::VectorXd::Constant(1, 0.5)};
    const double expected = std::log(0.5) + LogImprovementH((0.3 - mean) / 0.5);
    EXPECT_NEAR(acquisition.Value(posterior, nullptr), expected,
                1e-12 * std::abs(expected) + 1e-12);
  }
}

TEST(AcquisitionTest, TwoObjectivesEqualMonteCarlo) {
  Rng rng(9);
  const std::vector<std::vector<double>> front = {{0.1, 0.9}, {0.4, 0.5}, {0.8, 0.2}};
  const std::vector<double> reference = {1, 1};
  const Acquisition acquisition(2, {DecomposeNonDominated(front, reference)}, {});
  PointPosterior posterior{Eigen::MatrixXd(2, 1), Eigen::VectorXd(2)};
  posterior.mean << 0.35, 0.45;
  posterior.deviation << 0.2, 0.1;
  const double before = Hypervolume(front, reference);
  double sum = 0;
  constexpr int kDraws = 200000;
  for (int i = 0; i < kDraws; ++i) {
    auto with = front;
    with.push_back({0.35 + 0.2 * rng.Normal(), 0.45 + 0.1 * rng.Normal()});
    sum += Hypervolume(with, reference) - before;
  }
  EXPECT_NEAR(std::exp(acquisition.Value(posterior, nullptr)), sum / kDraws,
              0.003 * sum / kDraws * 3);
}

// Value and gradient near and far from the front, with two draws and constraints.
TEST(AcquisitionTest, GradientsEqualDifferences) {
  Rng rng(10);
  for (int objectives = 1; objectives <= 3; ++objectives) {
    const std::vector<double> reference(objectives, 1.0);
    const std::vector<Interval> constraints = {{objectives, -kInfinity, 0.2},
                                               {objectives + 1, -0.5, 0.7}};
    for (double offset : {0.0, 3.0, 60.0}) {
      const Acquisition acquisition(
          objectives,
          {DecomposeNonDominated(RandomFront(rng, objectives, 8), reference),
           DecomposeNonDominated(RandomFront(rng, objectives, 8), reference)},
          constraints);
      const int outputs = objectives + 2;
      PointPosterior posterior{Eigen::MatrixXd(outputs, 2), Eigen::VectorXd(outputs)};
      for (int k = 0; k < outputs; ++k) {
        for (int s = 0; s < 2; ++s) posterior.mean(k, s) = rng.Uniform() + offset;
        posterior.deviation[k] = 0.1 + rng.Uniform();
      }
      PointGradient gradient;
      const double value = acquisition.Value(posterior, &gradient);
      EXPECT_EQ(value, acquisition.Value(posterior, nullptr));
      constexpr double kStep = 1e-6;
      for (int k = 0; k < outputs; ++k) {
        for (int s = 0; s < 3; ++s) {
          PointPosterior up = posterior, down = posterior;
          double& a = s < 2 ? up.mean(k, s) : up.deviation[k];
          double& b = s < 2 ? down.mean(k, s) : down.deviation[k];
          a += kStep;
          b -= kStep;
          const double slope =
              (acquisition.Value(up, nullptr) - acquisition.Value(down, nullptr)) / (2 * kStep);
          const double given = s < 2 ? gradient.mean(k, s) : gradient.deviation[k];
          EXPECT_NEAR(given, slope,
                      2e-5 * std::max(1.0, std::abs(slope)) + 1e-9 * std::abs(value) / kStep * 1e-6)
              << objectives << " " << offset << " " << k << " " << s;
        }
      }
    }
  }
}

TEST(AcquisitionTest, HopelessPointsAreFiniteAndOrdered) {
  const Acquisition acquisition(2, {DecomposeNonDominated({{0, 0}}, {1, 1})}, {});
  double last = 0;
  for (double far : {1e2, 1e4, 1e6}) {
    PointPosterior posterior{Eigen::MatrixXd::Constant(2, 1, far), Eigen::VectorXd::Ones(2)};
    PointGradient gradient;
    const double value = acquisition.Value(posterior, &gradient);
    EXPECT_TRUE(std::isfinite(value));
    EXPECT_LT(value, last);
    EXPECT_TRUE(gradient.mean.allFinite() && gradient.deviation.allFinite());
    last = value;
  }
}

TEST(IntervalProbabilityTest, TailsAndDerivatives) {
  for (const auto& [a, b] : std::vector<std::pair<double, double>>{
           {-1, 1}, {5, 6}, {-9, -8.5}, {30, 31}, {-40, -39}, {-kInfinity, -50}, {20, kInfinity}}) {
    double da = 0, db = 0;
    const double value = LogIntervalProbability(a, b, &da, &db);
    EXPECT_TRUE(std::isfinite(value));
    const double h = 1e-6;
    if (!std::isinf(a)) {
      const double slope = (LogIntervalProbability(a + h, b, nullptr, nullptr) -
                            LogIntervalProbability(a - h, b, nullptr, nullptr)) /
                           (2 * h);
      EXPECT_NEAR(da, slope, 1e-4 * std::max(1.0, std::abs(slope)));
    }
    if (!std::isinf(b)) {
      const double slope = (LogIntervalProbability(a, b + h, nullptr, nullptr) -
                            LogIntervalProbability(a, b - h, nullptr, nullptr)) /
                           (2 * h);
      EXPECT_NEAR(db, slope, 1e-4 * std::max(1.0, std::abs(slope)));
    }
  }
}

}  // namespace
}  // namespace dovetail::search
