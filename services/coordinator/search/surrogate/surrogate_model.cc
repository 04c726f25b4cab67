#include "services/coordinator/search/surrogate/surrogate_model.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/status/status.h"
#include "common/base/status_macros.h"

namespace dovetail::search {
namespace {

constexpr double kAcceptanceNoise = 0.02;  // of the +-1 labels

Value ToList(const Eigen::VectorXd& vector) {
  Value::List list;
  for (double x : vector) list.emplace_back(x);
  return Value(std::move(list));
}

Eigen::VectorXd ToVector(const Value& value) {
  Eigen::VectorXd vector(static_cast<Eigen::Index>(value.AsList().size()));
  for (Eigen::Index i = 0; i < vector.size(); ++i) {
    vector[i] = value.AsList()[static_cast<size_t>(i)].AsNumber();
  }
  return vector;
}

// The analytic model speaks the output's units: warped, then standardised by itself.
double PriorUnits(const FittedOutput& fitted, double raw) {
  OutputTransform transform = fitted.transform;
  transform.mean = fitted.prior_mean;
  transform.deviation = fitted.prior_deviation;
  const double value = transform.Forward(raw);
  return std::isfinite(value) ? std::clamp(value, -10.0, 10.0) : 0.0;
}

GpPriors PriorsFor(const OutputSpec& spec, int group_count, const FitOptions& options) {
  GpPriors priors = DefaultPriors(group_count);
  priors.noise_floor = spec.acceptance ? kAcceptanceNoise : options.noise_floor;
  return priors;
}

GpData Standardised(const FittedOutput& fitted, const OutputSample& sample) {
  GpData data;
  data.x = sample.x;
  const auto n = static_cast<Eigen::Index>(sample.y.size());
  data.y.resize(n);
  data.h.resize(n, fitted.uses_prior_mean ? 1 : 0);
  for (Eigen::Index i = 0; i < n; ++i) {
    data.y[i] = fitted.transform.Clipped(sample.y[i]);
    if (fitted.uses_prior_mean) data.h(i, 0) = PriorUnits(fitted, sample.prior[i]);
  }
  return data;
}

}  // namespace

Value FittedOutput::ToValue() const {
  Value value;
  value.Set("transform", transform.ToValue());
  value.Set("log_length", ToList(parameters.log_length));
  value.Set("log_signal", parameters.log_signal);
  value.Set("log_noise", parameters.log_noise);
  value.Set("log_basis", ToList(parameters.log_basis));
  if (uses_prior_mean) {
    value.Set("prior_mean", prior_mean).Set("prior_deviation", prior_deviation);
  }
  return value;
}

absl::StatusOr<FittedOutput> FittedOutput::FromValue(const Value& value) {
  if (!value["log_length"].is_list() || !value["transform"].is_map()) {
    return absl::InvalidArgumentError("a stored refit lacks its parameters");
  }
  FittedOutput fitted;
  fitted.transform = OutputTransform::FromValue(value["transform"]);
  fitted.parameters.log_length = ToVector(value["log_length"]);
  fitted.parameters.log_signal = value["log_signal"].AsNumber();
  fitted.parameters.log_noise = value["log_noise"].AsNumber();
  fitted.parameters.log_basis = ToVector(value["log_basis"]);
  fitted.uses_prior_mean = value.Has("prior_mean");
  if (fitted.uses_prior_mean) {
    fitted.prior_mean = value["prior_mean"].AsNumber();
    fitted.prior_deviation = value["prior_deviation"].AsNumber();
  }
  return fitted;
}

std::vector<OutputSpec> Outputs(const Problem& problem, const std::vector<Record>& records) {
  std::vector<OutputSpec> outputs;
  for (const Objective& objective : problem.objectives) {
    OutputSpec spec;
    spec.metric = objective.metric;
    spec.sign = objective.goal == Goal::kMaximize ? -1.0 : 1.0;
    spec.objective = true;
    spec.may_warp = problem.objectives.size() == 1;
    spec.tail = Tail::kObjective;
    outputs.push_back(spec);
  }
  for (const Constraint& constraint : problem.constraints) {
    const bool known = std::any_of(outputs.begin(), outputs.end(), [&](const OutputSpec& spec) {
      return spec.metric == constraint.metric;
    });
    if (known) continue;
    OutputSpec spec;
    spec.metric = constraint.metric;
    const auto on_it =
        std::count_if(problem.constraints.begin(), problem.constraints.end(),
                      [&](const Constraint& other) { return other.metric == constraint.metric; });
    if (on_it == 1 && constraint.at_least.has_value() != constraint.at_most.has_value()) {
      spec.sign = constraint.at_least ? -1.0 : 1.0;
      spec.tail = Tail::kConstraint;
      spec.bound = constraint.at_least ? *constraint.at_least : *constraint.at_most;
    }
    outputs.push_back(spec);
  }
  const bool refusals = std::any_of(records.begin(), records.end(), [](const Record& record) {
    return record.kind == Observation::Kind::kRefused;
  });
  if (refusals) {
    OutputSpec spec;
    spec.metric = "accepted";
    spec.acceptance = true;
    outputs.push_back(spec);
  }
  return outputs;
}

std::optional<double> OutputValue(const OutputSpec& spec, const Record& record) {
  if (spec.acceptance) return record.kind == Observation::Kind::kRefused ? -1.0 : 1.0;
  const auto it = record.metrics.find(spec.metric);
  if (it == record.metrics.end()) return std::nullopt;
  return it->second;
}

OutputSample Sample(const OutputSpec& spec, const Problem& problem, const Space& space,
                    const FeatureMap& features, const std::vector<Record>& records) {
  OutputSample sample;
  std::vector<Slots> points;
  bool has_prior = problem.prior_mean != nullptr && !spec.acceptance;
  for (const Record& record : records) {
    const std::optional<double> y = OutputValue(spec, record);
    if (!y) continue;
    points.push_back(record.slots);
    sample.y.push_back(*y);
    if (!has_prior) continue;
    const std::optional<double> prior = problem.prior_mean(spec.metric, space.Decode(record.slots));
    if (prior && std::isfinite(*prior)) {
      sample.prior.push_back(*prior);
    } else {
      has_prior = false;
    }
  }
  if (!has_prior) sample.prior.clear();
  sample.x = features.Map(points);
  return sample;
}

FittedOutput FitOutput(const OutputSpec& spec, const OutputSample& sample,
                       const std::vector<int>& groups, const FittedOutput* warm,
                       const FitOptions& options) {
  const int group_count = groups.empty() ? 0 : groups.back() + 1;
  const GpPriors priors = PriorsFor(spec, group_count, options);
  std::vector<Warp> warps = {Warp::kNone};
  if (!spec.acceptance && spec.may_warp) warps = PlausibleWarps(sample.y);
  FittedOutput best;
  double best_density = std::numeric_limits<double>::infinity();
  for (Warp warp : warps) {
    FittedOutput fitted;
    if (!spec.acceptance) {
      fitted.transform = FitTransform(sample.y, warp, spec.sign, spec.tail, spec.bound);
    }
    if (!sample.prior.empty() && sample.y.size() >= 3) {
      const OutputTransform of_prior = FitTransform(sample.prior, warp, spec.sign, Tail::kKept);
      fitted.prior_mean = of_prior.mean;
      fitted.prior_deviation = of_prior.deviation;
      fitted.uses_prior_mean = std::isfinite(of_prior.mean) && of_prior.deviation > 0;
    }
    const int basis_count = fitted.uses_prior_mean ? 1 : 0;
    std::vector<GpParameters> starts;
    if (warm != nullptr && warm->parameters.log_length.size() == group_count &&
        warm->parameters.log_basis.size() == basis_count && warm->transform.warp == warp) {
      starts.push_back(warm->parameters);
    }
    if (options.cold || starts.empty()) {
      starts.push_back(InitialParameters(group_count, basis_count, priors));
      GpParameters smooth = starts.back();
      smooth.log_length.array() += 1.2;
      starts.push_back(smooth);
    }
    double density = 0;
    fitted.parameters = FitParameters(Standardised(fitted, sample), groups, priors, starts,
                                      options.max_evaluations, &density);
    fitted.density = density - fitted.transform.LogSlope(sample.y);
    if (fitted.density < best_density || best_density == std::numeric_limits<double>::infinity()) {
      best_density = fitted.density;
      best = fitted;
    }
  }
  return best;
}

SurrogateModel::SurrogateModel(const Problem* problem, const Space* space,
                               const FeatureMap* features, std::vector<OutputSpec> outputs,
                               std::vector<FittedOutput> fitted)
    : problem_(problem),
      space_(space),
      features_(features),
      outputs_(std::move(outputs)),
      fitted_(std::move(fitted)),
      processes_(outputs_.size()) {}

bool SurrogateModel::ready() const {
  for (const GaussianProcess& process : processes_) {
    if (process.size() == 0) return false;
  }
  return true;
}

double SurrogateModel::Transformed(int output, double raw) const {
  return fitted_[output].transform.Clipped(raw);
}

Eigen::MatrixXd SurrogateModel::Basis(int output, const std::vector<Slots>& points) const {
  const FittedOutput& fitted = fitted_[output];
  Eigen::MatrixXd basis(static_cast<Eigen::Index>(points.size()), fitted.uses_prior_mean ? 1 : 0);
  if (!fitted.uses_prior_mean) return basis;
  for (size_t i = 0; i < points.size(); ++i) {
    const std::optional<double> prior =
        problem_->prior_mean(outputs_[output].metric, space_->Decode(points[i]));
    basis(static_cast<Eigen::Index>(i), 0) =
        prior && std::isfinite(*prior) ? PriorUnits(fitted, *prior) : 0.0;
  }
  return basis;
}

GpData SurrogateModel::Data(int output, const std::vector<Record>& records, size_t from) const {
  GpData data;
  std::vector<Slots> points;
  std::vector<double> y;
  for (size_t i = from; i < records.size(); ++i) {
    const std::optional<double> value = OutputValue(outputs_[output], records[i]);
    if (!value) continue;
    const double transformed = fitted_[output].transform.Clipped(*value);
    if (!std::isfinite(transformed)) continue;  // below the range of a logarithm
    points.push_back(records[i].slots);
    y.push_back(transformed);
  }
  data.x = features_->Map(points);
  data.h = Basis(output, points);
  data.y = Eigen::Map<const Eigen::VectorXd>(y.data(), static_cast<Eigen::Index>(y.size()));
  return data;
}

void SurrogateModel::Start(const std::vector<Record>& chosen, int taken) {
  for (size_t k = 0; k < outputs_.size(); ++k) {
    const GpData data = Data(static_cast<int>(k), chosen, 0);
    if (data.y.size() == 0) continue;
    processes_[k] = GaussianProcess(fitted_[k].parameters, data, features_->groups());
  }
  taken_ = taken;
}

void SurrogateModel::Update(const std::vector<Record>& records) {
  const auto from = static_cast<size_t>(taken_);
  if (from >= records.size()) return;
  for (size_t k = 0; k < outputs_.size(); ++k) {
    const GpData data = Data(static_cast<int>(k), records, from);
    if (data.y.size() == 0) continue;
    if (processes_[k].size() == 0) {
      processes_[k] = GaussianProcess(fitted_[k].parameters, data, features_->groups());
    } else {
      processes_[k].Append(data);
    }
  }
  taken_ = static_cast<int>(records.size());
}

std::vector<Record> ChooseRecords(const Problem& problem, const std::vector<Record>& records,
                                  int limit) {
  const size_t n = records.size();
  if (n <= static_cast<size_t>(limit)) return records;
  constexpr double kWorst = std::numeric_limits<double>::infinity();
  std::vector<double> violation(n), rank_sum(n, 0.0);
  for (size_t i = 0; i < n; ++i) violation[i] = ConstraintViolation(problem, records[i]);
  for (const Objective& objective : problem.objectives) {
    std::vector<std::pair<double, size_t>> values;
    for (size_t i = 0; i < n; ++i) {
      const auto it = records[i].metrics.find(objective.metric);
      const double value = it == records[i].metrics.end() ? kWorst : it->second;
      values.emplace_back(objective.goal == Goal::kMaximize && value < kWorst ? -value : value, i);
    }
    std::sort(values.begin(), values.end());
    for (size_t r = 0; r < n; ++r) rank_sum[values[r].second] += static_cast<double>(r);
  }
  std::vector<size_t> order(n);
  for (size_t i = 0; i < n; ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return violation[a] != violation[b] ? violation[a] < violation[b] : rank_sum[a] < rank_sum[b];
  });
  std::vector<bool> chosen(n, false);
  const auto young = static_cast<size_t>(limit) / 4;
  for (size_t i = 0; i < static_cast<size_t>(limit) / 2; ++i) chosen[order[i]] = true;
  for (size_t i = n - young; i < n; ++i) chosen[i] = true;
  auto count = static_cast<size_t>(std::count(chosen.begin(), chosen.end(), true));
  const double stride = static_cast<double>(n) / static_cast<double>(limit - count + 1);
  for (double at = 0; at < static_cast<double>(n) && count < static_cast<size_t>(limit);
       at += stride) {
    const auto i = static_cast<size_t>(at);
    count += chosen[i] ? 0 : 1;
    chosen[i] = true;
  }
  std::vector<Record> result;
  for (size_t i = 0; i < n; ++i) {
    if (chosen[i]) result.push_back(records[i]);
  }
  return result;
}

}  // namespace dovetail::search
