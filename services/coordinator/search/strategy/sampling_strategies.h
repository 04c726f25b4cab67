// Strategies without a model: random, Sobol, grid. Called by the registry.
#ifndef DOVETAIL_SERVICES_COORDINATOR_SEARCH_STRATEGY_SAMPLING_STRATEGIES_H_
#define DOVETAIL_SERVICES_COORDINATOR_SEARCH_STRATEGY_SAMPLING_STRATEGIES_H_

#include <memory>

#include "absl/status/statusor.h"
#include "services/coordinator/search/space/space.h"
#include "services/coordinator/search/strategy.h"

namespace dovetail::search {

// Uniform over the unit cube, legal points only. No options.
absl::StatusOr<std::unique_ptr<Strategy>> MakeRandomStrategy(const Problem& problem, Space space);

// Point trial - 1 of a scrambled Sobol sequence; illegal or repeated ones are replaced by random
// points. Options: scramble (1: by the seed, 0: the plain sequence).
absl::StatusOr<std::unique_ptr<Strategy>> MakeSobolStrategy(const Problem& problem, Space space);

// Mixed-radix counting over all levels of discrete and `levels` (5) evenly spaced values of
// continuous dimensions and of integers with more levels; OutOfRange when the grid is done.
// Options: levels.
absl::StatusOr<std::unique_ptr<Strategy>> MakeGridStrategy(const Problem& problem, Space space);

}  // namespace dovetail::search

#endif  // DOVETAIL_SERVICES_COORDINATOR_SEARCH_STRATEGY_SAMPLING_STRATEGIES_H_
