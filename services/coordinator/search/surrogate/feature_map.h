// Points as Euclidean features, so that one stationary kernel serves all kinds of variables: the
// kernel sees r^2 = sum over dimensions g of |phi_g(x) - phi_g(x')|^2 / l_g^2, one length scale per
// dimension. Called by the Gaussian process strategy; knows no data.
//
//   continuous, integer, ordinal   their scale coordinate in [0,1] (rounding is inside the kernel)
//   categorical    one-hot / sqrt 2: squared distance 1 between any two levels (ARD Hamming)
//   permutation    who comes before whom, scaled to squared distance 1 for the reversed order
//                  (the Mallows kernel's Kendall distance)
//   conditional    numeric ones on an arc, (cos u, sin u), inactive at the origin: distance 0 if
//                  both are inactive, 1 if one is. Source: Swersky et al. 2014, "Raiders of the
//                  lost architecture: kernels for Bayesian optimization in conditional parameter
//                  spaces". Departures: inactive at the origin in two coordinates instead of three.
#ifndef DOVETAIL_SERVICES_COORDINATOR_SEARCH_SURROGATE_FEATURE_MAP_H_
#define DOVETAIL_SERVICES_COORDINATOR_SEARCH_SURROGATE_FEATURE_MAP_H_

#include <Eigen/Core>
#include <vector>

#include "services/coordinator/search/space/space.h"

namespace dovetail::search {

// Immutable; keeps a pointer to the space.
class FeatureMap {
 public:
  explicit FeatureMap(const Space* space);

  int feature_count() const { return static_cast<int>(groups_.size()); }
  int group_count() const { return static_cast<int>(space_->dimensions().size()); }
  // The dimension of each feature.
  const std::vector<int>& groups() const { return groups_; }

  // [points x features]
  Eigen::MatrixXd Map(const std::vector<Slots>& points) const;
  // The gradient by continuous slots (zero elsewhere) from that by features.
  Eigen::VectorXd PullBack(const Slots& point, const Eigen::RowVectorXd& feature_gradient) const;

 private:
  const Space* space_;
  std::vector<int> first_feature_;  // by dimension
  std::vector<int> groups_;
};

}  // namespace dovetail::search

#endif  // DOVETAIL_SERVICES_COORDINATOR_SEARCH_SURROGATE_FEATURE_MAP_H_
