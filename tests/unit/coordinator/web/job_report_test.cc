#include "services/coordinator/web/job_report.h"

#include <gtest/gtest.h>

#include "tests/unit/coordinator/web/report_for_test.h"

namespace dovetail::report {
namespace {

TEST(JobReportTest, SmallestDesignWithinOnePointIsCompared) {
  const auto comparison = CompareWithReferences(SmallReport());
  ASSERT_TRUE(comparison.has_value());
  EXPECT_EQ(comparison->trial, 3);
  EXPECT_TRUE(comparison->within);
  EXPECT_DOUBLE_EQ(comparison->accuracy, 0.7525);
  ASSERT_EQ(comparison->reductions.size(), 4u);
  EXPECT_EQ(comparison->reductions[0].reference, "baseline");
  EXPECT_EQ(comparison->reductions[0].metric, "dsp");
  EXPECT_DOUBLE_EQ(*comparison->reductions[0].fraction, 1.0);
  EXPECT_DOUBLE_EQ(*comparison->reductions[1].fraction, 0.9);
  // The 6-bit design has no DSP: nothing to reduce.
  EXPECT_FALSE(comparison->reductions[2].fraction.has_value());
  EXPECT_DOUBLE_EQ(*comparison->reductions[3].fraction, 0.5);
}

TEST(JobReportTest, WithNobodyWithinOnePointTheMostAccurateStandsIn) {
  JobReport report = SmallReport();
  report.measured["float_network"].Put("accuracy", 0.78, "fraction", "");
  const auto comparison = CompareWithReferences(report);
  EXPECT_FALSE(comparison->within);
  EXPECT_EQ(comparison->trial, 1);
}

TEST(JobReportTest, EmptyFrontHasNoComparison) {
  JobReport report = SmallReport();
  report.front.clear();
  EXPECT_FALSE(CompareWithReferences(report).has_value());
}

TEST(JobReportTest, ReferenceThatFailedIsLeftOut) {
  JobReport report = SmallReport();
  report.references[0].designs.clear();
  const auto comparison = CompareWithReferences(report);
  EXPECT_EQ(comparison->reductions.size(), 2u);
}

TEST(JobReportTest, StandardErrorsOfTheDropAddInSquare) {
  Comparison comparison;
  EXPECT_EQ(DropStandardError(comparison), 0);
  comparison.test_accuracy = Metric{.value = 0.75, .standard_error = 0.003};
  comparison.float_test_accuracy = Metric{.value = 0.76, .standard_error = 0.004};
  EXPECT_DOUBLE_EQ(DropStandardError(comparison), 0.005);
}

TEST(JobReportTest, TimingSaysHowThePathIsKnown) {
  Measurement measurement;
  EXPECT_EQ(TimingOf(measurement), "");
  measurement.Put("estimated_critical_path_ns", 4, "ns", "");
  EXPECT_EQ(TimingOf(measurement), "estimated");
  measurement.Put("placed_critical_path_ns", 5, "ns", "");
  EXPECT_EQ(TimingOf(measurement), "placed");
  measurement.Put("vendor_critical_path_ns", 5, "ns", "");
  EXPECT_EQ(TimingOf(measurement), "vendor");
}

}  // namespace
}  // namespace dovetail::report
