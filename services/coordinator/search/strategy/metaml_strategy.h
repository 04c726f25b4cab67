// The ancestor's setting, for side-by-side runs: one score, a Gaussian process with one length
// scale, upper confidence bound. Called by the registry.
//
//   score = sum over objectives and constrained metrics k of w_k (b_k - u_k) / |b_k|, larger-is-
//   better metrics with negated weight; -1000 where a constraint (its accuracy floor) is broken
//
// Source: Que et al. 2025, "MetaML-Pro", and its authors' public code: Matern-5/2, alpha 1e-6,
// kappa 2.576, 2 random points then 20, acquisition by random points and L-BFGS, discrete
// variables relaxed and rounded.
// Departures: points are not repeated; b_k is the first measured trial's value unless given.
#ifndef DOVETAIL_SERVICES_COORDINATOR_SEARCH_STRATEGY_METAML_STRATEGY_H_
#define DOVETAIL_SERVICES_COORDINATOR_SEARCH_STRATEGY_METAML_STRATEGY_H_

#include <memory>

#include "absl/status/statusor.h"
#include "services/coordinator/search/space/space.h"
#include "services/coordinator/search/strategy.h"

namespace dovetail::search {

// Options: kappa (2.576); weights and benchmarks: maps metric -> number (1; first measurement).
absl::StatusOr<std::unique_ptr<Strategy>> MakeMetamlStrategy(const Problem& problem, Space space);

}  // namespace dovetail::search

#endif  // DOVETAIL_SERVICES_COORDINATOR_SEARCH_STRATEGY_METAML_STRATEGY_H_
