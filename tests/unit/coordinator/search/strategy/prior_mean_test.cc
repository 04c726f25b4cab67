// The analytic model as prior mean must help where it is right and not hurt where it misleads.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "services/coordinator/search/strategy.h"
#include "tests/support/status_matchers.h"

namespace dovetail::search {
namespace {

double Lut(double a, double b, double c) {
  return 1000 * a * b + 300 * c + 120 * std::sin(7 * a) + 80 * std::cos(9 * c * b) + 400;
}

// Best of 14 trials, minimising lut over three variables.
double BestLut(uint64_t seed, const PriorMean& prior) {
  Problem problem;
  for (const char* name : {"a", "b", "c"}) {
    Variable variable;
    variable.name = name;
    variable.min = 0.1;
    problem.space.variables.push_back(variable);
  }
  problem.objectives = {{"lut", Goal::kMinimize}};
  problem.initial_count = 5;
  problem.seed = seed;
  problem.prior_mean = prior;
  auto strategy = MakeStrategy("gp", problem);
  EXPECT_OK(strategy);
  double best = 1e300;
  for (int trial = 1; trial <= 14; ++trial) {
    RefitNow(**strategy);
    auto suggestion = (*strategy)->Suggest(trial);
    EXPECT_OK(suggestion);
    const Point& p = suggestion->point;
    Observation observation;
    observation.trial = trial;
    observation.point = p;
    const double lut = Lut(p.at("a").AsNumber(), p.at("b").AsNumber(), p.at("c").AsNumber());
    observation.metrics["lut"] = lut;
    best = std::min(best, lut);
    (*strategy)->AddPending(trial, p);
    (*strategy)->Tell(observation);
  }
  return best;
}

double MedianOfTwenty(const PriorMean& prior) {
  std::vector<double> values;
  for (uint64_t seed = 1; seed <= 20; ++seed) values.push_back(BestLut(seed, prior));
  std::sort(values.begin(), values.end());
  return 0.5 * (values[9] + values[10]);
}

TEST(PriorMeanTest, AMisleadingModelCostsLessThanATenth) {
  const double without = MedianOfTwenty(nullptr);
  const double with = MedianOfTwenty([](const std::string&, const Point& p) {
    const double a = p.at("a").AsNumber(), b = p.at("b").AsNumber();
    return std::optional<double>(2000 - 1500 * a * b + 700 * std::sin(20 * p.at("c").AsNumber()));
  });
  EXPECT_LE(with, 1.1 * without);
}

TEST(PriorMeanTest, AGoodModelDoesNotHurt) {
  const double without = MedianOfTwenty(nullptr);
  const double with = MedianOfTwenty([](const std::string& metric, const Point& p) {
    EXPECT_EQ(metric, "lut");
    return std::optional<double>(900 * p.at("a").AsNumber() * p.at("b").AsNumber() +
                                 350 * p.at("c").AsNumber() + 100);
  });
  EXPECT_LE(with, 1.01 * without);
}

TEST(PriorMeanTest, AModelThatKnowsNothingOfAMetricIsLeftOut) {
  EXPECT_GT(BestLut(1, [](const std::string&, const Point&) { return std::optional<double>(); }),
            0);
}

}  // namespace
}  // namespace dovetail::search
