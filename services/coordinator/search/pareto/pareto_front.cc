#include <algorithm>
#include <cmath>
#include <utility>

#include "services/coordinator/search/pareto_front.h"

namespace dovetail::search {
namespace {

bool Dominates(const std::vector<double>& a, const std::vector<double>& b) {
  bool better = false;
  for (size_t k = 0; k < a.size(); ++k) {
    if (a[k] > b[k]) return false;
    if (a[k] < b[k]) better = true;
  }
  return better;
}

// Staircase area of points sorted by their first objective.
double Area(const std::vector<std::vector<double>>& sorted, size_t count, double r0, double r1) {
  double area = 0;
  double height = r1;
  for (size_t i = 0; i < count; ++i) {
    if (sorted[i][1] >= height) continue;
    area += (r0 - sorted[i][0]) * (height - sorted[i][1]);
    height = sorted[i][1];
  }
  return area;
}

// Slices along the last objective; two objectives directly. `points` lie within the reference.
double Slice(std::vector<std::vector<double>> points, const std::vector<double>& reference) {
  const size_t m = reference.size();
  if (points.empty()) return 0;
  if (m == 1) {
    double best = reference[0];
    for (const auto& point : points) best = std::min(best, point[0]);
    return reference[0] - best;
  }
  std::sort(points.begin(), points.end());
  if (m == 2) return Area(points, points.size(), reference[0], reference[1]);
  std::stable_sort(points.begin(), points.end(),
                   [m](const auto& a, const auto& b) { return a[m - 1] < b[m - 1]; });
  const std::vector<double> lower_reference(reference.begin(), reference.end() - 1);
  double volume = 0;
  double slice = 0;
  std::vector<std::vector<double>> below;
  for (size_t i = 0; i < points.size(); ++i) {
    const std::vector<double> point(points[i].begin(), points[i].end() - 1);
    bool dominated = false;
    for (const auto& other : below)
      dominated = dominated || other == point || Dominates(other, point);
    if (!dominated) {
      std::erase_if(below, [&](const auto& other) { return Dominates(point, other); });
      below.insert(std::lower_bound(below.begin(), below.end(), point), point);
      slice = m == 3 ? Area(below, below.size(), reference[0], reference[1])
                     : Slice(below, lower_reference);
    }
    const double next = i + 1 < points.size() ? points[i + 1][m - 1] : reference[m - 1];
    volume += slice * (next - points[i][m - 1]);
  }
  return volume;
}

}  // namespace

std::vector<int> ParetoFront(const std::vector<std::vector<double>>& values,
                             const std::vector<Goal>& goals) {
  std::vector<std::vector<double>> minimised = values;
  for (auto& value : minimised) {
    for (size_t k = 0; k < goals.size() && k < value.size(); ++k) {
      if (goals[k] == Goal::kMaximize) value[k] = -value[k];
    }
  }
  // In rising order no point is dominated by a later one: comparing with the front is enough.
  std::vector<int> order;
  for (size_t i = 0; i < minimised.size(); ++i) {
    const bool number = std::none_of(minimised[i].begin(), minimised[i].end(),
                                     [](double x) { return std::isnan(x); });
    if (number) order.push_back(static_cast<int>(i));
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return minimised[a] < minimised[b]; });
  std::vector<int> front;
  for (int i : order) {
    const bool beaten = std::any_of(front.begin(), front.end(), [&](int j) {
      return Dominates(minimised[j], minimised[i]) || minimised[j] == minimised[i];
    });
    if (!beaten) front.push_back(i);
  }
  std::sort(front.begin(), front.end());
  return front;
}

double Hypervolume(const std::vector<std::vector<double>>& values,
                   const std::vector<double>& reference) {
  std::vector<std::vector<double>> within;
  for (const auto& value : values) {
    bool inside = value.size() == reference.size();
    for (size_t k = 0; k < reference.size() && inside; ++k) inside = value[k] < reference[k];
    if (inside) within.push_back(value);
  }
  return Slice(std::move(within), reference);
}

}  // namespace dovetail::search
