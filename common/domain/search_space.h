// The space a job explores and points in it. Plain values; legality is judged by
// services/coordinator/search/space.
#ifndef DOVETAIL_COMMON_DOMAIN_SEARCH_SPACE_H_
#define DOVETAIL_COMMON_DOMAIN_SEARCH_SPACE_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/domain/value.h"

namespace dovetail {

enum class VariableType { kContinuous, kInteger, kOrdinal, kCategorical, kPermutation };
enum class Scale { kLinear, kLog, kReverseLog };

// The variable exists only where variable `variable` has one of `values`.
struct Condition {
  std::string variable;
  Value::List values;
};

struct Variable {
  std::string name;
  VariableType type = VariableType::kContinuous;
  double min = 0;  // continuous, integer
  double max = 1;
  Scale scale = Scale::kLinear;  // continuous, integer
  Value::List levels;  // ordinal: numbers, rising; categorical: any; permutation: the items
  // A vector: this many elements of the type above, each its own dimension. 0: a scalar.
  // `length_of` ("layers") is resolved from the NetworkSummary before the search sees the space.
  int length = 0;
  std::string length_of;
  std::optional<Condition> condition;
};

struct SearchSpace {
  std::vector<Variable> variables;
  std::vector<std::string> constraints;  // expressions over scalar variables, true where legal
};

// Name -> number (continuous, integer, ordinal), any level (categorical), list of items
// (permutation) or list of elements (vector). Inactive conditional variables are absent.
using Point = std::map<std::string, Value>;

// SHA-256 of the canonical JSON: equal exactly for equal configurations.
std::string PointDigest(const Point& point);
Value PointToValue(const Point& point);
Point PointFromValue(const Value& value);

enum class Goal { kMinimize, kMaximize };

struct Objective {
  std::string metric;
  Goal goal = Goal::kMinimize;
};

// at_least <= metric <= at_most, either side may be absent. `relative_to` names a reference
// (float_network, baseline): the bounds are then added to that reference's metric.
struct Constraint {
  std::string metric;
  std::optional<double> at_least;
  std::optional<double> at_most;
  std::string relative_to;
};

}  // namespace dovetail

#endif  // DOVETAIL_COMMON_DOMAIN_SEARCH_SPACE_H_
