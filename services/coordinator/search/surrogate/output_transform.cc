#include "services/coordinator/search/surrogate/output_transform.h"

#include <algorithm>
#include <cmath>

namespace dovetail::search {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double Warped(double raw, Warp warp) {
  switch (warp) {
    case Warp::kNone:
      return raw;
    case Warp::kLog:
      return raw > 0 ? std::log(raw) : -kInfinity;
    case Warp::kLog1p:
      return raw > -1 ? std::log1p(raw) : -kInfinity;
  }
  return raw;
}

double ObjectiveClip(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const double low = values[values.size() / 4], high = values[values.size() * 3 / 4];
  return high > low ? high + 5 * (high - low) : kInfinity;
}

double ConstraintClip(const std::vector<double>& values, double bound) {
  if (!std::isfinite(bound)) return kInfinity;
  std::vector<double> distances;
  for (double v : values) distances.push_back(std::abs(v - bound));
  std::sort(distances.begin(), distances.end());
  const double median = distances[distances.size() / 2];
  return median > 0 ? bound + 2 * median : kInfinity;
}

// A logarithm may turn values near zero (6e-17 where 0 is meant) into outliers that drown all else.
bool TailIsShort(const std::vector<double>& raw, Warp warp) {
  std::vector<double> sorted;
  for (double y : raw) sorted.push_back(Warped(y, warp));
  std::sort(sorted.begin(), sorted.end());
  const double low = sorted[sorted.size() / 4], high = sorted[sorted.size() * 3 / 4];
  return low - sorted.front() <= 3 * (high - low);
}

}  // namespace

double OutputTransform::Forward(double raw) const {
  return (sign * Warped(raw, warp) - mean) / deviation;
}

double OutputTransform::Clipped(double raw) const { return std::min(Forward(raw), clip); }

double OutputTransform::Backward(double value) const {
  const double warped = sign * (value * deviation + mean);
  switch (warp) {
    case Warp::kNone:
      return warped;
    case Warp::kLog:
      return std::exp(std::min(warped, 700.0));
    case Warp::kLog1p:
      return std::expm1(std::min(warped, 700.0));
  }
  return warped;
}

double OutputTransform::LogSlope(const std::vector<double>& raw) const {
  double sum = -static_cast<double>(raw.size()) * std::log(deviation);
  for (double y : raw) {
    if (warp == Warp::kLog) sum -= std::log(y);
    if (warp == Warp::kLog1p) sum -= std::log1p(y);
  }
  return sum;
}

Value OutputTransform::ToValue() const {
  Value value;
  value.Set("warp", static_cast<int>(warp)).Set("sign", sign).Set("mean", mean);
  value.Set("deviation", deviation);
  if (std::isfinite(clip)) value.Set("clip", clip);
  return value;
}

OutputTransform OutputTransform::FromValue(const Value& value) {
  OutputTransform transform;
  transform.warp = static_cast<Warp>(static_cast<int>(value["warp"].AsNumber()));
  transform.sign = value["sign"].AsNumber();
  transform.mean = value["mean"].AsNumber();
  transform.deviation = value["deviation"].AsNumber();
  if (value.Has("clip")) transform.clip = value["clip"].AsNumber();
  return transform;
}

std::vector<Warp> PlausibleWarps(const std::vector<double>& raw) {
  std::vector<Warp> warps = {Warp::kNone};
  if (raw.size() < 4) return warps;
  const auto [low, high] = std::minmax_element(raw.begin(), raw.end());
  if (*low > 0 && *high / *low > 10 && TailIsShort(raw, Warp::kLog)) warps.push_back(Warp::kLog);
  if (*low == 0 && *high >= 10 && TailIsShort(raw, Warp::kLog1p)) warps.push_back(Warp::kLog1p);
  return warps;
}

OutputTransform FitTransform(const std::vector<double>& raw, Warp warp, double sign, Tail tail,
                             double bound) {
  OutputTransform transform;
  transform.warp = warp;
  transform.sign = sign;
  std::vector<double> values;
  for (double y : raw) values.push_back(sign * Warped(y, warp));
  if (values.empty()) return transform;
  const double clip = values.size() < 8          ? kInfinity
                      : tail == Tail::kObjective ? ObjectiveClip(values)
                      : tail == Tail::kConstraint
                          ? ConstraintClip(values, sign * Warped(bound, warp))
                          : kInfinity;
  for (double& v : values) v = std::min(v, clip);
  // Scaled first, so that squares of huge outputs do not overflow.
  double scale = 0;
  for (double v : values) scale = std::max(scale, std::abs(v));
  double sum = 0;
  for (double v : values) sum += v / std::max(scale, 1e-300);
  const double mean = sum / static_cast<double>(values.size());
  double squares = 0;
  for (double v : values) {
    const double d = v / std::max(scale, 1e-300) - mean;
    squares += d * d;
  }
  const double deviation =
      std::sqrt(squares / static_cast<double>(std::max<size_t>(1, values.size() - 1))) * scale;
  transform.mean = mean * scale;
  const double least = std::max(1e-300, 1e-13 * std::abs(transform.mean));
  transform.deviation = deviation > least ? deviation : std::max(std::abs(transform.mean), 1.0);
  if (clip < kInfinity) transform.clip = (clip - transform.mean) / transform.deviation;
  return transform;
}

}  // namespace dovetail::search
