#include "services/coordinator/web/tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/web/report_for_test.h"

namespace dovetail::report {
namespace {

using ::testing::HasSubstr;

constexpr char kHeader[] =
    "trial,state,accuracy,dsp,lut,ff,bram,latency_cycles,initiation_interval_cycles,"
    "estimated_critical_path_ns,latency_ns_at_target,timing,rate,scope\n";

TEST(TablesTest, FrontCsvHasTheAgreedColumnsSmallestFirst) {
  EXPECT_EQ(ToCsv(FrontTable(SmallReport())),
            std::string(kHeader) +
                "3,succeeded,0.7525,0,6000,3000,,12,1,4.25,60,estimated,0.75,\"a,b\"\n"
                "1,succeeded,0.76,4,9000,4500,,12,1,4.25,60,estimated,0.5,layer\n");
}

TEST(TablesTest, TrialsCsvHasEveryTrialAlsoOneWithoutADesign) {
  EXPECT_EQ(ToCsv(TrialsTable(SmallReport())),
            std::string(kHeader) +
                "1,succeeded,0.76,4,9000,4500,,12,1,4.25,60,estimated,0.5,layer\n"
                "2,infeasible,0.5,0,2000,1000,,12,1,4.25,60,estimated,0.9,\"a,b\"\n"
                "3,succeeded,0.7525,0,6000,3000,,12,1,4.25,60,estimated,0.75,\"a,b\"\n"
                "4,abandoned,,,,,,,,,,,0.3,layer\n");
}

TEST(TablesTest, ReferencesCsvBeginsWithTheFloatNetwork) {
  const std::string csv = ToCsv(ReferencesTable(SmallReport()));
  EXPECT_THAT(csv, HasSubstr("\nfloat_network,succeeded,0.76,,"));
  EXPECT_THAT(csv, HasSubstr("\n6-bit,succeeded,0.758,0,12000,"));
}

TEST(TablesTest, SummaryNamesFrontReferencesAndReductions) {
  const std::string text = SummaryText(SmallReport());
  EXPECT_THAT(text, HasSubstr("Pareto front: 2 designs\n"));
  EXPECT_THAT(text, HasSubstr("float network"));
  EXPECT_THAT(text, HasSubstr("within 1 point of the float network: trial 3, accuracy 0.7525 "
                              "(float 0.7600, -0.75 points)"));
  EXPECT_THAT(text, HasSubstr("Against baseline: DSPs 1,000 -> 0 (-100.0 %), LUTs 60,000 -> 6,000 "
                              "(-90.0 %)"));
  EXPECT_THAT(text, HasSubstr("Against 6-bit: DSPs 0 -> 0, LUTs 12,000 -> 6,000 (-50.0 %)"));
}

TEST(TablesTest, TestSplitIsReportedWithItsError) {
  JobReport report = SmallReport();
  report.front[0].design.measurement.Put("test_accuracy", 0.75, "fraction", "", 0.003);
  report.measured["test/float_network"].Put("accuracy", 0.76, "fraction", "", 0.004);
  EXPECT_THAT(SummaryText(report), HasSubstr("a drop of 1.00 +- 0.50 points"));
}

TEST(TablesTest, JobWithoutADesignSaysSo) {
  JobReport report = SmallReport();
  report.front.clear();
  EXPECT_THAT(SummaryText(report), HasSubstr("No feasible design was found."));
}

TEST(TablesTest, CountsAreGrouped) {
  EXPECT_EQ(Grouped(0), "0");
  EXPECT_EQ(Grouped(999), "999");
  EXPECT_EQ(Grouped(-1234567), "-1,234,567");
  EXPECT_EQ(Grouped(1.5), "1.5");
}

}  // namespace
}  // namespace dovetail::report
