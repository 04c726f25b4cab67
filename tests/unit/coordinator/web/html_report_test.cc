#include "services/coordinator/web/html_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/web/report_for_test.h"

namespace dovetail::report {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(HtmlReportTest, HasEverySection) {
  const std::string html = HtmlReport(SmallReport());
  for (const char* part :
       {"<h2>Result</h2>", "<h2>Designs</h2>", "<h2>Pareto front</h2>", "<h2>References</h2>",
        "<h2>Flow</h2>", "<h2>Where the numbers come from</h2>", "<h2>Versions and seeds</h2>",
        "accuracy at least float_network + -0.02", "trial 3: accuracy 0.7525, lut 6,000",
        "yosys 0.23", "= rate", "</html>"}) {
    EXPECT_THAT(html, HasSubstr(part));
  }
}

TEST(HtmlReportTest, NeedsNothingFromOutside) {
  const std::string html = HtmlReport(SmallReport());
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, Not(HasSubstr("src=")));
  EXPECT_THAT(html, Not(HasSubstr("href=")));
  EXPECT_THAT(html, Not(ContainsRegex("url\\([^#]")));
}

TEST(HtmlReportTest, NamesAreEscaped) {
  JobReport report = SmallReport();
  report.message = "<script>x</script>";
  report.spec.flow.tasks[0].parameters["rate"] = "</svg><script>";
  EXPECT_THAT(HtmlReport(report), Not(HasSubstr("<script>")));
}

TEST(HtmlReportTest, SameReportSameBytes) {
  EXPECT_EQ(HtmlReport(SmallReport()), HtmlReport(SmallReport()));
}

TEST(HtmlReportTest, JobWithoutTrialsStillMakesAPage) {
  JobReport report;
  report.spec.name = "empty";
  EXPECT_THAT(HtmlReport(report), HasSubstr("nothing measured"));
}

}  // namespace
}  // namespace dovetail::report
