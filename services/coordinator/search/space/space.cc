#include "services/coordinator/search/space/space.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/nearest.h"
#include "common/base/status_macros.h"

namespace dovetail::search {
namespace {

constexpr double kGrid = 1073741824.0;  // 2^30
constexpr double kMaxInteger = 9007199254740992.0;
constexpr int kMaxElements = 4096;

double Snap(double unit) { return std::round(std::clamp(unit, 0.0, 1.0) * kGrid) / kGrid; }

absl::Status Bad(const Variable& variable, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("variable \"", variable.name, "\": ", what));
}

// Unit coordinate of `value` in [lo, hi] on `scale`; increasing.
double ToUnit(double value, double lo, double hi, Scale scale) {
  if (hi <= lo) return 0.5;
  if (value <= lo) return 0.0;
  if (value >= hi) return 1.0;
  switch (scale) {
    case Scale::kLinear:
      return (value - lo) / (hi - lo);
    case Scale::kLog:
      return std::log(value / lo) / std::log(hi / lo);
    case Scale::kReverseLog:
      return 1.0 - std::log((lo + hi - value) / lo) / std::log(hi / lo);
  }
  return 0.0;
}

double FromUnitScale(double unit, double lo, double hi, Scale scale) {
  if (unit <= 0.0) return lo;
  if (unit >= 1.0) return hi;
  switch (scale) {
    case Scale::kLinear:
      return lo + unit * (hi - lo);
    case Scale::kLog:
      return std::clamp(lo * std::exp(unit * std::log(hi / lo)), lo, hi);
    case Scale::kReverseLog:
      return std::clamp(lo + hi - lo * std::exp((1.0 - unit) * std::log(hi / lo)), lo, hi);
  }
  return lo;
}

std::string LevelsText(const Value::List& levels) {
  std::vector<std::string> texts;
  for (size_t i = 0; i < levels.size() && i < 12; ++i) texts.push_back(levels[i].ToJson());
  if (levels.size() > 12) texts.push_back("...");
  return absl::StrJoin(texts, ", ");
}

int LevelIndex(const Value::List& levels, const Value& value) {
  const auto it = std::find(levels.begin(), levels.end(), value);
  return it == levels.end() ? -1 : static_cast<int>(it - levels.begin());
}

absl::Status CheckNumeric(const Variable& variable) {
  if (!std::isfinite(variable.min) || !std::isfinite(variable.max)) {
    return Bad(variable, "min and max must be finite numbers");
  }
  if (variable.min > variable.max) {
    return Bad(variable, absl::StrCat("min ", NumberToText(variable.min), " is above max ",
                                      NumberToText(variable.max)));
  }
  if (variable.scale != Scale::kLinear && variable.min <= 0) {
    return Bad(variable,
               absl::StrCat("a log scale needs min above 0, not ", NumberToText(variable.min)));
  }
  if (variable.type == VariableType::kInteger) {
    if (variable.min != std::floor(variable.min) || variable.max != std::floor(variable.max)) {
      return Bad(variable, "min and max of an integer must be whole numbers");
    }
    if (std::abs(variable.min) > kMaxInteger || std::abs(variable.max) > kMaxInteger) {
      return Bad(variable, "integers beyond 2^53 are not exact");
    }
  } else if (variable.min == variable.max) {
    return Bad(variable, "min equals max; leave the variable out, or make it an integer");
  }
  return absl::OkStatus();
}

absl::Status CheckLevels(const Variable& variable) {
  if (variable.levels.empty()) return Bad(variable, "needs at least one level");
  for (size_t i = 0; i < variable.levels.size(); ++i) {
    const Value& level = variable.levels[i];
    if (variable.type == VariableType::kOrdinal) {
      if (!level.is_number()) {
        return Bad(variable, absl::StrCat("levels of an ordinal must be numbers; ", level.ToJson(),
                                          " is not one (use a categorical)"));
      }
      if (i > 0 && variable.levels[i - 1].AsNumber() >= level.AsNumber()) {
        return Bad(variable, absl::StrCat("levels of an ordinal must rise; ", level.ToJson(),
                                          " follows ", variable.levels[i - 1].ToJson()));
      }
    }
    for (size_t j = 0; j < i; ++j) {
      if (variable.levels[j] == level) {
        return Bad(variable, absl::StrCat("level ", level.ToJson(), " is given twice"));
      }
    }
  }
  if (variable.type == VariableType::kPermutation && variable.levels.size() > 64) {
    return Bad(variable, "a permutation may have at most 64 items");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Space> Space::Create(const SearchSpace& definition) {
  if (definition.variables.empty()) {
    return absl::InvalidArgumentError("the search space has no variables");
  }
  Space space;
  space.definition_ = definition;
  std::set<std::string> names;
  for (int i = 0; i < static_cast<int>(definition.variables.size()); ++i) {
    const Variable& variable = definition.variables[i];
    if (variable.name.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("variable ", i + 1, " has no name"));
    }
    if (!names.insert(variable.name).second) return Bad(variable, "is declared twice");
    RETURN_IF_ERROR(space.AddVariable(i));
  }
  RETURN_IF_ERROR(space.AddConditions());
  RETURN_IF_ERROR(space.AddConstraints());
  return space;
}

absl::Status Space::AddVariable(int index) {
  const Variable& variable = definition_.variables[index];
  const bool numeric =
      variable.type == VariableType::kContinuous || variable.type == VariableType::kInteger;
  RETURN_IF_ERROR(numeric ? CheckNumeric(variable) : CheckLevels(variable));
  if (variable.length < 0) return Bad(variable, "a negative length");
  if (variable.length == 0 && !variable.length_of.empty()) {
    return Bad(variable, absl::StrCat("its length \"", variable.length_of, "\" is not resolved"));
  }
  if (variable.length > kMaxElements) {
    return Bad(variable, absl::StrCat("more than ", kMaxElements, " elements"));
  }
  if (variable.length > 0 && variable.type == VariableType::kPermutation) {
    return Bad(variable, "a permutation cannot be the element of a vector");
  }
  first_dimension_.push_back(static_cast<int>(dimensions_.size()));
  const int elements = std::max(1, variable.length);
  for (int element = 0; element < elements; ++element) {
    Dimension dimension;
    dimension.variable = index;
    dimension.element = variable.length > 0 ? element : -1;
    dimension.type = variable.type;
    dimension.scale = variable.scale;
    dimension.min = variable.min;
    dimension.max = variable.max;
    dimension.slot = slot_count_;
    if (variable.type == VariableType::kInteger) {
      dimension.level_count = variable.max - variable.min + 1;
    } else if (!numeric) {
      dimension.level_count = static_cast<double>(variable.levels.size());
    }
    if (variable.type == VariableType::kPermutation) {
      dimension.slot_count = static_cast<int>(variable.levels.size());
    }
    slot_count_ += dimension.slot_count;
    (numeric && variable.type == VariableType::kContinuous ? has_continuous_ : has_discrete_) =
        true;
    dimensions_.push_back(dimension);
  }
  return absl::OkStatus();
}

absl::Status Space::AddConditions() {
  const int count = static_cast<int>(definition_.variables.size());
  std::vector<int> parents(count, -1);
  std::vector<std::string> names;
  for (const Variable& variable : definition_.variables) names.push_back(variable.name);
  for (int i = 0; i < count; ++i) {
    const Variable& variable = definition_.variables[i];
    if (!variable.condition) continue;
    const auto it = std::find(names.begin(), names.end(), variable.condition->variable);
    if (it == names.end()) {
      return Bad(variable, absl::StrCat("its condition names no variable \"",
                                        variable.condition->variable, "\"; did you mean \"",
                                        NearestName(variable.condition->variable, names), "\"?"));
    }
    parents[i] = static_cast<int>(it - names.begin());
    const Variable& parent = definition_.variables[parents[i]];
    const Dimension& dimension = dimensions_[first_dimension_[parents[i]]];
    if (parent.length > 0 || dimension.level_count < 1 || dimension.level_count > 4096 ||
        parent.type == VariableType::kPermutation) {
      return Bad(variable, absl::StrCat("its condition looks at \"", parent.name,
                                        "\", which is not a scalar with at most 4096 levels"));
    }
    if (variable.condition->values.empty()) return Bad(variable, "its condition has no values");
    std::vector<bool> active(static_cast<size_t>(dimension.level_count), false);
    for (const Value& value : variable.condition->values) {
      Slots slots(slot_count_, kInactive);
      RETURN_IF_ERROR_WITH(EncodeElement(dimension, value, slots),
                           absl::StrCat("condition of \"", variable.name, "\""));
      active[static_cast<size_t>(slots[dimension.slot])] = true;
    }
    for (int k = 0; k < std::max(1, variable.length); ++k) {
      Dimension& child = dimensions_[first_dimension_[i] + k];
      child.parent = first_dimension_[parents[i]];
      child.parent_active = active;
    }
  }
  // Parents first; what is left over after `count` rounds hangs on a cycle.
  std::vector<bool> done(count, false);
  for (int round = 0; round < count; ++round) {
    for (int i = 0; i < count; ++i) {
      if (done[i] || (parents[i] >= 0 && !done[parents[i]])) continue;
      done[i] = true;
      for (int k = 0; k < std::max(1, definition_.variables[i].length); ++k) {
        order_.push_back(first_dimension_[i] + k);
      }
    }
  }
  for (int i = 0; i < count; ++i) {
    if (!done[i]) return Bad(definition_.variables[i], "its condition depends on itself");
  }
  return absl::OkStatus();
}

absl::Status Space::AddConstraints() {
  for (size_t i = 0; i < definition_.variables.size(); ++i) {
    const Variable& variable = definition_.variables[i];
    if (variable.type == VariableType::kCategorical) {
      for (const Value& level : variable.levels) {
        if (level.is_string()) level_codes_.emplace(level.AsString(), 1e9 + level_codes_.size());
      }
    }
    if (variable.length > 0 || variable.type == VariableType::kPermutation) continue;
    scalar_names_.push_back(variable.name);
    scalar_dimensions_.push_back(first_dimension_[i]);
  }
  for (const std::string& expression : definition_.constraints) {
    ASSIGN_OR_RETURN(auto constraint,
                     ParameterConstraint::Compile(expression, scalar_names_, level_codes_));
    constraints_.push_back(std::move(constraint));
  }
  return absl::OkStatus();
}

std::string Space::DimensionName(int dimension) const {
  const Dimension& d = dimensions_[dimension];
  const std::string& name = definition_.variables[d.variable].name;
  return d.element < 0 ? name : absl::StrCat(name, "[", d.element, "]");
}

bool Space::IsActive(const Dimension& dimension, const Slots& slots) const {
  if (dimension.parent < 0) return true;
  const double slot = slots[dimensions_[dimension.parent].slot];
  return slot >= 0 && dimension.parent_active[static_cast<size_t>(slot)];
}

absl::Status Space::EncodeElement(const Dimension& dimension, const Value& value,
                                  Slots& slots) const {
  const Variable& variable = definition_.variables[dimension.variable];
  switch (dimension.type) {
    case VariableType::kContinuous:
    case VariableType::kInteger: {
      if (!value.is_number())
        return Bad(variable, absl::StrCat(value.ToJson(), " is not a number"));
      const double number = value.AsNumber();
      if (!(number >= dimension.min && number <= dimension.max)) {
        return Bad(variable,
                   absl::StrCat(NumberToText(number), " is outside [", NumberToText(dimension.min),
                                ", ", NumberToText(dimension.max), "]"));
      }
      if (dimension.is_continuous()) {
        slots[dimension.slot] = Snap(ToUnit(number, dimension.min, dimension.max, dimension.scale));
        return absl::OkStatus();
      }
      if (number != std::floor(number)) {
        return Bad(variable, absl::StrCat(NumberToText(number), " is not a whole number"));
      }
      slots[dimension.slot] = number - dimension.min;
      return absl::OkStatus();
    }
    case VariableType::kOrdinal:
    case VariableType::kCategorical: {
      const int index = LevelIndex(variable.levels, value);
      if (index < 0) {
        return Bad(variable, absl::StrCat(value.ToJson(), " is none of its levels ",
                                          LevelsText(variable.levels)));
      }
      slots[dimension.slot] = index;
      return absl::OkStatus();
    }
    case VariableType::kPermutation: {
      const Value::List& items = value.AsList();
      std::vector<bool> used(variable.levels.size(), false);
      if (!value.is_list() || items.size() != variable.levels.size()) {
        return Bad(variable, absl::StrCat("must be a list of the items ",
                                          LevelsText(variable.levels), " in some order"));
      }
      for (size_t place = 0; place < items.size(); ++place) {
        const int item = LevelIndex(variable.levels, items[place]);
        if (item < 0 || used[item]) {
          return Bad(variable, absl::StrCat(items[place].ToJson(),
                                            item < 0 ? " is none of its items" : " comes twice"));
        }
        used[item] = true;
        slots[dimension.slot + item] = static_cast<double>(place);
      }
      return absl::OkStatus();
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Slots> Space::Encode(const Point& point) const {
  std::vector<std::string> names;
  for (const Variable& variable : definition_.variables) names.push_back(variable.name);
  for (const auto& [name, value] : point) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      return absl::InvalidArgumentError(absl::StrCat("the space has no variable \"", name,
                                                     "\"; did you mean \"",
                                                     NearestName(name, names), "\"?"));
    }
  }
  Slots slots(slot_count_, kInactive);
  for (int index : order_) {
    const Dimension& dimension = dimensions_[index];
    const Variable& variable = definition_.variables[dimension.variable];
    const auto it = point.find(variable.name);
    if (!IsActive(dimension, slots)) {
      if (it != point.end()) {
        return Bad(variable, absl::StrCat("has a value though \"", variable.condition->variable,
                                          "\" switches it off; leave it out"));
      }
      continue;
    }
    if (it == point.end()) return Bad(variable, "has no value");
    if (dimension.element < 0) {
      RETURN_IF_ERROR(EncodeElement(dimension, it->second, slots));
      continue;
    }
    const Value::List& elements = it->second.AsList();
    if (!it->second.is_list() || static_cast<int>(elements.size()) != variable.length) {
      return Bad(variable, absl::StrCat("must be a list of ", variable.length, " elements"));
    }
    RETURN_IF_ERROR_WITH(EncodeElement(dimension, elements[dimension.element], slots),
                         absl::StrCat("element ", dimension.element));
  }
  for (const auto& constraint : constraints_) {
    if (!Holds(*constraint, slots)) {
      return absl::InvalidArgumentError(
          absl::StrCat("the constraint \"", constraint->expression(), "\" does not hold"));
    }
  }
  return slots;
}

Value Space::DecodeElement(const Dimension& dimension, const Slots& slots) const {
  const Variable& variable = definition_.variables[dimension.variable];
  const double slot = slots[dimension.slot];
  switch (dimension.type) {
    case VariableType::kContinuous:
      return Value(FromUnitScale(slot, dimension.min, dimension.max, dimension.scale));
    case VariableType::kInteger:
      return Value(dimension.min + slot);
    case VariableType::kOrdinal:
    case VariableType::kCategorical:
      return variable.levels[static_cast<size_t>(slot)];
    case VariableType::kPermutation: {
      Value::List items(variable.levels.size());
      for (int i = 0; i < dimension.slot_count; ++i) {
        items[static_cast<size_t>(slots[dimension.slot + i])] = variable.levels[i];
      }
      return Value(std::move(items));
    }
  }
  return Value();
}

Point Space::Decode(const Slots& slots) const {
  Point point;
  for (const Dimension& dimension : dimensions_) {
    if (slots[dimension.slot] == kInactive) continue;
    const std::string& name = definition_.variables[dimension.variable].name;
    if (dimension.element < 0) {
      point[name] = DecodeElement(dimension, slots);
    } else {
      Value& list = point[name];
      if (list.is_null()) list = Value(Value::List());
      list.Append(DecodeElement(dimension, slots));
    }
  }
  return point;
}

double Space::Coordinate(const Dimension& dimension, double slot) const {
  switch (dimension.type) {
    case VariableType::kContinuous:
      return slot;
    case VariableType::kInteger:
      return ToUnit(dimension.min + slot, dimension.min, dimension.max, dimension.scale);
    default:
      return dimension.level_count > 1 ? slot / (dimension.level_count - 1) : 0.5;
  }
}

Slots Space::FromUnit(const std::vector<double>& unit) const {
  Slots slots(slot_count_, kInactive);
  for (const Dimension& dimension : dimensions_) {
    const double u = unit[dimension.slot];
    switch (dimension.type) {
      case VariableType::kContinuous:
        slots[dimension.slot] = Snap(u);
        break;
      case VariableType::kInteger: {
        if (dimension.scale == Scale::kLinear) {
          slots[dimension.slot] =
              std::min(std::floor(u * dimension.level_count), dimension.level_count - 1);
          break;
        }
        const double value =
            FromUnitScale(u, dimension.min - 0.5, dimension.max + 0.5, dimension.scale);
        slots[dimension.slot] =
            std::clamp(std::round(value), dimension.min, dimension.max) - dimension.min;
        break;
      }
      case VariableType::kOrdinal:
      case VariableType::kCategorical:
        slots[dimension.slot] =
            std::min(std::floor(u * dimension.level_count), dimension.level_count - 1);
        break;
      case VariableType::kPermutation:
        for (int i = 0; i < dimension.slot_count; ++i) {
          int place = 0;
          for (int j = 0; j < dimension.slot_count; ++j) {
            const double a = unit[dimension.slot + i], b = unit[dimension.slot + j];
            if (b < a || (b == a && j < i)) ++place;
          }
          slots[dimension.slot + i] = place;
        }
        break;
    }
  }
  Canonicalise(slots);
  return slots;
}

double Space::MiddleSlot(const Dimension& dimension, int offset) const {
  if (dimension.is_continuous()) return 0.5;
  if (dimension.type == VariableType::kPermutation) return offset;
  return std::floor((dimension.level_count - 1) / 2);
}

void Space::Canonicalise(Slots& slots) const {
  for (int index : order_) {
    const Dimension& dimension = dimensions_[index];
    if (!IsActive(dimension, slots)) {
      for (int k = 0; k < dimension.slot_count; ++k) slots[dimension.slot + k] = kInactive;
    } else if (slots[dimension.slot] == kInactive) {
      for (int k = 0; k < dimension.slot_count; ++k) {
        slots[dimension.slot + k] = MiddleSlot(dimension, k);
      }
    } else if (dimension.is_continuous()) {
      slots[dimension.slot] = Snap(slots[dimension.slot]);
    }
  }
}

bool Space::Holds(const ParameterConstraint& constraint, const Slots& slots) const {
  std::vector<double> values;
  for (int used : constraint.used()) {
    const Dimension& dimension = dimensions_[scalar_dimensions_[used]];
    if (slots[dimension.slot] == kInactive) return true;
    const Value value = DecodeElement(dimension, slots);
    if (value.is_string()) {
      values.push_back(level_codes_.at(value.AsString()));
    } else {
      values.push_back(value.is_bool() ? (value.AsBool() ? 1.0 : 0.0) : value.AsNumber());
    }
  }
  return constraint.Holds(values);
}

bool Space::IsLegal(const Slots& slots) const {
  for (const auto& constraint : constraints_) {
    if (!Holds(*constraint, slots)) return false;
  }
  return true;
}

}  // namespace dovetail::search
