// Non-dominated designs and hypervolume: for reports, the acquisition and the benchmarks.
#ifndef DOVETAIL_SERVICES_COORDINATOR_SEARCH_PARETO_FRONT_H_
#define DOVETAIL_SERVICES_COORDINATOR_SEARCH_PARETO_FRONT_H_

#include <vector>

#include "common/domain/search_space.h"

namespace dovetail::search {

// values[i][k] is objective k of design i. Returns the indices of the non-dominated designs, in
// order; of equal ones the first.
std::vector<int> ParetoFront(const std::vector<std::vector<double>>& values,
                             const std::vector<Goal>& goals);

// Volume dominated within `reference`, all objectives minimised; exact for any number of
// objectives, fast for two and three.
double Hypervolume(const std::vector<std::vector<double>>& values,
                   const std::vector<double>& reference);

}  // namespace dovetail::search

#endif  // DOVETAIL_SERVICES_COORDINATOR_SEARCH_PARETO_FRONT_H_
