#include "services/coordinator/web/plot.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/coordinator/web/table.h"
#include "services/coordinator/web/tables.h"

namespace dovetail::report {
namespace {

constexpr int kLeftPx = 70;
constexpr int kRightPx = 20;
constexpr int kTopPx = 34;
constexpr int kBottomPx = 48;

// Data to pixels along one axis.
class Axis {
 public:
  Axis(double low, double high, bool log, double from_px, double to_px)
      : log_(log), low_(Map(low)), high_(Map(high)), from_px_(from_px), to_px_(to_px) {
    if (high_ - low_ < 1e-12 * std::max(1.0, std::abs(high_))) {
      low_ -= 0.5;
      high_ += 0.5;
    }
    const double margin = 0.05 * (high_ - low_);
    low_ -= margin;
    high_ += margin;
  }
  double Px(double value) const {
    return from_px_ + (Map(value) - low_) / (high_ - low_) * (to_px_ - from_px_);
  }
  std::vector<double> TickValues(int count) const {
    const std::vector<double> all =
        log_ ? LogTicks(std::pow(10, low_), std::pow(10, high_)) : Ticks(low_, high_, count);
    return all;
  }

 private:
  double Map(double value) const { return log_ ? std::log10(value) : value; }

  bool log_;
  double low_;
  double high_;
  double from_px_;
  double to_px_;
};

bool IsDrawable(const Plot& plot, const PlotPoint& point) {
  return std::isfinite(point.x) && std::isfinite(point.y) && (!plot.log_x || point.x > 0);
}

std::string TickText(double value) {
  if (value == std::trunc(value) && std::abs(value) < 1e9) return Grouped(value);
  return absl::StrFormat("%.4g", value);
}

std::string Steps(const std::vector<PlotPoint>& points, const Axis& x, const Axis& y) {
  std::string path;
  for (size_t i = 0; i < points.size(); ++i) {
    if (i == 0) {
      path = absl::StrFormat("M%.1f %.1f", x.Px(points[i].x), y.Px(points[i].y));
    } else {
      absl::StrAppendFormat(&path, "H%.1fV%.1f", x.Px(points[i].x), y.Px(points[i].y));
    }
  }
  return path;
}

void AppendAxes(const Plot& plot, const Axis& x, const Axis& y, std::string& out) {
  const int bottom = plot.height_px - kBottomPx;
  const int right = plot.width_px - kRightPx;
  for (const double tick : x.TickValues(7)) {
    const double px = x.Px(tick);
    if (px < kLeftPx - 0.5 || px > right + 0.5) continue;
    absl::StrAppendFormat(&out, "<path class=\"grid\" d=\"M%.1f %dV%d\"/>", px, kTopPx, bottom);
    absl::StrAppendFormat(
        &out, "<text class=\"tick\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", px,
        bottom + 16, TickText(tick));
  }
  for (const double tick : y.TickValues(6)) {
    const double px = y.Px(tick);
    if (px < kTopPx - 0.5 || px > bottom + 0.5) continue;
    absl::StrAppendFormat(&out, "<path class=\"grid\" d=\"M%d %.1fH%d\"/>", kLeftPx, px, right);
    absl::StrAppendFormat(
        &out, "<text class=\"tick\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
        kLeftPx - 6, px + 4, TickText(tick));
  }
  absl::StrAppendFormat(&out,
                        "<rect class=\"frame\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n",
                        kLeftPx, kTopPx, right - kLeftPx, bottom - kTopPx);
  absl::StrAppendFormat(&out,
                        "<text class=\"axis\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>\n",
                        (kLeftPx + right) / 2, plot.height_px - 10, EscapeHtml(plot.x_title));
  absl::StrAppendFormat(&out,
                        "<text class=\"axis\" transform=\"translate(16 %d) rotate(-90)\" "
                        "text-anchor=\"middle\">%s</text>\n",
                        (kTopPx + bottom) / 2, EscapeHtml(plot.y_title));
}

void AppendSeries(const Plot& plot, const PlotSeries& series, const Axis& x, const Axis& y,
                  std::string& out) {
  std::vector<PlotPoint> points;
  std::copy_if(series.points.begin(), series.points.end(), std::back_inserter(points),
               [&plot](const PlotPoint& point) { return IsDrawable(plot, point); });
  absl::StrAppendFormat(&out, "<g class=\"%s\">\n", EscapeHtml(series.css_class));
  if (series.steps && points.size() > 1) {
    absl::StrAppendFormat(&out, "<path class=\"line\" d=\"%s\"/>\n", Steps(points, x, y));
  }
  for (const PlotPoint& point : points) {
    const double px = x.Px(point.x);
    const double py = y.Px(point.y);
    if (series.dots) {
      absl::StrAppendFormat(&out,
                            "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\"><title>%s</title></circle>\n",
                            px, py, EscapeHtml(point.label));
    }
    if (series.text) {
      const bool leftward = px > plot.width_px - 120;
      absl::StrAppendFormat(&out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n",
                            px + (leftward ? -8 : 8), py + 4, leftward ? "end" : "start",
                            EscapeHtml(point.label));
    }
  }
  out += "</g>\n";
}

void AppendLegend(const Plot& plot, std::string& out) {
  double px = kLeftPx + 4;
  for (const PlotSeries& series : plot.series) {
    if (series.name.empty()) continue;
    absl::StrAppendFormat(&out, "<g class=\"%s\"><circle cx=\"%.1f\" cy=\"24\" r=\"4\"/></g>",
                          EscapeHtml(series.css_class), px);
    absl::StrAppendFormat(&out, "<text class=\"tick\" x=\"%.1f\" y=\"28\">%s</text>\n", px + 8,
                          EscapeHtml(series.name));
    px += 26 + 6.5 * static_cast<double>(series.name.size());
  }
}

}  // namespace

std::vector<double> Ticks(double low, double high, int count) {
  if (!(high > low) || count < 1) return {low};
  const double rough = (high - low) / count;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough) {
      step = factor * power;
      break;
    }
  }
  std::vector<double> ticks;
  // Multiples of the step, not sums of it: 0.3 and not 0.30000000000000004 after three.
  const double inverse = step < 1 ? std::round(1 / step) : 0;
  for (double k = std::ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; ++k) {
    ticks.push_back(inverse > 0 ? k / inverse : k * step);
  }
  return ticks;
}

std::vector<double> LogTicks(double low, double high) {
  const bool dense = high / low < 1000;
  std::vector<double> ticks;
  for (double power = std::pow(10, std::floor(std::log10(low))); power <= high; power *= 10) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      if (factor > 1 && !dense) break;
      const double tick = factor * power;
      if (tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9)) ticks.push_back(tick);
    }
  }
  return ticks;
}

std::string ToSvg(const Plot& plot) {
  std::string out = absl::StrFormat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
      "role=\"img\">\n<title>%s</title>\n<text class=\"title\" x=\"%d\" y=\"12\">%s</text>\n",
      plot.width_px, plot.height_px, plot.width_px, plot.height_px, EscapeHtml(plot.title), kLeftPx,
      EscapeHtml(plot.title));
  bool any = false;
  double x_low = HUGE_VAL, x_high = -HUGE_VAL, y_low = HUGE_VAL, y_high = -HUGE_VAL;
  for (const PlotSeries& series : plot.series) {
    for (const PlotPoint& point : series.points) {
      if (!IsDrawable(plot, point)) continue;
      any = true;
      x_low = std::min(x_low, point.x);
      x_high = std::max(x_high, point.x);
      y_low = std::min(y_low, point.y);
      y_high = std::max(y_high, point.y);
    }
  }
  if (!any) {
    absl::StrAppendFormat(&out,
                          "<text class=\"axis\" x=\"%d\" y=\"%d\">nothing measured</text></svg>\n",
                          kLeftPx, plot.height_px / 2);
    return out;
  }
  const Axis x(x_low, x_high, plot.log_x, kLeftPx, plot.width_px - kRightPx);
  const Axis y(y_low, y_high, false, plot.height_px - kBottomPx, kTopPx);
  AppendAxes(plot, x, y, out);
  for (const PlotSeries& series : plot.series) AppendSeries(plot, series, x, y, out);
  AppendLegend(plot, out);
  return out + "</svg>\n";
}

}  // namespace dovetail::report
