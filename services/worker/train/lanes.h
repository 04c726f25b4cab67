// 32-byte vectors of float or double behind one name, so that each training kernel is written once.
// Called from the dense training kernels only. Needs AVX2 and FMA, which x86-64-v3 promises; the
// same instructions run on every machine, so results do not depend on the CPU.
#ifndef DOVETAIL_SERVICES_WORKER_TRAIN_LANES_H_
#define DOVETAIL_SERVICES_WORKER_TRAIN_LANES_H_

#include <immintrin.h>

#include <cstdint>

namespace dovetail::train {

template <typename T>
struct Lanes;

template <>
struct Lanes<float> {
  using Vec = __m256;
  static constexpr int kCount = 8;
  static Vec Load(const float* p) { return _mm256_load_ps(p); }
  static void Store(float* p, Vec v) { _mm256_store_ps(p, v); }
  static Vec Set1(float x) { return _mm256_set1_ps(x); }
  static Vec Zero() { return _mm256_setzero_ps(); }
  static Vec Add(Vec a, Vec b) { return _mm256_add_ps(a, b); }
  static Vec Sub(Vec a, Vec b) { return _mm256_sub_ps(a, b); }
  static Vec Mul(Vec a, Vec b) { return _mm256_mul_ps(a, b); }
  static Vec Div(Vec a, Vec b) { return _mm256_div_ps(a, b); }
  static Vec Fma(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
  static Vec Max(Vec a, Vec b) { return _mm256_max_ps(a, b); }
  static Vec Min(Vec a, Vec b) { return _mm256_min_ps(a, b); }
  static Vec Floor(Vec a) { return _mm256_floor_ps(a); }
  static Vec NearestEven(Vec a) {
    return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  // All ones where a > b (a >= b), so that And keeps or clears a lane.
  static Vec Greater(Vec a, Vec b) { return _mm256_cmp_ps(a, b, _CMP_GT_OQ); }
  static Vec GreaterEqual(Vec a, Vec b) { return _mm256_cmp_ps(a, b, _CMP_GE_OQ); }
  static Vec And(Vec a, Vec b) { return _mm256_and_ps(a, b); }
  // 2^n for integral n in the normal range.
  static Vec PowerOfTwo(Vec n) {
    const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23));
  }
};

template <>
struct Lanes<double> {
  using Vec = __m256d;
  static constexpr int kCount = 4;
  static Vec Load(const double* p) { return _mm256_load_pd(p); }
  static void Store(double* p, Vec v) { _mm256_store_pd(p, v); }
  static Vec Set1(double x) { return _mm256_set1_pd(x); }
  static Vec Zero() { return _mm256_setzero_pd(); }
  static Vec Add(Vec a, Vec b) { return _mm256_add_pd(a, b); }
  static Vec Sub(Vec a, Vec b) { return _mm256_sub_pd(a, b); }
  static Vec Mul(Vec a, Vec b) { return _mm256_mul_pd(a, b); }
  static Vec Div(Vec a, Vec b) { return _mm256_div_pd(a, b); }
  static Vec Fma(Vec a, Vec b, Vec c) { return _mm256_fmadd_pd(a, b, c); }
  static Vec Max(Vec a, Vec b) { return _mm256_max_pd(a, b); }
  static Vec Min(Vec a, Vec b) { return _mm256_min_pd(a, b); }
  static Vec Floor(Vec a) { return _mm256_floor_pd(a); }
  static Vec NearestEven(Vec a) {
    return _mm256_round_pd(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  static Vec Greater(Vec a, Vec b) { return _mm256_cmp_pd(a, b, _CMP_GT_OQ); }
  static Vec GreaterEqual(Vec a, Vec b) { return _mm256_cmp_pd(a, b, _CMP_GE_OQ); }
  static Vec And(Vec a, Vec b) { return _mm256_and_pd(a, b); }
  static Vec PowerOfTwo(Vec n) {
    const __m256i exponent =
        _mm256_add_epi64(_mm256_cvtepi32_epi64(_mm256_cvtpd_epi32(n)), _mm256_set1_epi64x(1023));
    return _mm256_castsi256_pd(_mm256_slli_epi64(exponent, 52));
  }
};

}  // namespace dovetail::train

#endif  // DOVETAIL_SERVICES_WORKER_TRAIN_LANES_H_
