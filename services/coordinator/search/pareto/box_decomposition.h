// The region a new point must reach to improve a front, cut into disjoint boxes: what expected
// hypervolume improvement integrates over. Called by the acquisition.
//
// Two objectives: one stripe between neighbours of the front. Three: a sweep along the third keeps
// the staircase of the first two; each point closes the stripes it cuts and opens at most two, so
// there are O(n) boxes. More: slabs along the last objective, recursively.
// Source: Yang et al. 2019, "Efficient computation of expected hypervolume improvement using box
// decomposition algorithms". Departures: the sweep.
#ifndef DOVETAIL_SERVICES_COORDINATOR_SEARCH_PARETO_BOX_DECOMPOSITION_H_
#define DOVETAIL_SERVICES_COORDINATOR_SEARCH_PARETO_BOX_DECOMPOSITION_H_

#include <vector>

namespace dovetail::search {

// Boxes as indices into sorted edges; lower index -1 stands for minus infinity.
struct BoxDecomposition {
  std::vector<std::vector<double>> edges;  // by objective, rising
  struct Box {
    std::vector<int> lower;  // by objective
    std::vector<int> upper;
  };
  std::vector<Box> boxes;
};

// All objectives minimised. Points that do not dominate the reference are left out. The volume that
// y adds is the sum over boxes of prod_k (upper_k - max(lower_k, y_k))+.
BoxDecomposition DecomposeNonDominated(const std::vector<std::vector<double>>& front,
                                       const std::vector<double>& reference);

}  // namespace dovetail::search

#endif  // DOVETAIL_SERVICES_COORDINATOR_SEARCH_PARETO_BOX_DECOMPOSITION_H_
