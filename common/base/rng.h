// The project's own random numbers: the same sequence on every compiler and machine, so that a seed
// replays a job. Called wherever anything is drawn; std:: distributions are never used, because
// their sequences differ between libraries.
//
// Source: Blackman and Vigna 2021, "Scrambled linear pseudorandom number generators",
// xoshiro256++; seeding by SplitMix64 as its authors advise.
#ifndef DOVETAIL_COMMON_BASE_RNG_H_
#define DOVETAIL_COMMON_BASE_RNG_H_

#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/base/digest.h"

namespace dovetail {

// Not thread-safe; copyable (a copy continues the same sequence).
class Rng {
 public:
  explicit Rng(uint64_t seed) {
    for (uint64_t& word : state_) {
      seed += 0x9e3779b97f4a7c15ULL;
      uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
      word = z ^ (z >> 31);
    }
  }

  // A sequence of its own for `purpose`: independent of what else is drawn from the job's seed.
  static Rng Derive(uint64_t seed, absl::string_view purpose) {
    std::string text = std::to_string(seed);
    text.push_back('/');
    text.append(purpose.data(), purpose.size());
    return Rng(Sha256Seed(text));
  }

  uint64_t Next() {
    const uint64_t result = RotateLeft(state_[0] + state_[3], 23) + state_[0];
    const uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = RotateLeft(state_[3], 45);
    return result;
  }

  // Uniform in [0, 1), 53 bits.
  double Uniform() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }

  // Uniform in [0, bound), without modulo bias. bound > 0.
  uint64_t Below(uint64_t bound) {
    const uint64_t threshold = -bound % bound;
    while (true) {
      const uint64_t draw = Next();
      if (draw >= threshold) return draw % bound;
    }
  }

  // Standard normal, Box and Muller's polar-free form; one value per call.
  double Normal() {
    double u = Uniform();
    while (u <= 0.0) u = Uniform();
    return std::sqrt(-2.0 * std::log(u)) * std::cos(6.283185307179586 * Uniform());
  }

  template <typename T>
  void Shuffle(std::vector<T>& values) {
    for (size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[Below(i)]);
  }

 private:
  static uint64_t RotateLeft(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

  uint64_t state_[4];
};

}  // namespace dovetail

#endif  // DOVETAIL_COMMON_BASE_RNG_H_
