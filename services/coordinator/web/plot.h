// Scatter and line plots as inline SVG. Pure; the same input gives the same bytes.
#ifndef DOVETAIL_SERVICES_COORDINATOR_WEB_PLOT_H_
#define DOVETAIL_SERVICES_COORDINATOR_WEB_PLOT_H_

#include <string>
#include <vector>

namespace dovetail::report {

struct PlotPoint {
  double x = 0;
  double y = 0;
  std::string label;  // shown when pointed at
};

struct PlotSeries {
  std::string name;
  std::string css_class;  // colours and shapes are the page's
  std::vector<PlotPoint> points;
  bool dots = true;
  bool steps = false;  // joined by a staircase, x first
  bool text = false;   // labels written beside the dots
};

struct Plot {
  std::string title;
  std::string x_title;
  std::string y_title;
  bool log_x = false;  // points with x <= 0 are left out
  std::vector<PlotSeries> series;
  int width_px = 640;
  int height_px = 400;
};

// Points that are not finite are left out; without any, a frame that says so.
std::string ToSvg(const Plot& plot);

// Round values that cover [low, high], at most about `count` of them, rising. low <= high.
std::vector<double> Ticks(double low, double high, int count);
// Powers of ten, and where they are few their doubles and fives. 0 < low <= high.
std::vector<double> LogTicks(double low, double high);

}  // namespace dovetail::report

#endif  // DOVETAIL_SERVICES_COORDINATOR_WEB_PLOT_H_
