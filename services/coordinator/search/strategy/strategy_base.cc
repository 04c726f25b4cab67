#include "services/coordinator/search/strategy/strategy_base.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/nearest.h"
#include "common/base/status_macros.h"

namespace dovetail::search {
namespace {

// Enumerating further than this to find a last unseen point would take too long.
constexpr double kEnumerable = 2e6;

}  // namespace

StrategyBase::StrategyBase(Problem problem, Space space)
    : problem_(std::move(problem)), space_(std::move(space)) {}

absl::StatusOr<std::optional<Slots>> StrategyBase::NextEnqueued() {
  for (; next_enqueued_ < problem_.enqueued.size(); ++next_enqueued_) {
    ASSIGN_OR_RETURN(Slots slots, space_.Encode(problem_.enqueued[next_enqueued_]));
    if (IsNew(slots)) return std::optional<Slots>(std::move(slots));
  }
  return std::optional<Slots>();
}

absl::StatusOr<Suggestion> StrategyBase::Suggest(int trial) {
  ASSIGN_OR_RETURN(std::optional<Slots> enqueued, NextEnqueued());
  if (enqueued) {
    Value info;
    info.Set("phase", "enqueued");
    return Suggestion{problem_.enqueued[next_enqueued_], std::move(info)};
  }
  Rng rng = Rng::Derive(problem_.seed, absl::StrCat("suggest/", trial));
  ASSIGN_OR_RETURN(std::optional<Proposal> proposal, Propose(trial, rng));
  if (!proposal || !IsNew(proposal->slots)) {
    ASSIGN_OR_RETURN(proposal, AnyNew(rng));
  }
  return Suggestion{space_.Decode(proposal->slots), std::move(proposal->info)};
}

absl::StatusOr<Proposal> StrategyBase::AnyNew(Rng& rng) {
  Value info;
  info.Set("phase", "random");
  const std::optional<double> count = space_.RawCount();
  const bool enumerable = count && *count <= kEnumerable;
  const int attempts = enumerable ? 200 : 20000;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    absl::StatusOr<Slots> slots = space_.Random(rng, enumerable ? 20 : 2000);
    if (!slots.ok()) {
      if (enumerable) break;
      return slots.status();
    }
    if (IsNew(*slots)) return Proposal{*std::move(slots), std::move(info)};
  }
  if (!enumerable) {
    return absl::FailedPreconditionError("found no point that was not tried before");
  }
  const auto total = static_cast<uint64_t>(*count);
  for (; enumerated_ < total; ++enumerated_) {
    const std::optional<Slots> slots = space_.Enumerate(enumerated_);
    if (slots && IsNew(*slots)) return Proposal{*slots, std::move(info)};
  }
  if (seen_.empty()) {
    return absl::FailedPreconditionError("the parameter constraints leave no legal point");
  }
  return absl::OutOfRangeError(
      absl::StrCat("all ", seen_.size(), " configurations of the space were suggested"));
}

void StrategyBase::AddPending(int trial, const Point& point) {
  absl::StatusOr<Slots> slots = space_.Encode(point);
  if (!slots.ok()) return;
  seen_.insert(*slots);
  pending_[trial] = *std::move(slots);
}

void StrategyBase::Tell(const Observation& observation) {
  pending_.erase(observation.trial);
  absl::StatusOr<Slots> slots = space_.Encode(observation.point);
  if (!slots.ok()) return;
  seen_.insert(*slots);
  if (observation.kind == Observation::Kind::kLost) return;
  Record record;
  record.trial = observation.trial;
  record.slots = *std::move(slots);
  record.kind = observation.kind;
  record.cost_seconds = observation.cost_seconds;
  for (const auto& [name, value] : observation.metrics) {
    if (std::isfinite(value)) record.metrics[name] = value;
  }
  records_.push_back(std::move(record));
  OnTell(records_.back());
}

std::optional<std::vector<double>> StrategyBase::Objectives(const Record& record) const {
  std::vector<double> values;
  for (const Objective& objective : problem_.objectives) {
    const auto it = record.metrics.find(objective.metric);
    if (it == record.metrics.end()) return std::nullopt;
    values.push_back(objective.goal == Goal::kMaximize ? -it->second : it->second);
  }
  return values;
}

double ConstraintViolation(const Problem& problem, const Record& record) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (record.kind == Observation::Kind::kRefused) return kInfinity;
  double sum = 0;
  for (const Constraint& constraint : problem.constraints) {
    const auto it = record.metrics.find(constraint.metric);
    if (it == record.metrics.end()) return kInfinity;
    const double value = it->second;
    if (constraint.at_least && value < *constraint.at_least) {
      sum += (*constraint.at_least - value) / std::max(1e-9, std::abs(*constraint.at_least));
    }
    if (constraint.at_most && value > *constraint.at_most) {
      sum += (value - *constraint.at_most) / std::max(1e-9, std::abs(*constraint.at_most));
    }
  }
  return sum;
}

absl::StatusOr<std::map<std::string, double>> ReadOptions(const Value& options,
                                                          const std::vector<OptionSpec>& specs) {
  std::map<std::string, double> read;
  std::vector<std::string> names;
  for (const OptionSpec& spec : specs) {
    read[spec.name] = spec.default_value;
    names.push_back(spec.name);
  }
  for (const auto& [name, value] : options.AsMap()) {
    const auto it = std::find(names.begin(), names.end(), name);
    if (it == names.end()) {
      return absl::InvalidArgumentError(
          names.empty() ? absl::StrCat("option \"", name, "\": this strategy has none")
                        : absl::StrCat("no option \"", name, "\"; did you mean \"",
                                       NearestName(name, names), "\"?"));
    }
    const OptionSpec& spec = specs[it - names.begin()];
    const double number = value.is_bool() ? (value.AsBool() ? 1.0 : 0.0) : value.AsNumber();
    if ((!value.is_number() && !value.is_bool()) || !(number >= spec.min && number <= spec.max)) {
      return absl::InvalidArgumentError(
          absl::StrCat("option \"", name, "\" must be a number from ", NumberToText(spec.min),
                       " to ", NumberToText(spec.max), ", not ", value.ToJson()));
    }
    read[name] = number;
  }
  return read;
}

}  // namespace dovetail::search
