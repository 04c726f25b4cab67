#include "services/coordinator/search/strategy/metaml_strategy.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/coordinator/search/optimize/bounded_ascent.h"
#include "services/coordinator/search/strategy/strategy_base.h"
#include "services/coordinator/search/surrogate/gaussian_process.h"

namespace dovetail::search {
namespace {

constexpr double kPenalty = -1000;
constexpr int kRandomPoints = 10000;
constexpr int kClimbs = 10;
constexpr size_t kMaxData = 400;  // beyond, the youngest

class MetamlStrategy : public StrategyBase {
 public:
  MetamlStrategy(Problem problem, Space space, double kappa, std::map<std::string, double> weights,
                 std::map<std::string, double> benchmarks)
      : StrategyBase(std::move(problem), std::move(space)),
        kappa_(kappa),
        weights_(std::move(weights)),
        benchmarks_(std::move(benchmarks)) {
    initial_count_ = this->problem().initial_count > 0 ? this->problem().initial_count : 2;
  }

 private:
  void OnTell(const Record& record) override {
    // The first whole measurement sets the benchmarks that were not given.
    if (!Objectives(record)) return;
    for (const Objective& objective : problem().objectives) {
      benchmarks_.emplace(objective.metric, record.metrics.at(objective.metric));
    }
  }

  double Score(const Record& record) const {
    if (Violation(record) > 0 || !Objectives(record)) return kPenalty;
    double score = 0;
    for (const Objective& objective : problem().objectives) {
      const auto weight = weights_.find(objective.metric);
      const double w = weight == weights_.end() ? 1.0 : weight->second;
      const double b = benchmarks_.at(objective.metric);
      const double gain = (b - record.metrics.at(objective.metric)) / std::max(std::abs(b), 1e-12);
      score += objective.goal == Goal::kMaximize ? -w * gain : w * gain;
    }
    return score;
  }

  absl::StatusOr<std::optional<Proposal>> Propose(int, Rng& rng) override {
    const int known = static_cast<int>(records().size() + pending().size());
    if (known < initial_count_ || records().size() < 2) return std::optional<Proposal>();
    const size_t first = records().size() > kMaxData ? records().size() - kMaxData : 0;
    const auto n = static_cast<Eigen::Index>(records().size() - first);
    const int slots = space().slot_count();
    GpData data;
    data.x.resize(n, slots);
    data.h.resize(n, 0);
    data.y.resize(n);
    for (Eigen::Index i = 0; i < n; ++i) {
      const Record& record = records()[first + static_cast<size_t>(i)];
      data.x.row(i) = Relaxed(record.slots).transpose();
      data.y[i] = Score(record);
    }
    const double mean = data.y.mean();
    const double deviation = std::sqrt((data.y.array() - mean).square().mean());
    data.y = (data.y.array() - mean) / (deviation > 0 ? deviation : 1.0);
    const std::vector<int> groups(slots, 0);
    GpPriors priors;
    priors.noise_floor = 1e-6;
    priors.noise_mean = std::log(1e-6);
    priors.noise_sd = 0.01;
    priors.length_sd = 10;
    GpParameters start = InitialParameters(1, 0, priors);
    start.log_length.setZero();
    const GaussianProcess process(FitParameters(data, groups, priors, {start}, 40), data, groups);
    Slots best = Maximise(process, rng);
    if (!space().IsLegal(best)) return std::optional<Proposal>();
    Value info;
    info.Set("phase", "model");
    return std::optional<Proposal>(Proposal{std::move(best), std::move(info)});
  }

  // Mean + kappa deviation over the relaxed cube, then rounded.
  Slots Maximise(const GaussianProcess& process, Rng& rng) const {
    const int slots = space().slot_count();
    const int count = process.size() > 100 ? kRandomPoints / 5 : kRandomPoints;
    Eigen::MatrixXd x(count, slots);
    for (Eigen::Index i = 0; i < count; ++i) {
      for (int j = 0; j < slots; ++j) x(i, j) = rng.Uniform();
    }
    const auto random = process.Predict(x, Eigen::MatrixXd(count, 0), false);
    const Eigen::VectorXd bound = random.mean.col(0) + kappa_ * random.variance.cwiseSqrt();
    Eigen::Index top = 0;
    double best_value = bound.maxCoeff(&top);
    Eigen::VectorXd best = x.row(top).transpose();
    for (int k = 0; k < kClimbs; ++k) {
      const Eigen::VectorXd start = k == 0 ? best : Eigen::VectorXd(x.row(k).transpose());
      BoundedAscent climb(start, Eigen::VectorXd::Zero(slots), Eigen::VectorXd::Ones(slots));
      for (int step = 0; step < 40 && !climb.done(); ++step) {
        const Eigen::MatrixXd at = climb.next().transpose();
        const auto p = process.Predict(at, Eigen::MatrixXd(1, 0), true);
        const double deviation = std::sqrt(p.variance[0]);
        const Eigen::MatrixXd gradient =
            process.Gradient(p, Eigen::MatrixXd::Ones(1, 1),
                             Eigen::VectorXd::Constant(1, 0.5 * kappa_ / deviation), nullptr);
        climb.Tell(p.mean(0, 0) + kappa_ * deviation, gradient.row(0).transpose());
      }
      if (climb.best_value() > best_value) {
        best_value = climb.best_value();
        best = climb.best();
      }
    }
    return space().FromUnit(std::vector<double>(best.data(), best.data() + best.size()));
  }

  // Slots as coordinates of the cube; inactive ones in the middle.
  Eigen::VectorXd Relaxed(const Slots& slots) const {
    Eigen::VectorXd x = Eigen::VectorXd::Constant(static_cast<Eigen::Index>(slots.size()), 0.5);
    for (const Dimension& d : space().dimensions()) {
      for (int k = 0; k < d.slot_count; ++k) {
        const double slot = slots[d.slot + k];
        if (slot == kInactive) continue;
        x[d.slot + k] = d.type == VariableType::kPermutation ? (slot + 0.5) / d.slot_count
                                                             : space().Coordinate(d, slot);
      }
    }
    return x;
  }

  double kappa_;
  std::map<std::string, double> weights_;
  std::map<std::string, double> benchmarks_;
  int initial_count_ = 2;
};

absl::StatusOr<std::map<std::string, double>> NumberMap(const Problem& problem,
                                                        const std::string& name) {
  std::map<std::string, double> numbers;
  for (const auto& [metric, value] : problem.options[name].AsMap()) {
    const bool known =
        std::any_of(problem.objectives.begin(), problem.objectives.end(),
                    [&m = metric](const Objective& objective) { return objective.metric == m; });
    if (!known || !value.is_number()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "option \"", name, "\": \"", metric, known ? "\" needs a number" : "\" is no objective"));
    }
    numbers[metric] = value.AsNumber();
  }
  return numbers;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Strategy>> MakeMetamlStrategy(const Problem& problem, Space space) {
  Value plain{Value::Map()};
  for (const auto& [name, value] : problem.options.AsMap()) {
    if (name != "weights" && name != "benchmarks") plain.Set(name, value);
  }
  ASSIGN_OR_RETURN(auto options, ReadOptions(plain, {{"kappa", 2.576, 0, 100}}));
  ASSIGN_OR_RETURN(auto weights, NumberMap(problem, "weights"));
  ASSIGN_OR_RETURN(auto benchmarks, NumberMap(problem, "benchmarks"));
  return std::unique_ptr<Strategy>(new MetamlStrategy(problem, std::move(space), options["kappa"],
                                                      std::move(weights), std::move(benchmarks)));
}

}  // namespace dovetail::search
