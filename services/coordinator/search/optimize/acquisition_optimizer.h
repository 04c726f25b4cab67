// Finds the most promising legal point that was not tried: Sobol candidates and perturbed
// incumbents, from the best of them climbs by gradient on the continuous part in turn with exact
// moves on the discrete part; never relaxed and rounded. Called by the Gaussian process strategy.
//
// Source: Daulton et al. 2022, "Bayesian optimization over discrete and mixed spaces via
// probabilistic reparameterization" (its local-search baseline); BoTorch's optimize_mixed.
#ifndef DOVETAIL_SERVICES_COORDINATOR_SEARCH_OPTIMIZE_ACQUISITION_OPTIMIZER_H_
#define DOVETAIL_SERVICES_COORDINATOR_SEARCH_OPTIMIZE_ACQUISITION_OPTIMIZER_H_

#include <Eigen/Core>
#include <functional>
#include <optional>
#include <vector>

#include "common/base/rng.h"
#include "services/coordinator/search/space/space.h"

namespace dovetail::search {

// Values at points; where `gradients` is not null also the slopes by slot, [points x slots].
using AcquisitionFunction =
    std::function<Eigen::VectorXd(const std::vector<Slots>& points, Eigen::MatrixXd* gradients)>;

struct OptimizeOptions {
  int raw_count = 512;
  int start_count = 8;
  int climb_steps = 30;      // evaluations of one climb
  int rounds = 4;            // of climb and discrete moves
  int max_neighbours = 400;  // evaluated per round, over all starts
  // Bounds of slots' unit coordinates: a trust region. Empty: the whole cube.
  std::vector<double> lower, upper;
};

struct Optimum {
  Slots slots;
  double value = 0;
};

// incumbents: good points to perturb. Nothing where no new legal point was met.
std::optional<Optimum> MaximizeAcquisition(const Space& space, const AcquisitionFunction& function,
                                           const std::vector<Slots>& incumbents,
                                           const std::function<bool(const Slots&)>& is_new,
                                           const OptimizeOptions& options, Rng& rng);

}  // namespace dovetail::search

#endif  // DOVETAIL_SERVICES_COORDINATOR_SEARCH_OPTIMIZE_ACQUISITION_OPTIMIZER_H_
