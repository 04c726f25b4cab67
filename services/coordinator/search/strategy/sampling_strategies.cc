#include "services/coordinator/search/strategy/sampling_strategies.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/coordinator/search/initial/sobol.h"
#include "services/coordinator/search/strategy/strategy_base.h"

namespace dovetail::search {
namespace {

Value Phase(const char* name) {
  Value info;
  info.Set("phase", name);
  return info;
}

class RandomStrategy : public StrategyBase {
 public:
  RandomStrategy(Problem problem, Space space)
      : StrategyBase(std::move(problem), std::move(space)) {}

 private:
  absl::StatusOr<std::optional<Proposal>> Propose(int, Rng&) override {
    return std::optional<Proposal>();  // the base draws at random
  }
};

class SobolStrategy : public StrategyBase {
 public:
  SobolStrategy(Problem problem, Space space, bool scramble)
      : StrategyBase(std::move(problem), std::move(space)),
        sobol_(this->space().slot_count(), this->problem().seed, scramble) {}

 private:
  absl::StatusOr<std::optional<Proposal>> Propose(int trial, Rng&) override {
    Slots slots = space().FromUnit(sobol_.Point(static_cast<uint32_t>(std::max(0, trial - 1))));
    if (!space().IsLegal(slots)) return std::optional<Proposal>();
    return std::optional<Proposal>(Proposal{std::move(slots), Phase("sobol")});
  }

  Sobol sobol_;
};

class GridStrategy : public StrategyBase {
 public:
  GridStrategy(Problem problem, Space space, int levels)
      : StrategyBase(std::move(problem), std::move(space)) {
    for (const Dimension& dimension : this->space().dimensions()) {
      for (int k = 0; k < dimension.slot_count; ++k) {
        double count = dimension.level_count;
        if (dimension.is_continuous()) count = levels;
        if (dimension.type == VariableType::kInteger) count = std::min<double>(count, levels);
        if (dimension.type == VariableType::kPermutation) count -= k;  // Lehmer code
        radix_.push_back(static_cast<int>(count));
      }
    }
    digits_.assign(radix_.size(), 0);
  }

 private:
  absl::StatusOr<std::optional<Proposal>> Propose(int, Rng&) override {
    // A space with tight constraints may leave most of the grid illegal: give up after a while.
    constexpr int kMaxSkips = 5'000'000;
    for (int skips = 0; !done_; Advance()) {
      if (++skips > kMaxSkips) {
        return absl::FailedPreconditionError(
            absl::StrCat("the next ", kMaxSkips, " points of the grid are all illegal"));
      }
      const std::optional<Slots> slots = AtDigits();
      if (slots && IsNew(*slots) && space().IsLegal(*slots)) {
        return std::optional<Proposal>(Proposal{*slots, Phase("grid")});
      }
    }
    return absl::OutOfRangeError("all points of the grid were suggested");
  }

  void Advance() {
    for (size_t i = digits_.size(); i-- > 0;) {
      if (++digits_[i] < radix_[i]) return;
      digits_[i] = 0;
    }
    done_ = true;
  }

  // Absent for all but the first of the combinations that differ in inactive dimensions only.
  std::optional<Slots> AtDigits() const {
    std::vector<double> unit(digits_.size(), 0.0);
    Slots slots(digits_.size());
    for (const Dimension& dimension : space().dimensions()) {
      const int first = dimension.slot;
      if (dimension.type == VariableType::kPermutation) {
        std::vector<int> left;
        for (int i = 0; i < dimension.slot_count; ++i) left.push_back(i);
        for (int i = 0; i < dimension.slot_count; ++i) {
          slots[first + i] = left[digits_[first + i]];
          left.erase(left.begin() + digits_[first + i]);
        }
        continue;
      }
      const double share =
          radix_[first] > 1 ? digits_[first] / static_cast<double>(radix_[first] - 1) : 0.0;
      if (dimension.is_continuous()) {
        slots[first] = share;
      } else if (radix_[first] < dimension.level_count) {
        unit[first] = std::min(share, 0x1.fffffffffffffp-1);
        slots[first] = space().FromUnit(unit)[first];
      } else {
        slots[first] = digits_[first];
      }
    }
    Slots canonical = slots;
    space().Canonicalise(canonical);
    for (size_t i = 0; i < slots.size(); ++i) {
      if (canonical[i] == kInactive && digits_[i] != 0) return std::nullopt;
    }
    return canonical;
  }

  std::vector<int> radix_;
  std::vector<int> digits_;  // all points before are suggested or illegal
  bool done_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Strategy>> MakeRandomStrategy(const Problem& problem, Space space) {
  RETURN_IF_ERROR(ReadOptions(problem.options, {}).status());
  return std::unique_ptr<Strategy>(new RandomStrategy(problem, std::move(space)));
}

absl::StatusOr<std::unique_ptr<Strategy>> MakeSobolStrategy(const Problem& problem, Space space) {
  ASSIGN_OR_RETURN(auto options, ReadOptions(problem.options, {{"scramble", 1, 0, 1}}));
  return std::unique_ptr<Strategy>(
      new SobolStrategy(problem, std::move(space), options["scramble"] != 0));
}

absl::StatusOr<std::unique_ptr<Strategy>> MakeGridStrategy(const Problem& problem, Space space) {
  ASSIGN_OR_RETURN(auto options, ReadOptions(problem.options, {{"levels", 5, 1, 1000}}));
  return std::unique_ptr<Strategy>(
      new GridStrategy(problem, std::move(space), static_cast<int>(options["levels"])));
}

}  // namespace dovetail::search
