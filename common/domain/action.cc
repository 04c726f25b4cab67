#include "common/domain/action.h"

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/digest.h"

namespace dovetail {
namespace {

constexpr std::array<std::pair<Outcome, const char*>, 9> kNames = {{
    {Outcome::kOk, "ok"},
    {Outcome::kConstraint, "constraint"},
    {Outcome::kInfeasible, "infeasible"},
    {Outcome::kTimeout, "timeout"},
    {Outcome::kOutOfMemory, "out_of_memory"},
    {Outcome::kLicence, "licence"},
    {Outcome::kInfrastructure, "infrastructure"},
    {Outcome::kBug, "bug"},
    {Outcome::kCancelled, "cancelled"},
}};

Value TextMap(const std::map<std::string, std::string>& map) {
  Value value{Value::Map()};
  for (const auto& [key, text] : map) value.Set(key, text);
  return value;
}

}  // namespace

std::string ActionKey(const Action& action) {
  Value key;
  key.Set("tenant", action.tenant).Set("task", action.task).Set("version", action.task_version);
  key.Set("parameters", action.parameters).Set("inputs", TextMap(action.inputs));
  key.Set("seed", absl::StrCat(action.seed)).Set("tools", TextMap(action.tools));
  return Sha256Hex(key.ToJson());
}

absl::string_view OutcomeName(Outcome outcome) {
  for (const auto& [value, name] : kNames) {
    if (value == outcome) return name;
  }
  return "unknown";
}

absl::StatusOr<Outcome> ParseOutcome(absl::string_view name) {
  for (const auto& [value, known] : kNames) {
    if (name == known) return value;
  }
  return absl::InvalidArgumentError(absl::StrCat("unknown outcome \"", name, "\""));
}

}  // namespace dovetail
