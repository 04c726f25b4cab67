#include "services/coordinator/search/surrogate/gaussian_process.h"

#include <gtest/gtest.h>

#include <cmath>

#include "common/base/rng.h"

namespace dovetail::search {
namespace {

const std::vector<int> kGroups = {0, 1, 1, 2};

GpData RandomData(int n, uint64_t seed, bool basis) {
  Rng rng(seed);
  GpData data;
  data.x.resize(n, 4);
  data.h.resize(n, basis ? 1 : 0);
  data.y.resize(n);
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < 4; ++j) data.x(i, j) = rng.Uniform();
    if (basis) data.h(i, 0) = rng.Normal();
    data.y[i] = std::sin(3 * data.x(i, 0)) + data.x(i, 1) + 0.1 * rng.Normal() +
                (basis ? data.h(i, 0) : 0.0);
  }
  return data;
}

GpParameters SomeParameters(int basis) {
  GpParameters p;
  p.log_length = Eigen::VectorXd::LinSpaced(3, -0.7, 0.4);
  p.log_signal = 0.3;
  p.log_noise = -3;
  p.log_basis = Eigen::VectorXd::Constant(basis, -0.5);
  return p;
}

TEST(GaussianProcessTest, PosteriorDensityGradientEqualsDifferences) {
  for (bool basis : {false, true}) {
    const GpData data = RandomData(25, 1, basis);
    const GpPriors priors = DefaultPriors(3);
    const GpParameters p = SomeParameters(basis ? 1 : 0);
    Eigen::VectorXd gradient;
    NegativeLogPosterior(data, kGroups, priors, p, &gradient);
    auto at = [&](int index, double step) {
      GpParameters moved = p;
      if (index < 3) {
        moved.log_length[index] += step;
      } else if (index == 3) {
        moved.log_signal += step;
      } else if (index == 4) {
        moved.log_noise += step;
      } else {
        moved.log_basis[index - 5] += step;
      }
      return NegativeLogPosterior(data, kGroups, priors, moved, nullptr);
    };
    for (int i = 0; i < gradient.size(); ++i) {
      const double slope = (at(i, 1e-5) - at(i, -1e-5)) / 2e-5;
      EXPECT_NEAR(gradient[i], slope, 1e-6 * std::max(1.0, std::abs(slope))) << i;
    }
  }
}

TEST(GaussianProcessTest, AppendingEqualsRefactoring) {
  const GpData all = RandomData(30, 2, true);
  GpData first{all.x.topRows(20), all.h.topRows(20), all.y.head(20)};
  GpData rest{all.x.bottomRows(10), all.h.bottomRows(10), all.y.tail(10)};
  GaussianProcess grown(SomeParameters(1), first, kGroups);
  grown.Append(rest);
  const GaussianProcess whole(SomeParameters(1), all, kGroups);
  const GpData probe = RandomData(15, 3, true);
  const auto a = grown.Predict(probe.x, probe.h, false);
  const auto b = whole.Predict(probe.x, probe.h, false);
  EXPECT_LT((a.mean - b.mean).cwiseAbs().maxCoeff(), 1e-10);
  EXPECT_LT((a.variance - b.variance).cwiseAbs().maxCoeff(), 1e-10);
}

TEST(GaussianProcessTest, PredictionGradientsEqualDifferences) {
  GaussianProcess process(SomeParameters(1), RandomData(20, 4, true), kGroups);
  const GpData probe = RandomData(3, 5, true);
  Eigen::MatrixXd normals(2, 2);
  normals << 0.3, -1, 0.7, 0.2;
  process.AppendFantasies(RandomData(2, 6, true).x, RandomData(2, 6, true).h, normals);
  Eigen::MatrixXd mean_weight(3, 2);
  mean_weight << 1, 0.5, -1, 2, 0.3, 0.1;
  const Eigen::VectorXd variance_weight = Eigen::VectorXd::LinSpaced(3, -1, 2);
  auto value = [&](const Eigen::MatrixXd& x, const Eigen::MatrixXd& h) {
    const auto p = process.Predict(x, h, false);
    return mean_weight.cwiseProduct(p.mean).sum() + variance_weight.dot(p.variance);
  };
  const auto prediction = process.Predict(probe.x, probe.h, true);
  Eigen::MatrixXd by_basis = Eigen::MatrixXd::Zero(3, 1);
  const Eigen::MatrixXd gradient =
      process.Gradient(prediction, mean_weight, variance_weight, &by_basis);
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 4; ++j) {
      Eigen::MatrixXd up = probe.x, down = probe.x;
      up(i, j) += 1e-6;
      down(i, j) -= 1e-6;
      EXPECT_NEAR(gradient(i, j), (value(up, probe.h) - value(down, probe.h)) / 2e-6, 1e-6);
    }
  }
}

TEST(GaussianProcessTest, FantasiesCollapseThePosteriorAtPendingPoints) {
  GaussianProcess process(SomeParameters(0), RandomData(20, 7, false), kGroups);
  const GpData pending = RandomData(2, 8, false);
  const auto before = process.Predict(pending.x, pending.h, false);
  const Eigen::MatrixXd draws =
      process.AppendFantasies(pending.x, pending.h, Eigen::MatrixXd::Zero(4, 2));
  const auto after = process.Predict(pending.x, pending.h, false);
  EXPECT_EQ(after.mean.cols(), 4);
  EXPECT_LT(after.variance.maxCoeff(), before.variance.maxCoeff());
  // A draw of zero is the mean itself.
  EXPECT_NEAR(draws(0, 0), before.mean(0, 0), 1e-12);
  EXPECT_NEAR(draws(3, 1), before.mean(1, 0), 1e-12);
}

TEST(GaussianProcessTest, LeaveOneOutEqualsRefitting) {
  const GpData data = RandomData(12, 9, false);
  const GaussianProcess process(SomeParameters(0), data, kGroups);
  Eigen::VectorXd mean, variance;
  process.LeaveOneOut(&mean, &variance);
  GpData without{data.x.bottomRows(11), data.h.bottomRows(11), data.y.tail(11)};
  const GaussianProcess rest(SomeParameters(0), without, kGroups);
  const auto p = rest.Predict(data.x.topRows(1), data.h.topRows(1), false);
  EXPECT_NEAR(mean[0], p.mean(0, 0), 1e-9);
  EXPECT_NEAR(variance[0], p.variance[0] + std::exp(-3.0), 1e-9);
}

TEST(GaussianProcessTest, DuplicatesAndConstantsAreFactored) {
  GpData data = RandomData(20, 10, false);
  for (int i = 10; i < 20; ++i) data.x.row(i) = data.x.row(0);
  data.y.setZero();
  GpParameters p = SomeParameters(0);
  p.log_noise = -40;
  const GaussianProcess process(p, data, kGroups);
  const auto prediction = process.Predict(data.x, data.h, true);
  EXPECT_TRUE(prediction.mean.allFinite() && prediction.variance.allFinite());
  EXPECT_GT(prediction.variance.minCoeff(), 0);
  const GpPriors priors = DefaultPriors(3);
  const GpParameters fitted =
      FitParameters(data, kGroups, priors, {InitialParameters(3, 0, priors)}, 40);
  EXPECT_TRUE(fitted.log_length.allFinite());
}

TEST(GaussianProcessTest, FittingFindsTheRelevantGroup) {
  GpData data = RandomData(40, 11, false);
  for (int i = 0; i < 40; ++i) data.y[i] = std::sin(6 * data.x(i, 3));
  const GpPriors priors = DefaultPriors(3);
  const GpParameters fitted =
      FitParameters(data, kGroups, priors, {InitialParameters(3, 0, priors)}, 100);
  EXPECT_LT(fitted.log_length[2], fitted.log_length[0] - 1);
  EXPECT_LT(fitted.log_length[2], fitted.log_length[1] - 1);
}

}  // namespace
}  // namespace dovetail::search
