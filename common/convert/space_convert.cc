// Search spaces; declared in job_convert.h beside their jobs.
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/convert/job_convert.h"
#include "common/convert/value_convert.h"

namespace dovetail::convert {
namespace {

absl::StatusOr<VariableType> TypeFromProto(const v1::Variable& variable) {
  switch (variable.type()) {
    case v1::VARIABLE_TYPE_CONTINUOUS:
      return VariableType::kContinuous;
    case v1::VARIABLE_TYPE_INTEGER:
      return VariableType::kInteger;
    case v1::VARIABLE_TYPE_ORDINAL:
      return VariableType::kOrdinal;
    case v1::VARIABLE_TYPE_CATEGORICAL:
      return VariableType::kCategorical;
    case v1::VARIABLE_TYPE_PERMUTATION:
      return VariableType::kPermutation;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("space: variable \"", variable.name(),
                       "\": type is missing; write continuous, integer, ordinal, categorical or "
                       "permutation"));
  }
}

v1::VariableType TypeToProto(VariableType type) {
  switch (type) {
    case VariableType::kContinuous:
      return v1::VARIABLE_TYPE_CONTINUOUS;
    case VariableType::kInteger:
      return v1::VARIABLE_TYPE_INTEGER;
    case VariableType::kOrdinal:
      return v1::VARIABLE_TYPE_ORDINAL;
    case VariableType::kCategorical:
      return v1::VARIABLE_TYPE_CATEGORICAL;
    case VariableType::kPermutation:
      return v1::VARIABLE_TYPE_PERMUTATION;
  }
  return v1::VARIABLE_TYPE_UNSPECIFIED;
}

Scale ScaleFromProto(v1::Scale scale) {
  if (scale == v1::SCALE_LOG) return Scale::kLog;
  if (scale == v1::SCALE_REVERSE_LOG) return Scale::kReverseLog;
  return Scale::kLinear;
}

v1::Scale ScaleToProto(Scale scale) {
  if (scale == Scale::kLog) return v1::SCALE_LOG;
  if (scale == Scale::kReverseLog) return v1::SCALE_REVERSE_LOG;
  return v1::SCALE_LINEAR;
}

bool HasRange(VariableType type) {
  return type == VariableType::kContinuous || type == VariableType::kInteger;
}

absl::StatusOr<Variable> VariableFromProto(const v1::Variable& proto) {
  Variable variable{.name = proto.name()};
  ASSIGN_OR_RETURN(variable.type, TypeFromProto(proto));
  if (HasRange(variable.type)) {
    variable.min = proto.min();
    variable.max = proto.max();
  }
  variable.scale = ScaleFromProto(proto.scale());
  for (const auto& level : proto.levels()) variable.levels.push_back(ValueFromProto(level));
  variable.length = proto.length();
  variable.length_of = proto.length_of();
  if (proto.has_condition()) {
    Condition condition{.variable = proto.condition().variable()};
    for (const auto& value : proto.condition().values()) {
      condition.values.push_back(ValueFromProto(value));
    }
    variable.condition = std::move(condition);
  }
  return variable;
}

v1::Variable VariableToProto(const Variable& variable) {
  v1::Variable proto;
  proto.set_name(variable.name);
  proto.set_type(TypeToProto(variable.type));
  if (HasRange(variable.type)) {
    proto.set_min(variable.min);
    proto.set_max(variable.max);
  }
  proto.set_scale(ScaleToProto(variable.scale));
  for (const Value& level : variable.levels) *proto.add_levels() = ValueToProto(level);
  proto.set_length(variable.length);
  proto.set_length_of(variable.length_of);
  if (variable.condition) {
    proto.mutable_condition()->set_variable(variable.condition->variable);
    for (const Value& value : variable.condition->values) {
      *proto.mutable_condition()->add_values() = ValueToProto(value);
    }
  }
  return proto;
}

}  // namespace

absl::StatusOr<SearchSpace> SearchSpaceFromProto(const v1::SearchSpace& proto) {
  SearchSpace space;
  for (const v1::Variable& one : proto.variables()) {
    ASSIGN_OR_RETURN(Variable variable, VariableFromProto(one));
    space.variables.push_back(std::move(variable));
  }
  space.constraints = {proto.constraints().begin(), proto.constraints().end()};
  return space;
}

v1::SearchSpace SearchSpaceToProto(const SearchSpace& space) {
  v1::SearchSpace proto;
  for (const Variable& variable : space.variables) {
    *proto.add_variables() = VariableToProto(variable);
  }
  for (const std::string& constraint : space.constraints) proto.add_constraints(constraint);
  return proto;
}

}  // namespace dovetail::convert
