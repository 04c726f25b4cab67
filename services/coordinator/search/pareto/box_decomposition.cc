#include "services/coordinator/search/pareto/box_decomposition.h"

#include <algorithm>
#include <limits>

namespace dovetail::search {
namespace {

constexpr double kLowest = -std::numeric_limits<double>::infinity();

struct Region {
  std::vector<double> lower, upper;
};

// Stripes over objectives 0 and 1 that no point of the front so far dominates: [left, right) below
// `top`. `since` is the height at which a stripe appeared.
struct Stripe {
  double left, right, top, since;
};

// Cuts away what (x, y) dominates; closed stripes go to `closed` with their heights.
void Cut(std::vector<Stripe>& stripes, double x, double y, double height,
         std::vector<std::pair<Stripe, double>>& closed) {
  std::vector<Stripe> next;
  double cut_left = 0;
  double cut_right = kLowest;
  for (const Stripe& stripe : stripes) {
    if (stripe.right <= x || stripe.top <= y) {
      next.push_back(stripe);
      continue;
    }
    closed.emplace_back(stripe, height);
    if (stripe.left < x) next.push_back({stripe.left, x, stripe.top, height});
    if (cut_right == kLowest) cut_left = std::max(stripe.left, x);
    cut_right = stripe.right;
  }
  if (cut_right != kLowest) {
    const Stripe low{cut_left, cut_right, y, height};
    next.insert(std::upper_bound(next.begin(), next.end(), low,
                                 [](const Stripe& a, const Stripe& b) { return a.left < b.left; }),
                low);
  }
  stripes = std::move(next);
}

std::vector<Region> Decompose(std::vector<std::vector<double>> front,
                              const std::vector<double>& reference) {
  const size_t m = reference.size();
  std::vector<Region> regions;
  if (m == 1) {
    double best = reference[0];
    for (const auto& point : front) best = std::min(best, point[0]);
    return {{{kLowest}, {best}}};
  }
  std::sort(front.begin(), front.end(), [m](const auto& a, const auto& b) {
    return a[m - 1] != b[m - 1] ? a[m - 1] < b[m - 1] : a < b;
  });
  if (m <= 3) {
    std::vector<Stripe> stripes = {{kLowest, reference[0], reference[1], kLowest}};
    std::vector<std::pair<Stripe, double>> closed;
    for (const auto& point : front) {
      Cut(stripes, point[0], point[1], m == 3 ? point[2] : 0.0, closed);
    }
    if (m == 2) {
      for (const Stripe& s : stripes) regions.push_back({{s.left, kLowest}, {s.right, s.top}});
      return regions;
    }
    for (const Stripe& s : stripes) closed.emplace_back(s, reference[2]);
    for (const auto& [s, end] : closed) {
      if (end <= s.since) continue;
      regions.push_back({{s.left, kLowest, s.since}, {s.right, s.top, end}});
    }
    return regions;
  }
  const std::vector<double> lower_reference(reference.begin(), reference.end() - 1);
  std::vector<std::vector<double>> below;
  double from = kLowest;
  for (size_t i = 0; i <= front.size(); ++i) {
    const double to = i < front.size() ? front[i][m - 1] : reference[m - 1];
    if (to > from) {
      for (Region& region : Decompose(below, lower_reference)) {
        region.lower.push_back(from);
        region.upper.push_back(to);
        regions.push_back(std::move(region));
      }
      from = to;
    }
    if (i < front.size()) below.emplace_back(front[i].begin(), front[i].end() - 1);
  }
  return regions;
}

}  // namespace

BoxDecomposition DecomposeNonDominated(const std::vector<std::vector<double>>& front,
                                       const std::vector<double>& reference) {
  std::vector<std::vector<double>> within;
  for (const auto& point : front) {
    bool inside = true;
    for (size_t k = 0; k < reference.size(); ++k) inside = inside && point[k] < reference[k];
    if (inside) within.push_back(point);
  }
  const std::vector<Region> regions = Decompose(std::move(within), reference);
  BoxDecomposition result;
  result.edges.resize(reference.size());
  for (size_t k = 0; k < reference.size(); ++k) {
    std::vector<double>& edges = result.edges[k];
    for (const Region& region : regions) {
      if (region.lower[k] != kLowest) edges.push_back(region.lower[k]);
      edges.push_back(region.upper[k]);
    }
    std::sort(edges.begin(), edges.end());
    edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
  }
  for (const Region& region : regions) {
    BoxDecomposition::Box box;
    for (size_t k = 0; k < reference.size(); ++k) {
      const std::vector<double>& edges = result.edges[k];
      auto index = [&](double x) {
        return static_cast<int>(std::lower_bound(edges.begin(), edges.end(), x) - edges.begin());
      };
      box.lower.push_back(region.lower[k] == kLowest ? -1 : index(region.lower[k]));
      box.upper.push_back(index(region.upper[k]));
    }
    result.boxes.push_back(std::move(box));
  }
  return result;
}

}  // namespace dovetail::search
