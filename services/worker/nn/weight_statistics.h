// Statistics of weights as integers: the smallest type that holds them, and their digits in
// canonical signed-digit form, which decide between shifts, adders and multipliers. Called from
// Summarize and from whoever gives weights a type.
#ifndef DOVETAIL_SERVICES_WORKER_NN_WEIGHT_STATISTICS_H_
#define DOVETAIL_SERVICES_WORKER_NN_WEIGHT_STATISTICS_H_

#include <cstdint>

#include "absl/types/span.h"
#include "common/domain/fixed_type.h"
#include "common/domain/network_summary.h"

namespace dovetail::nn {

// The signed AP_RND, AP_SAT type of `width_bits` with the fewest integer bits whose range reaches
// every value: |v| <= 2^(integer_bits - 1), so that saturation moves the largest positive value by
// at most one step. All zeros: integer_bits 1.
FixedType FitWeightType(absl::Span<const float> values, int width_bits);

// Non-zero digits of the canonical signed-digit form (no two neighbours both non-zero).
// Source: Reitwiesner 1960, "Binary arithmetic"; the count is popcount(n xor 3n).
int CsdDigitCount(int64_t number);

// Of a kernel [rows x columns], row-major, rows its inputs; rounded to FitWeightType(kernel, bits).
LayerSummary::CsdStatistics CsdStatisticsOf(absl::Span<const float> kernel, int64_t columns,
                                            int width_bits);

}  // namespace dovetail::nn

#endif  // DOVETAIL_SERVICES_WORKER_NN_WEIGHT_STATISTICS_H_
