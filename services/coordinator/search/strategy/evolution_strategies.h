// Evolution: NSGA-II and regularised evolution, both steady-state, so that trials may end in any
// order. Called by the registry.
#ifndef DOVETAIL_SERVICES_COORDINATOR_SEARCH_STRATEGY_EVOLUTION_STRATEGIES_H_
#define DOVETAIL_SERVICES_COORDINATOR_SEARCH_STRATEGY_EVOLUTION_STRATEGIES_H_

#include <memory>

#include "absl/status/statusor.h"
#include "services/coordinator/search/space/space.h"
#include "services/coordinator/search/strategy.h"

namespace dovetail::search {

// Source: Deb et al. 2002, "A fast and elitist multiobjective genetic algorithm: NSGA-II".
// Departures: steady-state; discrete dimensions cross uniformly and mutate by Space's neighbours.
// Options: population (20).
absl::StatusOr<std::unique_ptr<Strategy>> MakeNsga2Strategy(const Problem& problem, Space space);

// Source: Real et al. 2019, "Regularized evolution for image classifier architecture search".
// Departures: with several objectives the sample's best is by domination rank, then crowding.
// Options: population (20), sample (5).
absl::StatusOr<std::unique_ptr<Strategy>> MakeRegularizedEvolutionStrategy(const Problem& problem,
                                                                           Space space);

}  // namespace dovetail::search

#endif  // DOVETAIL_SERVICES_COORDINATOR_SEARCH_STRATEGY_EVOLUTION_STRATEGIES_H_
