#include "services/coordinator/search/strategy/gp_strategy.h"

#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/nearest.h"
#include "common/base/status_macros.h"
#include "services/coordinator/search/acquisition/candidate_scorer.h"
#include "services/coordinator/search/initial/sobol.h"
#include "services/coordinator/search/optimize/acquisition_optimizer.h"
#include "services/coordinator/search/optimize/trust_region.h"
#include "services/coordinator/search/strategy/strategy_base.h"
#include "services/coordinator/search/surrogate/surrogate_model.h"

namespace dovetail::search {
namespace {

// Parameters are fitted to at most so many records; more sharpen them little and cost n^3.
constexpr int kMaxFitted = 400;
// Up to kExact records the processes hold all of them, beyond that a choice of kLocal.
constexpr int kExact = 1500;
constexpr int kLocal = 1000;

struct GpOptions {
  std::vector<double> reference;  // raw, by objective; empty: inferred
  double noise_floor = 1e-8;
  int draws = 16;
  int raw_count = 0;
  int start_count = 0;
  bool trust_region = false;
};

// Eigen blocks its products by cache sizes it detects: pinned, or replays would differ by machine.
void PinEigen() {
  static const bool pinned = [] {
    Eigen::setCpuCacheSizes(32 * 1024, 512 * 1024, 4 * 1024 * 1024);
    return true;
  }();
  (void)pinned;
}

// A candidate costs n^2: fewer of them where the history is long.
void Effort(int n, OptimizeOptions& optimize) {
  const int level = n <= 150 ? 0 : (n <= 300 ? 1 : (n <= 600 ? 2 : 3));
  optimize.raw_count = std::array{512, 320, 192, 96}[level];
  optimize.start_count = std::array{8, 8, 6, 4}[level];
  optimize.max_neighbours = std::array{400, 240, 140, 80}[level];
  optimize.climb_steps = std::array{30, 30, 22, 15}[level];
  optimize.rounds = std::array{4, 4, 3, 2}[level];
}

class GpRefit : public Refit {
 public:
  std::vector<OutputSpec> specs;
  std::vector<OutputSample> samples;
  std::vector<FittedOutput> warm;  // by output; may be shorter
  std::vector<int> groups;
  FitOptions options;
  int record_count = 0;
  std::vector<FittedOutput> fitted;

  void Run() override {
    fitted.clear();
    for (size_t k = 0; k < specs.size(); ++k) {
      fitted.push_back(
          FitOutput(specs[k], samples[k], groups, k < warm.size() ? &warm[k] : nullptr, options));
    }
  }

  Value State() const override {
    Value state;
    state.Set("records", record_count);
    Value::List outputs;
    for (size_t k = 0; k < fitted.size(); ++k) {
      Value output = fitted[k].ToValue();
      output.Set("metric", specs[k].metric).Set("acceptance", specs[k].acceptance);
      outputs.push_back(std::move(output));
    }
    state.Set("outputs", std::move(outputs));
    return state;
  }
};

class GpStrategy : public StrategyBase {
 public:
  GpStrategy(Problem problem, Space space, GpOptions options)
      : StrategyBase(std::move(problem), std::move(space)),
        options_(std::move(options)),
        features_(&this->space()),
        sobol_(this->space().slot_count(), this->problem().seed) {
    PinEigen();
    initial_count_ = this->problem().initial_count;
    if (initial_count_ <= 0) {
      const int dimensions = static_cast<int>(this->space().dimensions().size());
      initial_count_ = std::max(4, 2 * (dimensions + 1));
      if (this->problem().budget_trials > 0) {
        initial_count_ = std::min(initial_count_, std::max(4, this->problem().budget_trials / 4));
      }
      initial_count_ = std::min(initial_count_, 40);
    }
  }

  bool WantsRefit() const override {
    if (!Learnable()) return false;
    const int count = static_cast<int>(records().size());
    if (model_ == nullptr) return count >= std::max(2, (initial_count_ + 1) / 2);
    const bool new_output = Outputs(problem(), records()).size() != model_->outputs().size();
    return new_output || count >= fitted_count_ + std::max(1, fitted_count_ / 20);
  }

  std::unique_ptr<Refit> StartRefit() override {
    if (!Learnable()) return nullptr;
    auto refit = std::make_unique<GpRefit>();
    refit->specs = Outputs(problem(), records());
    refit->groups = features_.groups();
    refit->record_count = static_cast<int>(records().size());
    refit->options.noise_floor = options_.noise_floor;
    refit->options.max_evaluations = refit->record_count <= 200 ? 60 : 30;
    refit->options.cold = refit->record_count <= 150;
    const std::vector<Record> chosen = ChooseRecords(problem(), records(), kMaxFitted);
    for (size_t k = 0; k < refit->specs.size(); ++k) {
      refit->samples.push_back(Sample(refit->specs[k], problem(), space(), features_, chosen));
      if (model_ != nullptr && k < model_->outputs().size()) {
        refit->warm.push_back(model_->fitted(static_cast<int>(k)));
      }
    }
    return refit;
  }

  void InstallRefit(const Refit& refit) override {
    const auto& done = static_cast<const GpRefit&>(refit);
    Install(done.specs, done.fitted, done.record_count);
  }

  absl::Status RestoreRefit(const Value& state) override {
    std::vector<OutputSpec> specs = Outputs(problem(), {});
    std::vector<FittedOutput> fitted;
    for (const Value& output : state["outputs"].AsList()) {
      ASSIGN_OR_RETURN(FittedOutput one, FittedOutput::FromValue(output));
      if (one.parameters.log_length.size() != features_.group_count()) {
        return absl::InvalidArgumentError("a stored refit belongs to another search space");
      }
      fitted.push_back(std::move(one));
      if (!output["acceptance"].AsBool()) continue;
      OutputSpec spec;
      spec.metric = "accepted";
      spec.acceptance = true;
      specs.push_back(spec);
    }
    if (fitted.size() != specs.size()) {
      return absl::InvalidArgumentError("a stored refit belongs to another problem");
    }
    Install(std::move(specs), std::move(fitted), static_cast<int>(state["records"].AsNumber()));
    return absl::OkStatus();
  }

  Value Diagnostics() const override;

 private:
  // Every objective and constraint was measured at least twice.
  bool Learnable() const {
    for (const OutputSpec& spec : Outputs(problem(), {})) {
      int count = 0;
      for (const Record& record : records()) count += OutputValue(spec, record).has_value();
      if (count < 2) return false;
    }
    return true;
  }

  void Install(std::vector<OutputSpec> specs, std::vector<FittedOutput> fitted, int count) {
    model_ = std::make_unique<SurrogateModel>(&problem(), &space(), &features_, std::move(specs),
                                              std::move(fitted));
    fitted_count_ = count;
    const int count_now = static_cast<int>(records().size());
    model_->Start(ChooseRecords(problem(), records(), count_now > kExact ? kLocal : count_now),
                  count_now);
  }

  void OnTell(const Record&) override {
    if (model_ != nullptr) model_->Update(records());
  }

  absl::StatusOr<std::optional<Proposal>> Propose(int trial, Rng& rng) override {
    const int known = static_cast<int>(records().size() + pending().size());
    if (known < initial_count_ || model_ == nullptr || !model_->ready()) return Initial(trial);
    return FromModel(rng);
  }

  std::optional<Proposal> Initial(int trial) const {
    Slots slots = space().FromUnit(sobol_.Point(static_cast<uint32_t>(std::max(0, trial - 1))));
    if (!space().IsLegal(slots)) return std::nullopt;
    Value info;
    info.Set("phase", "initial");
    return Proposal{std::move(slots), std::move(info)};
  }

  std::optional<Proposal> FromModel(Rng& rng) const {
    ScorerOptions scorer_options;
    scorer_options.draws = options_.draws;
    scorer_options.reference = options_.reference;
    scorer_options.seed = rng.Next();
    std::vector<Slots> pending_points;
    for (const auto& [trial, slots] : pending()) pending_points.push_back(slots);
    const CandidateScorer scorer(model_.get(), problem(), records(), pending_points,
                                 scorer_options);
    const int n = model_->process(0).size();
    OptimizeOptions optimize;
    Effort(n, optimize);
    if (options_.raw_count > 0) optimize.raw_count = options_.raw_count;
    if (options_.start_count > 0) optimize.start_count = options_.start_count;
    if (options_.trust_region) SetTrustRegion(scorer.incumbents(), rng, optimize);
    if (options_.raw_count > 0) optimize.raw_count = options_.raw_count;
    if (options_.start_count > 0) optimize.start_count = options_.start_count;
    const std::optional<Optimum> optimum = MaximizeAcquisition(
        space(),
        [&](const std::vector<Slots>& points, Eigen::MatrixXd* gradients) {
          return scorer.Score(points, gradients);
        },
        scorer.incumbents(), [this](const Slots& slots) { return IsNew(slots); }, optimize, rng);
    if (!optimum) return std::nullopt;
    Value info;
    info.Set("phase", scorer.anything_feasible() ? "model" : "feasibility");
    info.Set("acquisition", optimum->value);
    info.Set("predicted", scorer.Predicted(optimum->slots));
    return Proposal{optimum->slots, std::move(info)};
  }

  // Whether each trial after the initial ones joined the feasible front of those before it.
  std::vector<bool> Successes() const {
    std::vector<bool> successes;
    std::vector<std::vector<double>> front;
    for (size_t i = 0; i < records().size(); ++i) {
      const auto values = Objectives(records()[i]);
      bool joins = values.has_value() && Violation(records()[i]) == 0;
      for (size_t j = 0; j < front.size() && joins; ++j) {
        bool beaten = true;
        for (size_t k = 0; k < front[j].size(); ++k) beaten = beaten && front[j][k] <= (*values)[k];
        joins = !beaten;
      }
      if (joins) {
        std::erase_if(front, [&](const std::vector<double>& other) {
          for (size_t k = 0; k < other.size(); ++k) {
            if (other[k] < (*values)[k]) return false;
          }
          return true;
        });
        front.push_back(*values);
      }
      if (static_cast<int>(i) >= initial_count_) successes.push_back(joins);
    }
    return successes;
  }

  void SetTrustRegion(const std::vector<Slots>& incumbents, Rng& rng,
                      OptimizeOptions& optimize) const {
    if (incumbents.empty()) return;
    const auto& dimensions = space().dimensions();
    const Slots& centre = incumbents[rng.Below(incumbents.size())];
    std::vector<double> at;
    for (const Dimension& d : dimensions) {
      const bool placed = centre[d.slot] != kInactive && d.type != VariableType::kPermutation &&
                          d.type != VariableType::kCategorical;
      at.push_back(placed ? space().Coordinate(d, centre[d.slot]) : 0.5);
    }
    const Eigen::VectorXd lengths = model_->process(0).parameters().log_length.array().exp();
    const Box box = TrustRegionBox(
        at, lengths, TrustRegionSide(Successes(), static_cast<int>(dimensions.size())));
    optimize.lower.assign(space().slot_count(), 0.0);
    optimize.upper.assign(space().slot_count(), 1.0);
    for (size_t g = 0; g < dimensions.size(); ++g) {
      const Dimension& d = dimensions[g];
      if (d.type == VariableType::kPermutation || d.type == VariableType::kCategorical) continue;
      optimize.lower[d.slot] = box.lower[g];
      optimize.upper[d.slot] = box.upper[g];
    }
  }

  GpOptions options_;
  FeatureMap features_;
  Sobol sobol_;
  int initial_count_ = 0;
  int fitted_count_ = 0;
  std::unique_ptr<SurrogateModel> model_;
};

Value GpStrategy::Diagnostics() const {
  Value diagnostics;
  if (model_ == nullptr) return diagnostics;
  Value::List outputs;
  for (size_t k = 0; k < model_->outputs().size(); ++k) {
    const int output = static_cast<int>(k);
    const GaussianProcess& process = model_->process(output);
    if (process.size() < 2) continue;
    Value one;
    one.Set("metric", model_->outputs()[k].metric);
    one.Set("observations", process.size());
    const GpParameters& parameters = process.parameters();
    Value lengths, importance;
    // The share of each dimension in the sum of squared inverse length scales.
    const Eigen::VectorXd inverse = (-2.0 * parameters.log_length).array().exp();
    for (int g = 0; g < features_.group_count(); ++g) {
      lengths.Set(space().DimensionName(g), std::exp(parameters.log_length[g]));
      importance.Set(space().DimensionName(g), inverse[g] / inverse.sum());
    }
    one.Set("length_scales", std::move(lengths)).Set("importance", std::move(importance));
    one.Set("noise", std::exp(parameters.log_noise));
    Eigen::VectorXd mean, variance, observed = process.observed();
    process.LeaveOneOut(&mean, &variance);
    int covered = 0, concordant = 0, pairs = 0;
    for (Eigen::Index i = 0; i < mean.size(); ++i) {
      covered += std::abs(observed[i] - mean[i]) <= 1.6448536269514722 * std::sqrt(variance[i]);
      for (Eigen::Index j = 0; j < i; ++j) {
        if (observed[i] == observed[j]) continue;
        ++pairs;
        concordant += (observed[i] < observed[j]) == (mean[i] < mean[j]);
      }
    }
    one.Set("coverage_of_90_percent_intervals", covered / static_cast<double>(mean.size()));
    one.Set("rank_correlation", pairs > 0 ? 2.0 * concordant / pairs - 1.0 : 0.0);
    outputs.push_back(std::move(one));
  }
  diagnostics.Set("outputs", std::move(outputs));
  return diagnostics;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Strategy>> MakeGpStrategy(const Problem& problem, Space space) {
  GpOptions options;
  Value plain{Value::Map()};
  for (const auto& [name, value] : problem.options.AsMap()) {
    if (name != "reference") {
      plain.Set(name, value);
      continue;
    }
    options.reference.assign(problem.objectives.size(), std::nan(""));
    std::vector<std::string> metrics;
    for (const Objective& objective : problem.objectives) metrics.push_back(objective.metric);
    if (!value.is_map()) {
      return absl::InvalidArgumentError(
          "option \"reference\" must be a map from objective to its worst value that counts");
    }
    for (const auto& [metric, bound] : value.AsMap()) {
      const auto it = std::find(metrics.begin(), metrics.end(), metric);
      if (it == metrics.end() || !bound.is_number()) {
        return absl::InvalidArgumentError(
            absl::StrCat("option \"reference\": \"", metric,
                         it == metrics.end() ? absl::StrCat("\" is no objective; did you mean \"",
                                                            NearestName(metric, metrics), "\"?")
                                             : "\" needs a number"));
      }
      options.reference[it - metrics.begin()] = bound.AsNumber();
    }
  }
  ASSIGN_OR_RETURN(auto numbers, ReadOptions(plain, {{"noise_floor", 1e-8, 1e-12, 1.0},
                                                     {"draws", 16, 1, 256},
                                                     {"raw_count", 0, 0, 100000},
                                                     {"start_count", 0, 0, 100},
                                                     {"trust_region", 0, 0, 1}}));
  if (problem.objectives.size() > 4) {
    return absl::InvalidArgumentError(
        "the gp strategy takes at most 4 objectives; make some of them constraints");
  }
  options.noise_floor = numbers["noise_floor"];
  options.draws = static_cast<int>(numbers["draws"]);
  options.raw_count = static_cast<int>(numbers["raw_count"]);
  options.start_count = static_cast<int>(numbers["start_count"]);
  options.trust_region = numbers["trust_region"] > 0;
  return std::unique_ptr<Strategy>(new GpStrategy(problem, std::move(space), std::move(options)));
}

}  // namespace dovetail::search
