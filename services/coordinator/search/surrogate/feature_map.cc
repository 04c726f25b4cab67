#include "services/coordinator/search/surrogate/feature_map.h"

#include <cmath>

namespace dovetail::search {
namespace {

bool IsCategorical(const Dimension& d) { return d.type == VariableType::kCategorical; }
bool IsPermutation(const Dimension& d) { return d.type == VariableType::kPermutation; }

int FeatureCount(const Dimension& d) {
  if (IsCategorical(d)) return static_cast<int>(d.level_count) + (d.parent >= 0 ? 1 : 0);
  if (IsPermutation(d)) return d.slot_count * (d.slot_count - 1) / 2 + (d.parent >= 0 ? 1 : 0);
  return d.parent >= 0 ? 2 : 1;
}

}  // namespace

FeatureMap::FeatureMap(const Space* space) : space_(space) {
  for (size_t g = 0; g < space->dimensions().size(); ++g) {
    first_feature_.push_back(static_cast<int>(groups_.size()));
    const int count = FeatureCount(space->dimensions()[g]);
    for (int i = 0; i < count; ++i) groups_.push_back(static_cast<int>(g));
  }
}

Eigen::MatrixXd FeatureMap::Map(const std::vector<Slots>& points) const {
  Eigen::MatrixXd features =
      Eigen::MatrixXd::Zero(static_cast<Eigen::Index>(points.size()), feature_count());
  for (size_t g = 0; g < space_->dimensions().size(); ++g) {
    const Dimension& d = space_->dimensions()[g];
    const int first = first_feature_[g];
    for (size_t i = 0; i < points.size(); ++i) {
      const auto row = static_cast<Eigen::Index>(i);
      const double slot = points[i][d.slot];
      const bool active = slot != kInactive;
      if (IsCategorical(d)) {
        const int level = active ? static_cast<int>(slot) : static_cast<int>(d.level_count);
        features(row, first + level) = std::sqrt(0.5);
      } else if (IsPermutation(d)) {
        const int n = d.slot_count;
        const double scale = 1.0 / std::sqrt(std::max(1.0, n * (n - 1) / 2.0));
        int column = first;
        for (int a = 0; a < n; ++a) {
          for (int b = a + 1; b < n; ++b, ++column) {
            const bool before = points[i][d.slot + a] < points[i][d.slot + b];
            features(row, column) = !active ? 0.5 * scale : (before ? scale : 0.0);
          }
        }
        if (d.parent >= 0) features(row, column) = active ? 0.0 : 0.5;
      } else if (d.parent < 0) {
        features(row, first) = space_->Coordinate(d, slot);
      } else if (active) {
        const double u = space_->Coordinate(d, slot);
        features(row, first) = std::cos(u);
        features(row, first + 1) = std::sin(u);
      }
    }
  }
  return features;
}

Eigen::VectorXd FeatureMap::PullBack(const Slots& point,
                                     const Eigen::RowVectorXd& feature_gradient) const {
  Eigen::VectorXd gradient = Eigen::VectorXd::Zero(static_cast<Eigen::Index>(point.size()));
  for (size_t g = 0; g < space_->dimensions().size(); ++g) {
    const Dimension& d = space_->dimensions()[g];
    const double slot = point[d.slot];
    if (!d.is_continuous() || slot == kInactive) continue;
    const int first = first_feature_[g];
    gradient[d.slot] = d.parent < 0 ? feature_gradient[first]
                                    : -std::sin(slot) * feature_gradient[first] +
                                          std::cos(slot) * feature_gradient[first + 1];
  }
  return gradient;
}

}  // namespace dovetail::search
