#include "common/domain/task_info.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/nearest.h"

namespace dovetail {
namespace {

bool HasType(const Value& value, const std::string& type) {
  if (type == "number") return value.is_number();
  if (type == "integer")
    return value.is_number() && value.AsNumber() == std::trunc(value.AsNumber());
  if (type == "boolean") return value.is_bool();
  if (type == "string") return value.is_string();
  if (type == "list") return value.is_list();
  if (type == "map") return value.is_map();
  // "number|list": any of the alternatives.
  const size_t bar = type.find('|');
  return bar != std::string::npos &&
         (HasType(value, type.substr(0, bar)) || HasType(value, type.substr(bar + 1)));
}

}  // namespace

absl::StatusOr<const TaskInfo*> FindTaskInfo(absl::string_view name) {
  std::vector<std::string> names;
  for (const TaskInfo& info : TaskCatalogue()) {
    if (info.name == name) return &info;
    names.push_back(info.name);
  }
  return absl::NotFoundError(absl::StrCat("there is no task \"", name, "\"; did you mean \"",
                                          NearestName(name, names),
                                          "\"? Known: ", absl::StrJoin(names, ", ")));
}

absl::StatusOr<Value> CanonicalParameters(const TaskInfo& info, const Value& given) {
  Value canonical{Value::Map()};
  std::vector<std::string> names;
  for (const ParameterInfo& parameter : info.parameters) {
    names.push_back(parameter.name);
    const Value& value =
        given.Has(parameter.name) ? given[parameter.name] : parameter.default_value;
    if (value.is_null()) {
      if (given.Has(parameter.name) || parameter.default_value.is_null()) {
        return absl::InvalidArgumentError(absl::StrCat("task ", info.name, ": parameter \"",
                                                       parameter.name, "\" (", parameter.type,
                                                       ") is missing"));
      }
    }
    if (!HasType(value, parameter.type)) {
      return absl::InvalidArgumentError(absl::StrCat("task ", info.name, ": parameter \"",
                                                     parameter.name, "\" is a ", parameter.type,
                                                     ", not ", value.ToJson()));
    }
    canonical.Set(parameter.name, value);
  }
  for (const auto& [name, value] : given.AsMap()) {
    if (!canonical.Has(name)) {
      return absl::InvalidArgumentError(
          absl::StrCat("task ", info.name, " has no parameter \"", name, "\"; did you mean \"",
                       NearestName(name, names), "\"? Known: ", absl::StrJoin(names, ", ")));
    }
  }
  return canonical;
}

}  // namespace dovetail
