#include "services/coordinator/search/strategy/evolution_strategies.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "common/base/status_macros.h"
#include "services/coordinator/search/initial/sobol.h"
#include "services/coordinator/search/strategy/strategy_base.h"

namespace dovetail::search {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kCrossoverIndex = 15;  // eta of simulated binary crossover
constexpr double kMutationIndex = 20;   // eta of polynomial mutation
constexpr int kAttempts = 50;           // for a child that is new and legal

struct Individual {
  const Record* record = nullptr;
  std::vector<double> objectives;
  double violation = 0;
  int rank = 0;
  double crowding = 0;
};

// Deb's constrained domination: less violation wins, then Pareto domination.
bool Dominates(const Individual& a, const Individual& b) {
  if (a.violation != b.violation) return a.violation < b.violation;
  bool better = false;
  for (size_t k = 0; k < a.objectives.size(); ++k) {
    if (a.objectives[k] > b.objectives[k]) return false;
    if (a.objectives[k] < b.objectives[k]) better = true;
  }
  return better;
}

bool Better(const Individual& a, const Individual& b) {
  return a.rank != b.rank ? a.rank < b.rank : a.crowding > b.crowding;
}

void SetCrowding(std::vector<Individual*>& front) {
  if (front.empty()) return;
  for (size_t k = 0; k < front[0]->objectives.size(); ++k) {
    std::stable_sort(front.begin(), front.end(), [k](const Individual* a, const Individual* b) {
      return a->objectives[k] < b->objectives[k];
    });
    const double range = front.back()->objectives[k] - front.front()->objectives[k];
    front.front()->crowding = front.back()->crowding = kInfinity;
    for (size_t i = 1; i + 1 < front.size() && range > 0 && std::isfinite(range); ++i) {
      front[i]->crowding += (front[i + 1]->objectives[k] - front[i - 1]->objectives[k]) / range;
    }
  }
}

void RankAll(std::vector<Individual>& all) {
  std::vector<bool> ranked(all.size(), false);
  size_t left = all.size();
  for (int rank = 0; left > 0; ++rank) {
    std::vector<Individual*> front;
    for (size_t i = 0; i < all.size(); ++i) {
      if (ranked[i]) continue;
      bool dominated = false;
      for (size_t j = 0; j < all.size() && !dominated; ++j) {
        dominated = j != i && !ranked[j] && Dominates(all[j], all[i]);
      }
      if (dominated) continue;
      all[i].rank = rank;
      front.push_back(&all[i]);
    }
    for (Individual* one : front) ranked[one - all.data()] = true;
    left -= front.size();
    SetCrowding(front);
  }
}

class EvolutionStrategy : public StrategyBase {
 public:
  EvolutionStrategy(Problem problem, Space space, int population)
      : StrategyBase(std::move(problem), std::move(space)),
        population_(population),
        sobol_(this->space().slot_count(), this->problem().seed) {}

 protected:
  // Once per suggestion, before its children.
  virtual void Prepare(std::vector<Individual>&) const {}
  virtual Slots Child(const std::vector<Individual>& all, Rng& rng) const = 0;

  absl::StatusOr<std::optional<Proposal>> Propose(int trial, Rng& rng) override {
    Value info;
    std::vector<Individual> all = Individuals();
    if (static_cast<int>(records().size() + pending().size()) < population_ || all.size() < 2) {
      Slots slots = space().FromUnit(sobol_.Point(static_cast<uint32_t>(std::max(0, trial - 1))));
      if (!space().IsLegal(slots)) return std::optional<Proposal>();
      info.Set("phase", "initial");
      return std::optional<Proposal>(Proposal{std::move(slots), std::move(info)});
    }
    Prepare(all);
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      Slots child = Child(all, rng);
      space().Canonicalise(child);
      if (!space().IsLegal(child) || !IsNew(child)) continue;
      info.Set("phase", "evolution");
      return std::optional<Proposal>(Proposal{std::move(child), std::move(info)});
    }
    return std::optional<Proposal>();
  }

  std::vector<Individual> Individuals() const {
    std::vector<Individual> all;
    for (const Record& record : records()) {
      Individual one;
      one.record = &record;
      one.violation = Violation(record);
      const auto objectives = Objectives(record);
      if (objectives) {
        one.objectives = *objectives;
      } else {
        one.violation = kInfinity;
        one.objectives.assign(problem().objectives.size(), kInfinity);
      }
      all.push_back(std::move(one));
    }
    return all;
  }

  // One dimension moves: polynomial mutation where continuous, else to a neighbour.
  void MutateDimension(Slots& slots, const Dimension& d, Rng& rng) const {
    if (slots[d.slot] == kInactive) return;
    if (d.is_continuous()) {
      const double u = rng.Uniform();
      const double power = 1.0 / (kMutationIndex + 1);
      const double delta = u < 0.5 ? std::pow(2 * u, power) - 1 : 1 - std::pow(2 * (1 - u), power);
      slots[d.slot] = std::clamp(slots[d.slot] + delta, 0.0, 1.0);
    } else if (d.type == VariableType::kPermutation) {
      const uint64_t a = rng.Below(d.slot_count), b = rng.Below(d.slot_count);
      std::swap(slots[d.slot + a], slots[d.slot + b]);
    } else if (d.type == VariableType::kCategorical) {
      slots[d.slot] = static_cast<double>(rng.Below(static_cast<uint64_t>(d.level_count)));
    } else {
      const double reach = std::max(1.0, 0.2 * d.level_count);
      const double step = 1 + std::floor(rng.Uniform() * reach);
      slots[d.slot] =
          std::clamp(slots[d.slot] + (rng.Uniform() < 0.5 ? -step : step), 0.0, d.level_count - 1);
    }
  }

  int population() const { return population_; }

 private:
  int population_;
  Sobol sobol_;
};

class Nsga2Strategy : public EvolutionStrategy {
 public:
  using EvolutionStrategy::EvolutionStrategy;

 private:
  void Prepare(std::vector<Individual>& all) const override {
    RankAll(all);
    std::stable_sort(all.begin(), all.end(), Better);
    if (static_cast<int>(all.size()) > population()) all.resize(population());
  }

  Slots Child(const std::vector<Individual>& all, Rng& rng) const override {
    const Individual& one = Tournament(all, rng);
    const Individual& two = Tournament(all, rng);
    Slots child = one.record->slots;
    if (rng.Uniform() < 0.9) Cross(child, two.record->slots, rng);
    space().Canonicalise(child);
    const auto& dimensions = space().dimensions();
    const size_t sure = rng.Below(dimensions.size());
    for (size_t g = 0; g < dimensions.size(); ++g) {
      const bool mutates = rng.Uniform() < 1.0 / static_cast<double>(dimensions.size());
      if (mutates || (g == sure && child == one.record->slots)) {
        MutateDimension(child, dimensions[g], rng);
      }
    }
    return child;
  }

  const Individual& Tournament(const std::vector<Individual>& all, Rng& rng) const {
    const Individual& a = all[rng.Below(all.size())];
    const Individual& b = all[rng.Below(all.size())];
    return Better(b, a) ? b : a;
  }

  void Cross(Slots& child, const Slots& other, Rng& rng) const {
    for (const Dimension& d : space().dimensions()) {
      if (child[d.slot] == kInactive || other[d.slot] == kInactive || rng.Uniform() < 0.5) continue;
      if (d.is_continuous()) {
        const double u = rng.Uniform();
        const double power = 1.0 / (kCrossoverIndex + 1);
        const double beta = u < 0.5 ? std::pow(2 * u, power) : std::pow(1.0 / (2 * (1 - u)), power);
        const double a = child[d.slot], b = other[d.slot];
        child[d.slot] = std::clamp(0.5 * ((1 + beta) * a + (1 - beta) * b), 0.0, 1.0);
      } else {
        for (int k = 0; k < d.slot_count; ++k) child[d.slot + k] = other[d.slot + k];
      }
    }
  }
};

class RegularizedEvolutionStrategy : public EvolutionStrategy {
 public:
  RegularizedEvolutionStrategy(Problem problem, Space space, int population, int sample)
      : EvolutionStrategy(std::move(problem), std::move(space), population), sample_(sample) {}

 private:
  Slots Child(const std::vector<Individual>& all, Rng& rng) const override {
    // The youngest of them: the old ones have died.
    const size_t alive = std::min<size_t>(all.size(), static_cast<size_t>(population()));
    std::vector<Individual> sample;
    for (int i = 0; i < sample_; ++i) sample.push_back(all[all.size() - alive + rng.Below(alive)]);
    for (Individual& one : sample) one.rank = 0, one.crowding = 0;
    RankAll(sample);
    const Individual& parent = *std::min_element(sample.begin(), sample.end(), Better);
    Slots child = parent.record->slots;
    const auto& dimensions = space().dimensions();
    for (int attempt = 0; attempt < 10 && child == parent.record->slots; ++attempt) {
      MutateDimension(child, dimensions[rng.Below(dimensions.size())], rng);
    }
    return child;
  }

  int sample_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Strategy>> MakeNsga2Strategy(const Problem& problem, Space space) {
  ASSIGN_OR_RETURN(auto options, ReadOptions(problem.options, {{"population", 20, 2, 10000}}));
  return std::unique_ptr<Strategy>(
      new Nsga2Strategy(problem, std::move(space), static_cast<int>(options["population"])));
}

absl::StatusOr<std::unique_ptr<Strategy>> MakeRegularizedEvolutionStrategy(const Problem& problem,
                                                                           Space space) {
  ASSIGN_OR_RETURN(auto options, ReadOptions(problem.options, {{"population", 20, 2, 10000},
                                                               {"sample", 5, 1, 1000}}));
  return std::unique_ptr<Strategy>(new RegularizedEvolutionStrategy(
      problem, std::move(space), static_cast<int>(options["population"]),
      static_cast<int>(options["sample"])));
}

}  // namespace dovetail::search
