// The compiled search space: legality, and points as rows of numbers ("slots") that samplers,
// kernels and optimisers work on. Called by every strategy; knows no model.
#ifndef DOVETAIL_SERVICES_COORDINATOR_SEARCH_SPACE_SPACE_H_
#define DOVETAIL_SERVICES_COORDINATOR_SEARCH_SPACE_SPACE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/rng.h"
#include "common/domain/search_space.h"
#include "services/coordinator/search/space/parameter_constraint.h"

namespace dovetail::search {

// One number per scalar dimension; a permutation of n items has n, the place of each item.
//   continuous   unit coordinate in [0,1] on the variable's scale, a multiple of 2^-30
//   integer      value - min
//   ordinal, categorical   index of the level
//   permutation  place (0..n-1) of item i
//   inactive     kInactive in all slots of the dimension
using Slots = std::vector<double>;
inline constexpr double kInactive = -1.0;

// A scalar variable, or one element of a vector.
struct Dimension {
  int variable = 0;
  int element = -1;  // of a vector; -1 for a scalar
  VariableType type = VariableType::kContinuous;
  Scale scale = Scale::kLinear;
  double min = 0;
  double max = 1;
  double level_count = 0;  // of discrete types; items of a permutation; 0 for continuous
  int slot = 0;            // first slot, and first unit coordinate
  int slot_count = 1;
  int parent = -1;                  // the dimension its condition looks at
  std::vector<bool> parent_active;  // by level of the parent

  bool is_continuous() const { return type == VariableType::kContinuous; }
};

// Not thread-safe (the constraint evaluator has scratch space); movable.
class Space {
 public:
  // Errors: InvalidArgument naming the variable and what is wrong with it.
  static absl::StatusOr<Space> Create(const SearchSpace& space);

  const SearchSpace& definition() const { return definition_; }
  const std::vector<Dimension>& dimensions() const { return dimensions_; }
  int slot_count() const { return slot_count_; }
  std::string DimensionName(int dimension) const;  // "bits", "bits[2]"

  // Errors: InvalidArgument naming the variable, or the constraint that does not hold.
  absl::StatusOr<Slots> Encode(const Point& point) const;
  absl::Status Check(const Point& point) const { return Encode(point).status(); }
  // Precondition: canonical slots.
  Point Decode(const Slots& slots) const;

  // The scale coordinate in [0,1] of an active slot of a numeric or ordinal dimension, evenly
  // spread over legal values: what kernels see.
  double Coordinate(const Dimension& dimension, double slot) const;

  // Maps the unit cube onto canonical slots, equal shares for the levels of discrete dimensions;
  // permutations by the order of their coordinates. unit: slot_count() numbers. May be illegal.
  Slots FromUnit(const std::vector<double>& unit) const;
  // Sets inactive slots to kInactive, and newly active ones to the middle of their range.
  void Canonicalise(Slots& slots) const;
  // Whether the parameter constraints hold. Those that mention an inactive variable do.
  bool IsLegal(const Slots& slots) const;

  // A legal point. Errors: FailedPrecondition where `attempts` draws found none.
  absl::StatusOr<Slots> Random(Rng& rng, int attempts = 2000) const;

  // Number of raw combinations where all dimensions are discrete (an upper bound of the number of
  // configurations: conditions and constraints remove some). Absent for infinite spaces.
  std::optional<double> RawCount() const;
  // Combination `index` of RawCount(), the last dimension turning fastest; absent where it is not
  // canonical or not legal. Precondition: finite, permutations of at most 12 items.
  std::optional<Slots> Enumerate(uint64_t index) const;

  // Legal canonical points that differ in one discrete dimension: all its other levels where there
  // are at most `max_levels`, else near ones and a spread of far ones; permutations: two items
  // swapped or one moved (near ones only beyond 6 items). In a fixed order.
  std::vector<Slots> Neighbours(const Slots& slots, int max_levels = 20) const;

  bool has_discrete() const { return has_discrete_; }
  bool has_continuous() const { return has_continuous_; }

 private:
  Space() = default;
  absl::Status AddVariable(int index);
  absl::Status AddConditions();
  absl::Status AddConstraints();
  absl::Status EncodeElement(const Dimension& dimension, const Value& value, Slots& slots) const;
  Value DecodeElement(const Dimension& dimension, const Slots& slots) const;
  bool IsActive(const Dimension& dimension, const Slots& slots) const;
  bool Holds(const ParameterConstraint& constraint, const Slots& slots) const;
  double MiddleSlot(const Dimension& dimension, int offset) const;

  SearchSpace definition_;
  std::vector<Dimension> dimensions_;
  std::vector<int> first_dimension_;  // by variable
  std::vector<int> order_;            // of dimensions: parents first
  int slot_count_ = 0;
  bool has_discrete_ = false;
  bool has_continuous_ = false;
  std::vector<std::shared_ptr<ParameterConstraint>> constraints_;
  std::vector<std::string> scalar_names_;  // what constraints may use
  std::vector<int> scalar_dimensions_;
  std::map<std::string, double> level_codes_;
};

}  // namespace dovetail::search

#endif  // DOVETAIL_SERVICES_COORDINATOR_SEARCH_SPACE_SPACE_H_
