// The inner loops of dense training: one tile of samples at a time, samples in the vector lanes,
// one pass over the kept weights only, so that a pruned weight costs nothing.
// Called from DenseNet only. A tile is stored [features x kTile], so every row is kTile contiguous
// samples; all rows are 64-byte aligned.
#ifndef DOVETAIL_SERVICES_WORKER_TRAIN_DENSE_KERNELS_H_
#define DOVETAIL_SERVICES_WORKER_TRAIN_DENSE_KERNELS_H_

#include <cstdint>
#include <vector>

#include "services/worker/train/lanes.h"
#include "services/worker/train/quantizer.h"

namespace dovetail::train {

inline constexpr int kTile = 64;  // samples: 64 features of float are 16 KiB, half of an L1 cache

// Storage whose elements start on cache lines.
template <typename T>
class AlignedArray {
 public:
  void Resize(int64_t count) { blocks_.resize((count * sizeof(T) + 63) / 64); }
  void Fill(T value) {
    T* values = data();
    for (size_t i = 0; i < blocks_.size() * (64 / sizeof(T)); ++i) values[i] = value;
  }
  T* data() { return reinterpret_cast<T*>(blocks_.data()); }
  const T* data() const { return reinterpret_cast<const T*>(blocks_.data()); }

 private:
  struct alignas(64) Block {
    unsigned char bytes[64];
  };
  std::vector<Block> blocks_;
};

// Compressed rows: the entries of row r are begin[r] .. begin[r + 1], entry k is in column
// column[k].
struct SparseRows {
  std::vector<int32_t> begin;
  std::vector<int32_t> column;
  int row_count() const { return static_cast<int>(begin.size()) - 1; }
};

// z[r] = start[r] + sum over entries k of row r of weights[k] * x[column[k]]; x, z: tiles.
// start may be null (zeros).
template <typename T>
void MultiplyRows(const SparseRows& rows, const T* weights, const T* start, const T* x, T* z) {
  using L = Lanes<T>;
  constexpr int kChunk = 8 * L::kCount;  // 8 sums in flight hide the latency of FMA
  for (int r = 0; r < rows.row_count(); ++r) {
    const int32_t first = rows.begin[r];
    const int32_t last = rows.begin[r + 1];
    for (int offset = 0; offset < kTile; offset += kChunk) {
      typename L::Vec sum[8];
      const typename L::Vec initial = start == nullptr ? L::Zero() : L::Set1(start[r]);
      for (auto& s : sum) s = initial;
      for (int32_t k = first; k < last; ++k) {
        const typename L::Vec weight = L::Set1(weights[k]);
        const T* row = x + static_cast<int64_t>(rows.column[k]) * kTile + offset;
#pragma GCC unroll 8
        for (int v = 0; v < 8; ++v) sum[v] = L::Fma(weight, L::Load(row + v * L::kCount), sum[v]);
      }
      T* out = z + static_cast<int64_t>(r) * kTile + offset;
      for (int v = 0; v < 8; ++v) L::Store(out + v * L::kCount, sum[v]);
    }
  }
}

// gradient[k] += lane sums of dz[row of k] * x[column[k]]; gradient holds L::kCount lanes per
// entry, added up once per batch. bias_gradient the same of dz alone, per row.
template <typename T>
void AccumulateGradient(const SparseRows& rows, const T* x, const T* dz, T* gradient,
                        T* bias_gradient) {
  using L = Lanes<T>;
  constexpr int kChunk = 8 * L::kCount;
  for (int r = 0; r < rows.row_count(); ++r) {
    const int32_t first = rows.begin[r];
    const int32_t last = rows.begin[r + 1];
    for (int offset = 0; offset < kTile; offset += kChunk) {
      const T* dz_row = dz + static_cast<int64_t>(r) * kTile + offset;
      typename L::Vec d[8];
      for (int v = 0; v < 8; ++v) d[v] = L::Load(dz_row + v * L::kCount);
      T* bias_sum = bias_gradient + static_cast<int64_t>(r) * L::kCount;
      const auto d0 = L::Add(L::Add(d[0], d[1]), L::Add(d[2], d[3]));
      const auto d1 = L::Add(L::Add(d[4], d[5]), L::Add(d[6], d[7]));
      L::Store(bias_sum, L::Add(L::Load(bias_sum), L::Add(d0, d1)));
      for (int32_t k = first; k < last; ++k) {
        const T* row = x + static_cast<int64_t>(rows.column[k]) * kTile + offset;
        T* sum = gradient + static_cast<int64_t>(k) * L::kCount;
        auto a = L::Load(sum);
        auto b = L::Mul(d[0], L::Load(row));
#pragma GCC unroll 7
        for (int v = 1; v < 8; ++v) {
          if (v % 2 == 1) {
            a = L::Fma(d[v], L::Load(row + v * L::kCount), a);
          } else {
            b = L::Fma(d[v], L::Load(row + v * L::kCount), b);
          }
        }
        L::Store(sum, L::Add(a, b));
      }
    }
  }
}

// A quantiser spread over the lanes.
template <typename T>
struct LaneQuantizer {
  using L = Lanes<T>;
  using Vec = typename L::Vec;

  explicit LaneQuantizer(const Quantizer& q)
      : rounding(q.type.quantization),
        wraps(q.type.overflow == Overflow::kWrap),
        scale(L::Set1(static_cast<T>(q.scale))),
        step(L::Set1(static_cast<T>(q.step))),
        raw_low(L::Set1(static_cast<T>(q.raw_low))),
        raw_high(L::Set1(static_cast<T>(q.raw_high))),
        period(L::Set1(static_cast<T>(q.raw_period))),
        inverse_period(L::Set1(static_cast<T>(1 / q.raw_period))),
        low(L::Set1(static_cast<T>(q.low()))),
        high(L::Set1(static_cast<T>(q.high()))) {}

  Vec Apply(Vec value) const {
    Vec raw = L::Mul(value, scale);
    if (rounding == Quantization::kRndConv) {
      raw = L::NearestEven(raw);
    } else {
      if (rounding == Quantization::kRnd) raw = L::Add(raw, L::Set1(T{0.5}));
      raw = L::Floor(raw);
    }
    if (wraps) {
      const Vec turns = L::Floor(L::Mul(L::Sub(raw, raw_low), inverse_period));
      raw = L::Sub(raw, L::Mul(turns, period));
    } else {
      raw = L::Min(L::Max(raw, raw_low), raw_high);
    }
    return L::Mul(raw, step);
  }

  // `gradient` where `value` is not clipped, else 0 (straight-through estimator).
  Vec PassGradient(Vec value, Vec gradient) const {
    if (wraps) return gradient;
    const Vec inside = L::And(L::GreaterEqual(value, low), L::GreaterEqual(high, value));
    return L::And(inside, gradient);
  }

  Quantization rounding;
  bool wraps;
  Vec scale, step, raw_low, raw_high, period, inverse_period, low, high;
};

// exp(x) for x <= 0, relative error below 2e-7 in float.
// Source: Cephes mathematical library (Moshier 1989), expf: Cody-Waite reduction by ln 2 and a
// polynomial of degree 5. Valid for: x >= -80 (smaller x count as -80).
template <typename T>
typename Lanes<T>::Vec ExpOfNonPositive(typename Lanes<T>::Vec x) {
  using L = Lanes<T>;
  const auto set = [](double c) { return L::Set1(static_cast<T>(c)); };
  x = L::Max(x, set(-80));
  const auto n = L::NearestEven(L::Mul(x, set(1.44269504088896341)));
  auto r = L::Fma(n, set(-0.693359375), x);
  r = L::Fma(n, set(2.12194440e-4), r);
  auto p = set(1.9875691500e-4);
  for (const double c :
       {1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1}) {
    p = L::Fma(p, r, set(c));
  }
  p = L::Fma(L::Mul(p, r), r, L::Add(r, set(1)));
  return L::Mul(p, L::PowerOfTwo(n));
}

}  // namespace dovetail::train

#endif  // DOVETAIL_SERVICES_WORKER_TRAIN_DENSE_KERNELS_H_
