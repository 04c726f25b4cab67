// What can be said of the dashboards without running them.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "tests/integration/dashboards/dashboard_files.h"
#include "tests/support/status_matchers.h"

namespace dovetail {
namespace {

using ::testing::HasSubstr;
using testing::ReadDashboard;

constexpr const char* kGrafana = DOVETAIL_SOURCE_DIR "/deploy/grafana/";

class DashboardFilesTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(dashboard_,
                         ReadDashboard(std::string(kGrafana) + "dashboards/" + GetParam()));
  }
  Value dashboard_;
};

TEST_P(DashboardFilesTest, PanelsHaveOwnNumbersAndDoNotOverlap) {
  std::set<double> ids;
  std::set<std::pair<int, int>> taken;
  for (const Value& panel : dashboard_["panels"].AsList()) {
    EXPECT_TRUE(ids.insert(panel["id"].AsNumber()).second) << panel["title"].AsString();
    const Value& place = panel["gridPos"];
    const int left = static_cast<int>(place["x"].AsNumber());
    const int right = left + static_cast<int>(place["w"].AsNumber());
    EXPECT_LE(right, 24) << panel["title"].AsString();
    const int top = static_cast<int>(place["y"].AsNumber());
    for (int y = top; y < top + static_cast<int>(place["h"].AsNumber()); ++y) {
      for (int x = left; x < right; ++x) {
        EXPECT_TRUE(taken.insert({x, y}).second) << panel["title"].AsString();
      }
    }
  }
}

TEST_P(DashboardFilesTest, EveryPanelAsksAProvisionedSource) {
  ASSERT_OK_AND_ASSIGN(const std::string sources,
                       ReadFile(std::string(kGrafana) + "provisioning/datasources/dovetail.yml"));
  for (const Value& panel : dashboard_["panels"].AsList()) {
    if (panel["type"].AsString() == "row") continue;
    EXPECT_FALSE(panel["targets"].AsList().empty()) << panel["title"].AsString();
    for (const Value& target : panel["targets"].AsList()) {
      EXPECT_THAT(sources, HasSubstr("uid: " + target["datasource"]["uid"].AsString() + "\n"))
          << panel["title"].AsString();
      EXPECT_TRUE(target.Has("expr") || target.Has("rawSql"));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, DashboardFilesTest, ::testing::Values("fleet.json", "job.json"),
                         [](const auto& info) {
                           const std::string file = info.param;
                           return file.substr(0, file.find('.'));
                         });

TEST(FillMacrosTest, TimeFiltersAndVariablesAreFilledIn) {
  EXPECT_EQ(testing::FillMacros("SELECT $job_id WHERE $__timeFilter(a.t) AND x", 7),
            "SELECT 7 WHERE (a.t BETWEEN now() - interval '1 hour' AND now()) AND x");
  EXPECT_EQ(testing::FillMacros("rate(x[$__rate_interval])", 7), "rate(x[15s])");
}

}  // namespace
}  // namespace dovetail
