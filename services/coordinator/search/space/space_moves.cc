// Space: drawing, enumerating and neighbours.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "services/coordinator/search/space/space.h"

namespace dovetail::search {
namespace {

double Factorial(int n) {
  double product = 1;
  for (int i = 2; i <= n; ++i) product *= i;
  return product;
}

double RawLevels(const Dimension& dimension) {
  return dimension.type == VariableType::kPermutation ? Factorial(dimension.slot_count)
                                                      : dimension.level_count;
}

// The places of n items in permutation `index` in lexicographic order.
void NthPermutation(uint64_t index, int n, double* places) {
  std::vector<int> left;
  for (int i = 0; i < n; ++i) left.push_back(i);
  for (int i = 0; i < n; ++i) {
    const auto block = static_cast<uint64_t>(Factorial(n - 1 - i));
    const auto pick = static_cast<size_t>(index / block);
    index %= block;
    places[i] = left[pick];
    left.erase(left.begin() + static_cast<long>(pick));
  }
}

// Levels to try beside `level`: all, or the near ones and a geometric spread of far ones.
std::vector<double> OtherLevels(double level, double count, int max_levels) {
  std::vector<double> levels;
  if (count <= max_levels) {
    for (double other = 0; other < count; ++other) {
      if (other != level) levels.push_back(other);
    }
    return levels;
  }
  double step = 1;
  while (static_cast<int>(levels.size()) + 2 <= max_levels && step < count) {
    if (level - step >= 0) levels.push_back(level - step);
    if (level + step < count) levels.push_back(level + step);
    step = step < 3 ? step + 1 : std::floor(step * 1.7);
  }
  return levels;
}

}  // namespace

absl::StatusOr<Slots> Space::Random(Rng& rng, int attempts) const {
  std::vector<double> unit(slot_count_);
  for (int attempt = 0; attempt < attempts; ++attempt) {
    for (double& u : unit) u = rng.Uniform();
    Slots slots = FromUnit(unit);
    if (IsLegal(slots)) return slots;
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "no legal point in ", attempts, " random draws; the parameter constraints leave too little"));
}

std::optional<double> Space::RawCount() const {
  if (has_continuous_) return std::nullopt;
  double count = 1;
  for (const Dimension& dimension : dimensions_) count *= RawLevels(dimension);
  return count;
}

std::optional<Slots> Space::Enumerate(uint64_t index) const {
  Slots slots(slot_count_, kInactive);
  for (size_t i = dimensions_.size(); i-- > 0;) {
    const Dimension& dimension = dimensions_[i];
    const auto levels = static_cast<uint64_t>(RawLevels(dimension));
    if (dimension.type == VariableType::kPermutation) {
      NthPermutation(index % levels, dimension.slot_count, &slots[dimension.slot]);
    } else {
      slots[dimension.slot] = static_cast<double>(index % levels);
    }
    index /= levels;
  }
  // Of the combinations that differ in inactive dimensions only, the first stands for all.
  Slots canonical = slots;
  Canonicalise(canonical);
  for (const Dimension& dimension : dimensions_) {
    if (canonical[dimension.slot] != kInactive) continue;
    for (int k = 0; k < dimension.slot_count; ++k) {
      const double first = dimension.type == VariableType::kPermutation ? k : 0;
      if (slots[dimension.slot + k] != first) return std::nullopt;
    }
  }
  if (!IsLegal(canonical)) return std::nullopt;
  return canonical;
}

std::vector<Slots> Space::Neighbours(const Slots& slots, int max_levels) const {
  std::vector<Slots> neighbours;
  auto add = [&](Slots candidate) {
    Canonicalise(candidate);
    if (candidate != slots && IsLegal(candidate)) neighbours.push_back(std::move(candidate));
  };
  for (const Dimension& dimension : dimensions_) {
    if (dimension.is_continuous() || slots[dimension.slot] == kInactive) continue;
    if (dimension.type != VariableType::kPermutation) {
      for (double level : OtherLevels(slots[dimension.slot], dimension.level_count, max_levels)) {
        Slots candidate = slots;
        candidate[dimension.slot] = level;
        add(std::move(candidate));
      }
      continue;
    }
    const int n = dimension.slot_count;
    std::vector<int> item_at(n);
    for (int i = 0; i < n; ++i) item_at[static_cast<size_t>(slots[dimension.slot + i])] = i;
    for (int a = 0; a < n; ++a) {
      for (int b = a + 1; b < n && (n <= 6 || b <= a + 2); ++b) {
        Slots swapped = slots;
        std::swap(swapped[dimension.slot + item_at[a]], swapped[dimension.slot + item_at[b]]);
        add(std::move(swapped));
        if (b == a + 1) continue;
        Slots moved = slots;  // the item at place a goes to place b, those between step back
        moved[dimension.slot + item_at[a]] = b;
        for (int p = a + 1; p <= b; ++p) moved[dimension.slot + item_at[p]] = p - 1;
        add(std::move(moved));
      }
    }
  }
  return neighbours;
}

}  // namespace dovetail::search
