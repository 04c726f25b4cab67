// A box around good points in which the acquisition is maximised when there are many variables:
// it grows while the search succeeds and shrinks while it fails. Called by the Gaussian process
// strategy; a pure function of the history, so that replays agree.
//
// Source: Eriksson et al. 2019, "Scalable global optimization via local Bayesian optimization"
// (TuRBO-1), sec. 2. Departures: one region, centred on an incumbent; when it has shrunk away it
// starts again at full size with all data kept; success is a new non-dominated feasible trial.
#ifndef DOVETAIL_SERVICES_COORDINATOR_SEARCH_OPTIMIZE_TRUST_REGION_H_
#define DOVETAIL_SERVICES_COORDINATOR_SEARCH_OPTIMIZE_TRUST_REGION_H_

#include <Eigen/Core>
#include <vector>

namespace dovetail::search {

// Side of the box in unit coordinates after these outcomes (true: a success), oldest first.
double TrustRegionSide(const std::vector<bool>& successes, int dimensions);

struct Box {
  std::vector<double> lower, upper;
};
// The box around `centre`, wider along dimensions with long length scales (their geometric mean is
// kept), cut to the unit cube. All by dimension.
Box TrustRegionBox(const std::vector<double>& centre, const Eigen::VectorXd& lengths, double side);

}  // namespace dovetail::search

#endif  // DOVETAIL_SERVICES_COORDINATOR_SEARCH_OPTIMIZE_TRUST_REGION_H_
