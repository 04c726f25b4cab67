#include "services/worker/train/auto_search.h"

#include <gtest/gtest.h>

#include <cmath>

namespace dovetail::train {
namespace {

// Accuracy 0.8 up to `limit`, then falls steeply.
auto Cliff(double limit) {
  return [limit](double rate) -> absl::StatusOr<double> { return rate <= limit ? 0.8 : 0.5; };
}

TEST(BisectTest, FindsEveryLimitWithinTheResolution) {
  for (int percent = 1; percent < 100; ++percent) {
    const double limit = percent / 100.0;
    BisectionOptions options;
    options.reference_accuracy = 0.8;
    const SearchTrace trace = Bisect(options, Cliff(limit)).value();
    double best = 0;
    if (trace.best >= 0) best = trace.steps[trace.best].point;
    EXPECT_LE(best, limit);
    EXPECT_GT(best, limit - 2 * options.resolution) << limit;
    EXPECT_LE(trace.steps.size(), 7u);
  }
}

TEST(BisectTest, NothingAcceptableIsSaidSo) {
  BisectionOptions options;
  options.reference_accuracy = 0.9;
  const SearchTrace trace = Bisect(options, Cliff(0.5)).value();
  EXPECT_EQ(trace.best, -1);
}

TEST(BisectTest, EvaluationsAreCapped) {
  BisectionOptions options;
  options.reference_accuracy = 0.8;
  options.resolution = 0;
  options.max_evaluations = 5;
  EXPECT_EQ(Bisect(options, Cliff(0.7)).value().steps.size(), 5u);
}

TEST(DescendTest, StopsAfterPatienceAndReturnsTheLastAccepted) {
  DescentOptions options;
  options.reference_accuracy = 0.8;
  options.patience = 2;
  const auto measure = [](double factor) -> absl::StatusOr<double> {
    return factor == 0.75 || factor < 0.6 ? 0.7 : 0.8;
  };
  const SearchTrace trace =
      Descend({0.875, 0.75, 0.625, 0.5, 0.375, 0.25}, options, measure).value();
  ASSERT_EQ(trace.steps.size(), 5u);
  EXPECT_EQ(trace.steps[trace.best].point, 0.625);
}

TEST(SearchTraceTest, PlotHasALinePerStep) {
  BisectionOptions options;
  options.reference_accuracy = 0.8;
  const SearchTrace trace = Bisect(options, Cliff(0.7)).value();
  const std::string plot = trace.ToPlot(0.8);
  EXPECT_EQ(std::count(plot.begin(), plot.end(), '\n'),
            static_cast<int64_t>(trace.steps.size()) + 1);
  EXPECT_NE(plot.find("refused"), std::string::npos);
  EXPECT_EQ(trace.ToTable().AsList().size(), trace.steps.size());
}

}  // namespace
}  // namespace dovetail::train
