// Checks of a search space and of points in it; declared in job_checks.h and checks_internal.h.
#include <cmath>
#include <map>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/nearest.h"
#include "common/base/status_macros.h"
#include "common/convert/checks_internal.h"
#include "common/convert/job_checks.h"

namespace dovetail::convert {
namespace {

constexpr int kMaxVariables = 10'000;
constexpr int kMaxLength = 100'000;
constexpr size_t kMaxLevels = 100'000;
constexpr double kMaxInteger = 0x1p53;

bool IsIdentifier(const std::string& name) {
  if (name.empty() || absl::ascii_isdigit(name[0])) return false;
  for (const char c : name) {
    if (!absl::ascii_isalnum(c) && c != '_') return false;
  }
  return true;
}

bool IsWhole(double number) {
  return number == std::trunc(number) && std::abs(number) <= kMaxInteger;
}

absl::Status CheckRange(const Variable& variable, const std::string& where) {
  if (!variable.levels.empty()) return Wrong(where, "levels do not go with min and max");
  if (!std::isfinite(variable.min) || !std::isfinite(variable.max)) {
    return Wrong(where, "min and max must be finite numbers");
  }
  const bool integer = variable.type == VariableType::kInteger;
  if (variable.min > variable.max || (!integer && variable.min == variable.max)) {
    return Wrong(where, absl::StrCat("min ", NumberToText(variable.min), " is not below max ",
                                     NumberToText(variable.max)));
  }
  if (integer && (!IsWhole(variable.min) || !IsWhole(variable.max))) {
    return Wrong(where, "min and max of an integer variable must be whole numbers");
  }
  if (variable.scale != Scale::kLinear && variable.min <= 0) {
    return Wrong(where, "a log scale needs min above 0");
  }
  return absl::OkStatus();
}

absl::Status CheckLevels(const Variable& variable, const std::string& where) {
  if (variable.scale != Scale::kLinear) {
    return Wrong(where, "scale belongs to continuous and integer variables");
  }
  if (variable.levels.size() < 2) return Wrong(where, "needs at least two levels");
  if (variable.levels.size() > kMaxLevels) {
    return Wrong(where, absl::StrCat("has more than ", kMaxLevels, " levels"));
  }
  std::set<std::string> seen;
  for (size_t i = 0; i < variable.levels.size(); ++i) {
    const Value& level = variable.levels[i];
    if (level.is_null()) return Wrong(where, absl::StrCat("level ", i + 1, " is null"));
    if (!seen.insert(level.ToJson()).second) {
      return Wrong(where, absl::StrCat("level ", level.ToJson(), " is there twice"));
    }
    if (variable.type != VariableType::kOrdinal) continue;
    if (!level.is_number() || !std::isfinite(level.AsNumber())) {
      return Wrong(where, absl::StrCat("ordinal levels are numbers, not ", level.ToJson(),
                                       "; make it categorical where they have no order"));
    }
    if (i > 0 && level.AsNumber() <= variable.levels[i - 1].AsNumber()) {
      return Wrong(where, "ordinal levels must rise");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckVector(const Variable& variable, const std::string& where) {
  if (variable.length < 0 || variable.length > kMaxLength) {
    return Wrong(where, absl::StrCat("length must be 0 (a scalar) to ", kMaxLength));
  }
  if (variable.length_of.empty()) return absl::OkStatus();
  if (variable.length != 0) return Wrong(where, "give length or lengthOf, not both");
  if (variable.length_of != "layers") {
    return Wrong(where,
                 absl::StrCat("lengthOf \"", variable.length_of, "\" is not known; known: layers"));
  }
  return absl::OkStatus();
}

absl::Status CheckScalarValue(const Variable& variable, const Value& value,
                              const std::string& where) {
  switch (variable.type) {
    case VariableType::kContinuous:
    case VariableType::kInteger: {
      const double number = value.AsNumber();
      if (!value.is_number() || !(number >= variable.min && number <= variable.max)) {
        return Wrong(where,
                     absl::StrCat(value.ToJson(), " is not a number from ",
                                  NumberToText(variable.min), " to ", NumberToText(variable.max)));
      }
      if (variable.type == VariableType::kInteger && !IsWhole(number)) {
        return Wrong(where, absl::StrCat(value.ToJson(), " is not a whole number"));
      }
      return absl::OkStatus();
    }
    case VariableType::kOrdinal:
    case VariableType::kCategorical:
      for (const Value& level : variable.levels) {
        if (level == value) return absl::OkStatus();
      }
      return Wrong(where, absl::StrCat(value.ToJson(), " is not one of the levels ",
                                       Value(variable.levels).ToJson()));
    case VariableType::kPermutation: {
      std::multiset<std::string> wanted;
      std::multiset<std::string> given;
      for (const Value& level : variable.levels) wanted.insert(level.ToJson());
      for (const Value& item : value.AsList()) given.insert(item.ToJson());
      if (wanted == given) return absl::OkStatus();
      return Wrong(where, absl::StrCat(value.ToJson(), " is not an order of ",
                                       Value(variable.levels).ToJson()));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckCondition(const Variable& variable,
                            const std::map<std::string, const Variable*>& earlier,
                            const std::string& where) {
  if (!variable.condition) return absl::OkStatus();
  const auto parent = earlier.find(variable.condition->variable);
  if (parent == earlier.end()) {
    return Wrong(where, absl::StrCat("its condition names \"", variable.condition->variable,
                                     "\", which is not a variable listed before it"));
  }
  if (parent->second->length != 0 || !parent->second->length_of.empty()) {
    return Wrong(where, "its condition names a vector; conditions are over scalar variables");
  }
  if (variable.condition->values.empty()) {
    return Wrong(where, "its condition has no values, so it would never exist");
  }
  for (const Value& value : variable.condition->values) {
    RETURN_IF_ERROR(CheckScalarValue(*parent->second, value, absl::StrCat(where, ": condition")));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Wrong(absl::string_view where, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(where, ": ", why));
}

absl::Status CheckVariableValue(const Variable& variable, const Value& value,
                                const std::string& where) {
  if (variable.length == 0 && variable.length_of.empty()) {
    return CheckScalarValue(variable, value, where);
  }
  if (!value.is_list()) return Wrong(where, "is a vector: give a list");
  if (variable.length != 0 && value.AsList().size() != static_cast<size_t>(variable.length)) {
    return Wrong(where,
                 absl::StrCat("has ", value.AsList().size(), " elements, not ", variable.length));
  }
  for (const Value& element : value.AsList()) {
    RETURN_IF_ERROR(CheckScalarValue(variable, element, where));
  }
  return absl::OkStatus();
}

absl::Status CheckSpace(const SearchSpace& space) {
  if (space.variables.empty()) {
    return Wrong("space",
                 "no variables, so there is nothing to explore; list them under "
                 "space.variables");
  }
  if (space.variables.size() > kMaxVariables) {
    return Wrong("space", absl::StrCat("more than ", kMaxVariables, " variables"));
  }
  std::map<std::string, const Variable*> earlier;
  for (const Variable& variable : space.variables) {
    const std::string where = absl::StrCat("space: variable \"", variable.name, "\"");
    if (!IsIdentifier(variable.name)) {
      return Wrong(where, "a name is letters, digits and underscores, and no digit first");
    }
    if (earlier.contains(variable.name)) return Wrong(where, "there are two of this name");
    const bool has_range =
        variable.type == VariableType::kContinuous || variable.type == VariableType::kInteger;
    RETURN_IF_ERROR(has_range ? CheckRange(variable, where) : CheckLevels(variable, where));
    RETURN_IF_ERROR(CheckVector(variable, where));
    RETURN_IF_ERROR(CheckCondition(variable, earlier, where));
    earlier[variable.name] = &variable;
  }
  return absl::OkStatus();
}

absl::Status CheckPoint(const SearchSpace& space, const Point& point, bool complete,
                        const std::string& where) {
  std::vector<std::string> names;
  for (const Variable& variable : space.variables) {
    names.push_back(variable.name);
    const auto given = point.find(variable.name);
    if (given != point.end()) {
      RETURN_IF_ERROR(
          CheckVariableValue(variable, given->second, absl::StrCat(where, ".", variable.name)));
    } else if (complete && !variable.condition) {
      return Wrong(where, absl::StrCat("has no value for \"", variable.name, "\""));
    }
  }
  for (const auto& [name, value] : point) {
    bool known = false;
    for (const std::string& candidate : names) known = known || candidate == name;
    if (!known) {
      return Wrong(where, absl::StrCat("there is no variable \"", name, "\"; did you mean \"",
                                       NearestName(name, names), "\"?"));
    }
  }
  return absl::OkStatus();
}

}  // namespace dovetail::convert
