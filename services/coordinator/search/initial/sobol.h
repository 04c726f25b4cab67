// Scrambled Sobol points: start designs, raw candidates of the acquisition, quasi-Monte-Carlo
// normals. Called by strategies and the acquisition; knows no space.
//
// Source: Joe and Kuo 2008, "Constructing Sobol sequences with better two-dimensional projections"
// (direction numbers new-joe-kuo-6); Matousek 1998, "On the L2-discrepancy for anchored boxes"
// (random linear scrambling with digital shift).
#ifndef DOVETAIL_SERVICES_COORDINATOR_SEARCH_INITIAL_SOBOL_H_
#define DOVETAIL_SERVICES_COORDINATOR_SEARCH_INITIAL_SOBOL_H_

#include <cstdint>
#include <vector>

namespace dovetail::search {

// Direction numbers reach this far; later dimensions are random (a hash of seed, index, dimension).
inline constexpr int kSobolDimensions = 160;

// Thread-safe after construction.
class Sobol {
 public:
  // scramble false gives the plain sequence, whose point 0 is the origin.
  Sobol(int dimensions, uint64_t seed, bool scramble = true);

  // Point `index` in [0,1)^dimensions; index below 2^32.
  std::vector<double> Point(uint32_t index) const;

 private:
  int dimensions_;
  uint64_t seed_;
  std::vector<uint32_t> directions_;  // [dimension * 32 + bit]
  std::vector<uint32_t> shifts_;
};

}  // namespace dovetail::search

#endif  // DOVETAIL_SERVICES_COORDINATOR_SEARCH_INITIAL_SOBOL_H_
