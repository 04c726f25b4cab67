#include "services/coordinator/search/optimize/acquisition_optimizer.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <utility>

#include "services/coordinator/search/initial/sobol.h"
#include "services/coordinator/search/optimize/bounded_ascent.h"

namespace dovetail::search {
namespace {

class Optimizer {
 public:
  Optimizer(const Space& space, const AcquisitionFunction& function,
            const std::function<bool(const Slots&)>& is_new, const OptimizeOptions& options,
            Rng& rng)
      : space_(space), function_(function), is_new_(is_new), options_(options), rng_(rng) {
    for (const Dimension& d : space.dimensions()) {
      if (d.is_continuous()) continuous_.push_back(d.slot);
    }
  }

  std::optional<Optimum> Run(const std::vector<Slots>& incumbents) {
    std::vector<Slots> candidates = Candidates(incumbents);
    if (candidates.empty()) return std::nullopt;
    const Eigen::VectorXd values = function_(candidates, nullptr);
    std::vector<Optimum> starts = PickStarts(candidates, values);
    for (int round = 0; round < options_.rounds; ++round) {
      bool moved = false;
      if (!continuous_.empty()) Climb(starts);
      if (space_.has_discrete()) moved = MoveDiscrete(starts);
      if (!moved) break;
      if (round == 0) KeepBest(starts, 4);
      if (round == 1) KeepBest(starts, 2);
    }
    return *std::max_element(starts.begin(), starts.end(),
                             [](const Optimum& a, const Optimum& b) { return a.value < b.value; });
  }

 private:
  bool Usable(const Slots& slots) const { return space_.IsLegal(slots) && is_new_(slots); }

  double LowerOf(int slot) const { return options_.lower.empty() ? 0.0 : options_.lower[slot]; }
  double UpperOf(int slot) const { return options_.upper.empty() ? 1.0 : options_.upper[slot]; }

  std::vector<Slots> Candidates(const std::vector<Slots>& incumbents) {
    std::vector<Slots> candidates;
    std::set<Slots> met;
    auto add = [&](Slots slots) {
      if (Usable(slots) && met.insert(slots).second) candidates.push_back(std::move(slots));
    };
    const Sobol sobol(space_.slot_count(), rng_.Next());
    for (int i = 0; i < options_.raw_count; ++i) {
      std::vector<double> unit = sobol.Point(static_cast<uint32_t>(i));
      for (int slot = 0; slot < space_.slot_count(); ++slot) {
        unit[slot] = LowerOf(slot) + unit[slot] * (UpperOf(slot) - LowerOf(slot));
      }
      add(space_.FromUnit(unit));
    }
    if (!incumbents.empty()) {
      const int count = std::max(options_.raw_count / 3, 32);
      for (int i = 0; i < count; ++i) add(Perturb(incumbents[rng_.Below(incumbents.size())], i));
    }
    return candidates;
  }

  // Every dimension moves with some chance, at least one does; continuous ones by a normal step
  // whose size cycles over three orders of magnitude.
  Slots Perturb(const Slots& from, int turn) {
    Slots slots = from;
    const auto& dimensions = space_.dimensions();
    const double sigma = std::pow(10.0, -0.7 - (turn % 4) * 0.6);
    const double chance = std::max(2.0 / static_cast<double>(dimensions.size()), 0.35);
    const size_t sure = rng_.Below(dimensions.size());
    for (size_t g = 0; g < dimensions.size(); ++g) {
      const Dimension& d = dimensions[g];
      const bool moves = rng_.Uniform() < chance || g == sure;
      if (slots[d.slot] == kInactive || !moves) continue;
      if (d.is_continuous()) {
        slots[d.slot] =
            std::clamp(slots[d.slot] + sigma * rng_.Normal(), LowerOf(d.slot), UpperOf(d.slot));
      } else if (d.type == VariableType::kPermutation) {
        const auto a = static_cast<int>(rng_.Below(d.slot_count));
        const auto b = static_cast<int>(rng_.Below(d.slot_count));
        std::swap(slots[d.slot + a], slots[d.slot + b]);
      } else if (d.type == VariableType::kCategorical) {
        slots[d.slot] = static_cast<double>(rng_.Below(static_cast<uint64_t>(d.level_count)));
      } else {
        const double step = std::max(1.0, std::abs(sigma * rng_.Normal()) * d.level_count);
        slots[d.slot] =
            std::clamp(std::round(slots[d.slot] + (rng_.Uniform() < 0.5 ? -step : step)), 0.0,
                       d.level_count - 1);
      }
    }
    space_.Canonicalise(slots);
    return slots;
  }

  // The best, and others drawn with weight exp(standardised value).
  std::vector<Optimum> PickStarts(const std::vector<Slots>& candidates,
                                  const Eigen::VectorXd& values) {
    std::vector<int> order(candidates.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](int a, int b) { return values[a] > values[b]; });
    std::vector<Optimum> starts;
    const size_t count = std::min<size_t>(options_.start_count, candidates.size());
    const size_t sure = std::max<size_t>(1, count / 2);
    for (size_t i = 0; i < sure; ++i) starts.push_back({candidates[order[i]], values[order[i]]});
    // Gumbel keys make the draw without replacement.
    const double spread =
        std::max(1e-9, std::sqrt((values.array() - values.mean()).square().mean()));
    std::vector<std::pair<double, int>> keys;
    for (size_t i = sure; i < order.size(); ++i) {
      const double u = std::max(rng_.Uniform(), 1e-300);
      keys.emplace_back(values[order[i]] / spread * 2.0 - std::log(-std::log(u)), order[i]);
    }
    std::stable_sort(keys.begin(), keys.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
    for (size_t i = 0; i + sure < count && i < keys.size(); ++i) {
      starts.push_back({candidates[keys[i].second], values[keys[i].second]});
    }
    return starts;
  }

  void KeepBest(std::vector<Optimum>& starts, size_t count) {
    std::stable_sort(starts.begin(), starts.end(),
                     [](const Optimum& a, const Optimum& b) { return a.value > b.value; });
    if (starts.size() > count) starts.resize(count);
  }

  void Climb(std::vector<Optimum>& starts) {
    const auto dims = static_cast<Eigen::Index>(continuous_.size());
    std::vector<BoundedAscent> climbs;
    for (const Optimum& start : starts) {
      Eigen::VectorXd x(dims), lower(dims), upper(dims);
      for (Eigen::Index i = 0; i < dims; ++i) {
        const int slot = continuous_[i];
        const bool active = start.slots[slot] != kInactive;
        x[i] = start.slots[slot];
        lower[i] = active ? std::min(x[i], LowerOf(slot)) : kInactive;
        upper[i] = active ? std::max(x[i], UpperOf(slot)) : kInactive;
      }
      climbs.emplace_back(x, lower, upper);
    }
    for (int step = 0; step < options_.climb_steps; ++step) {
      std::vector<Slots> points;
      std::vector<size_t> who;
      for (size_t i = 0; i < climbs.size(); ++i) {
        if (climbs[i].done()) continue;
        points.push_back(At(starts[i].slots, climbs[i].next()));
        who.push_back(i);
      }
      if (points.empty()) break;
      Eigen::MatrixXd gradients;
      const Eigen::VectorXd values = function_(points, &gradients);
      for (size_t i = 0; i < who.size(); ++i) {
        Eigen::VectorXd gradient(dims);
        for (Eigen::Index k = 0; k < dims; ++k) {
          gradient[k] = gradients(static_cast<Eigen::Index>(i), continuous_[k]);
        }
        climbs[who[i]].Tell(values[static_cast<Eigen::Index>(i)], gradient);
      }
    }
    Settle(starts, climbs);
  }

  Slots At(const Slots& base, const Eigen::VectorXd& x) const {
    Slots slots = base;
    for (size_t k = 0; k < continuous_.size(); ++k) {
      slots[continuous_[k]] = x[static_cast<Eigen::Index>(k)];
    }
    return slots;
  }

  // Takes the climbs' ends on the grid of legal coordinates; where a parameter constraint is in the
  // way, the farthest legal point on the line to the end that is no worse.
  void Settle(std::vector<Optimum>& starts, const std::vector<BoundedAscent>& climbs) {
    std::vector<Slots> ends;
    for (size_t i = 0; i < starts.size(); ++i) {
      const Eigen::VectorXd from = At2(starts[i].slots);
      double share = 1;
      Slots end = starts[i].slots;
      for (int attempt = 0; attempt < 8; ++attempt, share *= 0.6) {
        Slots slots = At(starts[i].slots, from + share * (climbs[i].best() - from));
        space_.Canonicalise(slots);
        if (!Usable(slots)) continue;
        end = std::move(slots);
        break;
      }
      ends.push_back(std::move(end));
    }
    const Eigen::VectorXd values = function_(ends, nullptr);
    for (size_t i = 0; i < starts.size(); ++i) {
      if (values[static_cast<Eigen::Index>(i)] > starts[i].value) {
        starts[i] = {ends[i], values[static_cast<Eigen::Index>(i)]};
      }
    }
  }

  Eigen::VectorXd At2(const Slots& slots) const {
    Eigen::VectorXd x(static_cast<Eigen::Index>(continuous_.size()));
    for (size_t k = 0; k < continuous_.size(); ++k) {
      x[static_cast<Eigen::Index>(k)] = slots[continuous_[k]];
    }
    return x;
  }

  // Each start moves to its best new neighbour if that is better. True if any moved.
  bool MoveDiscrete(std::vector<Optimum>& starts) {
    std::vector<Slots> points;
    std::vector<size_t> owner;
    const int share = std::max<int>(8, options_.max_neighbours / static_cast<int>(starts.size()));
    for (size_t i = 0; i < starts.size(); ++i) {
      std::vector<Slots> neighbours = space_.Neighbours(starts[i].slots);
      std::erase_if(neighbours, [&](const Slots& s) { return !is_new_(s); });
      if (static_cast<int>(neighbours.size()) > share) {
        rng_.Shuffle(neighbours);
        neighbours.resize(share);
      }
      for (Slots& neighbour : neighbours) {
        points.push_back(std::move(neighbour));
        owner.push_back(i);
      }
    }
    if (points.empty()) return false;
    const Eigen::VectorXd values = function_(points, nullptr);
    std::vector<bool> moved(starts.size(), false);
    for (size_t j = 0; j < points.size(); ++j) {
      Optimum& start = starts[owner[j]];
      const double value = values[static_cast<Eigen::Index>(j)];
      if (value > start.value + 1e-9) {
        start = {points[j], value};
        moved[owner[j]] = true;
      }
    }
    return std::find(moved.begin(), moved.end(), true) != moved.end();
  }

  const Space& space_;
  const AcquisitionFunction& function_;
  const std::function<bool(const Slots&)>& is_new_;
  const OptimizeOptions& options_;
  Rng& rng_;
  std::vector<int> continuous_;  // slots
};

}  // namespace

std::optional<Optimum> MaximizeAcquisition(const Space& space, const AcquisitionFunction& function,
                                           const std::vector<Slots>& incumbents,
                                           const std::function<bool(const Slots&)>& is_new,
                                           const OptimizeOptions& options, Rng& rng) {
  return Optimizer(space, function, is_new, options, rng).Run(incumbents);
}

}  // namespace dovetail::search
