// The inner loops of the fast engine, compiled once per instruction set and chosen at run time.
// Rows are kTile samples of one tensor element, side by side: every loop runs along samples, so
// that all types, shifts and weights are scalars of the loop.
//
// This header is plain data and function pointers: the kernel sources are compiled for other
// instruction sets than the rest and must not emit inline functions that the linker might share.
#ifndef DOVETAIL_SERVICES_WORKER_FIXEDPOINT_FAST_KERNELS_H_
#define DOVETAIL_SERVICES_WORKER_FIXEDPOINT_FAST_KERNELS_H_

#include <cstdint>

namespace dovetail::fixedpoint::fast {

constexpr int kTile = 64;         // samples of a row
constexpr int kBlockOutputs = 6;  // outputs that share one pass over the inputs

enum Lane : int32_t { kLane16 = 0, kLane32 = 1, kLane64 = 2 };
constexpr int64_t LaneBytes(Lane lane) { return int64_t{2} << lane; }

// A cast to an ap_fixed type as shift, add and clamp:
//   q = ((x << left) + add + (x < 0 ? add_if_negative : 0) + ((x >> right) & odd)) >> right
// then overflow 0: clamp to [low, high]; 1: ((q + wrap_offset) & wrap_mask) - wrap_offset;
// 2: 0 outside [low, high].
struct CastParams {
  int64_t add = 0, add_if_negative = 0, odd = 0;
  int64_t low = 0, high = 0;
  int64_t wrap_offset = 0, wrap_mask = -1;
  int32_t left = 0, right = 0;
  int32_t overflow = 0;
};

// What stands before the cast: x >= 0 ? x * if_positive : x * if_negative, plus offset, clamped.
struct AffineParams {
  int64_t if_positive = 1, if_negative = 1, offset = 0;
  int64_t clamp_low = 0, clamp_high = 0;
  int32_t has_clamp = 0;
};

struct InputParams {
  float scale = 1;  // 2^fraction_bits
  int32_t quantization = 0;
  float low = 0, high = 0;  // clamp, where overflow is 0
  CastParams cast;          // overflow and wrap only
};

struct Kernels {
  const char* name;
  // rows: count pointers to int16 rows; pairs: [(count + 1) / 2][kTile], low and high halves.
  void (*pack_pairs)(const int16_t* const* rows, int64_t count, int32_t* pairs);
  // sums[o][b] = bias[o] + sum over pairs; weights: [pair][outputs] of two int16; outputs <= 6.
  void (*matrix16)(const int32_t* pairs, int64_t pair_count, const int32_t* weights,
                   const int32_t* bias, int outputs, int32_t* sums);
  // The same over rows of any lane in 64 bits; weights [row][outputs].
  void (*matrix64)(const void* const* rows, Lane lane, int64_t count, const int64_t* weights,
                   const int64_t* bias, int outputs, int64_t* sums);
  // out = cast(x); with `second`: out = cast2(max(cast(x), 0)). The template type of the arithmetic
  // is that of x; ranges were checked when the engine was made.
  void (*cast32)(const int32_t* x, const CastParams* first, const CastParams* second, void* out,
                 Lane lane);
  void (*cast64)(const int64_t* x, const CastParams* first, const CastParams* second, void* out,
                 Lane lane);
  // Element by element, in 32 or 64 bits.
  void (*affine)(const void* x, Lane in, const AffineParams* affine, const CastParams* cast,
                 void* out, Lane lane, int use64);
  // sum or maximum of count rows, each shifted left; divided towards zero by divisor where > 1.
  void (*combine)(const void* const* rows, const Lane* lanes, const int32_t* shifts, int64_t count,
                  int is_max, int64_t divisor, const CastParams* cast, void* out, Lane lane,
                  int use64);
  // x: kTile floats. Returns 0 where a value is too large for this arithmetic (nothing written).
  int (*quantize)(const float* x, const InputParams* params, void* out, Lane lane);
};

const Kernels& BaselineKernels();
const Kernels& Avx2Kernels();
const Kernels& Avx512Kernels();
const Kernels& Avx512VnniKernels();

// The best this machine runs, or the one named ("baseline", "avx2", "avx512", "avx512_vnni"); null
// where the machine cannot or the name is unknown.
const Kernels* ChooseKernels(const char* name);

}  // namespace dovetail::fixedpoint::fast

#endif  // DOVETAIL_SERVICES_WORKER_FIXEDPOINT_FAST_KERNELS_H_
