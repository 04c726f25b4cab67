#include "services/coordinator/search/initial/sobol.h"

#include <algorithm>
#include <bit>

#include "common/base/rng.h"

namespace dovetail::search {

namespace internal {
extern const uint16_t kJoeKuo[];
}

namespace {

constexpr int kBits = 32;

// v_1..v_32 of one dimension from its table row {degree, coefficients, m_1, m_2, ...}.
void FillDirections(const uint16_t* row, uint32_t* v) {
  const int degree = row[0];
  const uint32_t coefficients = row[1];
  for (int i = 0; i < kBits; ++i) {
    if (i < degree) {
      v[i] = static_cast<uint32_t>(row[2 + i]) << (kBits - 1 - i);
      continue;
    }
    v[i] = v[i - degree] ^ (v[i - degree] >> degree);
    for (int k = 1; k < degree; ++k) {
      if ((coefficients >> (degree - 1 - k)) & 1) v[i] ^= v[i - k];
    }
  }
}

// Multiplies each direction number by a random lower-triangular matrix with ones on its diagonal.
void Scramble(uint32_t* v, Rng& rng) {
  uint32_t rows[kBits];  // row r makes output bit r (0 the highest)
  for (int r = 0; r < kBits; ++r) {
    const auto random = static_cast<uint32_t>(rng.Next() >> 32);
    const uint32_t diagonal = 1u << (kBits - 1 - r);
    const uint32_t above = r == 0 ? 0 : ~((diagonal << 1) - 1);
    rows[r] = (random & above) | diagonal;
  }
  for (int i = 0; i < kBits; ++i) {
    uint32_t out = 0;
    for (int r = 0; r < kBits; ++r) {
      out |= static_cast<uint32_t>(std::popcount(rows[r] & v[i]) & 1) << (kBits - 1 - r);
    }
    v[i] = out;
  }
}

}  // namespace

Sobol::Sobol(int dimensions, uint64_t seed, bool scramble) : dimensions_(dimensions), seed_(seed) {
  const int tabled = std::min(dimensions, kSobolDimensions);
  directions_.resize(static_cast<size_t>(tabled) * kBits);
  shifts_.assign(tabled, 0);
  const uint16_t* row = internal::kJoeKuo;
  Rng rng = Rng::Derive(seed, "sobol");
  for (int d = 0; d < tabled; ++d) {
    uint32_t* v = &directions_[static_cast<size_t>(d) * kBits];
    if (d == 0) {
      for (int i = 0; i < kBits; ++i) v[i] = 1u << (kBits - 1 - i);
    } else {
      FillDirections(row, v);
      row += 2 + row[0];
    }
    if (scramble) {
      Scramble(v, rng);
      shifts_[d] = static_cast<uint32_t>(rng.Next() >> 32);
    }
  }
}

std::vector<double> Sobol::Point(uint32_t index) const {
  std::vector<double> point(dimensions_);
  const uint32_t gray = index ^ (index >> 1);
  for (int d = 0; d < static_cast<int>(shifts_.size()); ++d) {
    uint32_t x = shifts_[d];
    for (uint32_t bits = gray; bits != 0; bits &= bits - 1) {
      x ^= directions_[static_cast<size_t>(d) * kBits + std::countr_zero(bits)];
    }
    point[d] = x * 0x1.0p-32;
  }
  if (dimensions_ > kSobolDimensions) {
    Rng rng(seed_ ^ (0x9e3779b97f4a7c15ULL * (index + 1ULL)));
    for (int d = kSobolDimensions; d < dimensions_; ++d) point[d] = rng.Uniform();
  }
  return point;
}

}  // namespace dovetail::search
