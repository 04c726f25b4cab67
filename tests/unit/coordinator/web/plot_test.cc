#include "services/coordinator/web/plot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace dovetail::report {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(PlotTest, TicksAreRound) {
  EXPECT_THAT(Ticks(0, 10, 5), ElementsAre(0, 2, 4, 6, 8, 10));
  EXPECT_THAT(Ticks(0.1, 0.35, 3), ElementsAre(0.1, 0.2, 0.3));
  EXPECT_THAT(Ticks(3, 3, 5), ElementsAre(3));
}

TEST(PlotTest, LogTicksArePowersAndBetweenThemWhereFew) {
  EXPECT_THAT(LogTicks(900, 6000), ElementsAre(1000, 2000, 5000));
  EXPECT_THAT(LogTicks(1, 1e5), ElementsAre(1, 10, 100, 1000, 1e4, 1e5));
}

TEST(PlotTest, PointsThatCannotBeDrawnAreLeftOut) {
  Plot plot{.title = "t", .log_x = true};
  plot.series = {
      {.css_class = "c", .points = {{0, 1, "zero"}, {10, std::nan(""), "nan"}, {10, 2, "good"}}}};
  const std::string svg = ToSvg(plot);
  EXPECT_THAT(svg, HasSubstr("good"));
  EXPECT_THAT(svg, Not(HasSubstr("zero")));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

TEST(PlotTest, WithoutPointsItSaysSo) {
  EXPECT_THAT(ToSvg(Plot{.title = "t"}), HasSubstr("nothing measured"));
}

TEST(PlotTest, LabelsAreEscaped) {
  Plot plot{.title = "<b>"};
  plot.series = {{.css_class = "c", .points = {{1, 1, "a<b"}}, .text = true}};
  EXPECT_THAT(ToSvg(plot), Not(HasSubstr("a<b")));
  EXPECT_THAT(ToSvg(plot), Not(HasSubstr("<b>")));
}

}  // namespace
}  // namespace dovetail::report
