// The default search: Sobol points first, then Gaussian processes and log expected (hypervolume)
// improvement. Called by the registry.
#ifndef DOVETAIL_SERVICES_COORDINATOR_SEARCH_STRATEGY_GP_STRATEGY_H_
#define DOVETAIL_SERVICES_COORDINATOR_SEARCH_STRATEGY_GP_STRATEGY_H_

#include <memory>

#include "absl/status/statusor.h"
#include "services/coordinator/search/space/space.h"
#include "services/coordinator/search/strategy.h"

namespace dovetail::search {

// Options:
//   reference    map objective metric -> raw value: the worst that counts for hypervolume; default:
//                half-way between the front's worst and the worst of all, at least a tenth of the
//                front's range beyond it
//   noise_floor  least noise variance of standardised outputs (1e-8: deterministic tools)
//   draws        joint draws of pending outcomes (16)
//   trust_region 1: maximise the acquisition in a box that follows success (TuRBO); 0: everywhere
//   raw_count, start_count   of the acquisition's optimiser; 0: by the number of trials
absl::StatusOr<std::unique_ptr<Strategy>> MakeGpStrategy(const Problem& problem, Space space);

}  // namespace dovetail::search

#endif  // DOVETAIL_SERVICES_COORDINATOR_SEARCH_STRATEGY_GP_STRATEGY_H_
