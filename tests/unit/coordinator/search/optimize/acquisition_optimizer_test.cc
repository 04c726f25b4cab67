#include "services/coordinator/search/optimize/acquisition_optimizer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "services/coordinator/search/optimize/bounded_ascent.h"
#include "tests/support/status_matchers.h"

namespace dovetail::search {
namespace {

TEST(BoundedAscentTest, FindsTheInnerMaximumOfABentRidge) {
  // Rosenbrock's valley, turned over.
  auto f = [](const Eigen::VectorXd& x, Eigen::VectorXd& g) {
    const double a = 0.6 - x[0], b = x[1] - x[0] * x[0];
    g.resize(2);
    g << 2 * a + 400 * b * x[0], -200 * b;
    return -a * a - 100 * b * b;
  };
  BoundedAscent climb(Eigen::Vector2d(0.05, 0.95), Eigen::Vector2d::Zero(),
                      Eigen::Vector2d::Ones());
  int evaluations = 0;
  while (!climb.done() && evaluations < 200) {
    Eigen::VectorXd g;
    const double value = f(climb.next(), g);
    climb.Tell(value, g);
    ++evaluations;
  }
  EXPECT_NEAR(climb.best()[0], 0.6, 2e-3);
  EXPECT_NEAR(climb.best()[1], 0.36, 2e-3);
  EXPECT_LT(evaluations, 120);
}

TEST(BoundedAscentTest, StopsInTheCornerThatTheSlopePointsTo) {
  BoundedAscent climb(Eigen::Vector3d::Constant(0.5), Eigen::Vector3d::Zero(),
                      Eigen::Vector3d::Ones());
  for (int i = 0; i < 100 && !climb.done(); ++i) {
    const Eigen::Vector3d slope(1, -2, 0.5);
    climb.Tell(slope.dot(climb.next()), slope);
  }
  EXPECT_TRUE(climb.done());
  EXPECT_EQ(climb.best(), Eigen::Vector3d(1, 0, 1));
}

TEST(BoundedAscentTest, NotANumberEndsTheClimb) {
  BoundedAscent climb(Eigen::Vector2d::Constant(0.5), Eigen::Vector2d::Zero(),
                      Eigen::Vector2d::Ones());
  climb.Tell(1.0, Eigen::Vector2d(1, 1));
  for (int i = 0; i < 50 && !climb.done(); ++i) climb.Tell(NAN, Eigen::Vector2d(NAN, NAN));
  EXPECT_TRUE(climb.done());
  EXPECT_EQ(climb.best_value(), 1.0);
}

class MixedOptimum : public ::testing::Test {
 protected:
  void SetUp() override {
    SearchSpace definition;
    for (int i = 0; i < 3; ++i) {
      Variable v;
      v.name = std::string("x") + std::to_string(i);
      definition.variables.push_back(v);
    }
    Variable n;
    n.name = "n";
    n.type = VariableType::kInteger;
    n.min = 0;
    n.max = 100;
    definition.variables.push_back(n);
    Variable c;
    c.name = "c";
    c.type = VariableType::kCategorical;
    c.levels = {"a", "b", "d", "e"};
    definition.variables.push_back(c);
    definition.constraints = {"x0 + x1 <= 1.2"};
    auto space = Space::Create(definition);
    ASSERT_OK(space);
    space_ = std::make_unique<Space>(*std::move(space));
  }

  // Best at x = (.3, .7, .5), n = 37, c = "d".
  Eigen::VectorXd Evaluate(const std::vector<Slots>& points, Eigen::MatrixXd* gradients) const {
    Eigen::VectorXd values(static_cast<Eigen::Index>(points.size()));
    const double centre[3] = {0.3, 0.7, 0.5};
    if (gradients != nullptr) gradients->setZero(values.size(), 5);
    for (Eigen::Index i = 0; i < values.size(); ++i) {
      const Slots& s = points[static_cast<size_t>(i)];
      double value = -0.001 * (s[3] - 37) * (s[3] - 37) - (s[4] == 2 ? 0 : 1 + 0.1 * s[4]);
      for (int k = 0; k < 3; ++k) {
        value -= 5 * (s[k] - centre[k]) * (s[k] - centre[k]);
        if (gradients != nullptr) (*gradients)(i, k) = -10 * (s[k] - centre[k]);
      }
      values[i] = value;
    }
    return values;
  }

  std::unique_ptr<Space> space_;
};

TEST_F(MixedOptimum, IsFoundExactlyInTheDiscretePart) {
  Rng rng(3);
  OptimizeOptions options;
  options.raw_count = 128;
  options.rounds = 8;
  const auto best = MaximizeAcquisition(
      *space_, [this](const std::vector<Slots>& p, Eigen::MatrixXd* g) { return Evaluate(p, g); },
      {}, [](const Slots&) { return true; }, options, rng);
  ASSERT_TRUE(best.has_value());
  EXPECT_EQ(best->slots[4], 2);
  EXPECT_NEAR(best->slots[3], 37, 1);
  EXPECT_NEAR(best->slots[0], 0.3, 1e-3);
  EXPECT_NEAR(best->slots[1], 0.7, 1e-3);
}

TEST_F(MixedOptimum, PointsThatAreNotNewAreNeverReturned) {
  Rng rng(4);
  OptimizeOptions options;
  options.raw_count = 64;
  const auto best = MaximizeAcquisition(
      *space_, [this](const std::vector<Slots>& p, Eigen::MatrixXd* g) { return Evaluate(p, g); },
      {}, [](const Slots& s) { return s[4] != 2 && s[3] != 37; }, options, rng);
  ASSERT_TRUE(best.has_value());
  EXPECT_NE(best->slots[4], 2);
  EXPECT_NE(best->slots[3], 37);
  EXPECT_TRUE(space_->IsLegal(best->slots));
}

}  // namespace
}  // namespace dovetail::search
