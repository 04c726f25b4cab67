// Activations by table, as hls4ml makes them: sigmoid and tanh of 1024 entries. The entries do not
// depend on the host's math library: exp is summed here, in arithmetic that IEEE 754 fixes.
//
// Source: hls4ml 1.3, nnet_activation.h (init_sigmoid_table, init_tanh_table). Sigmoid: entry i is
// the float 1 / (1 + expf(-x)) at x = 16 (i - 512) / 1024, cast to the table's type; index =
// trunc(x * 1024 / 16) + 512, clamped. Tanh: x = 8 (i - 512) / 1024, index = trunc(x * 1024 / 8) +
// 512.
// Departures: exp is correctly rounded, where a math library may be off in the last place.
#ifndef DOVETAIL_SERVICES_WORKER_FIXEDPOINT_TABLES_H_
#define DOVETAIL_SERVICES_WORKER_FIXEDPOINT_TABLES_H_

#include <cstdint>
#include <vector>

#include "services/worker/fixedpoint/fixed_value.h"
#include "services/worker/nn/network.h"

namespace dovetail::fixedpoint {

// e^x to about 18 digits. Valid for: |x| <= 700.
long double ExpExact(long double x);

struct ActivationTable {
  FixedType type;                // of the entries
  std::vector<int64_t> entries;  // raw
  int64_t span = 16;             // of x, centred on 0

  // Index of the entry for raw * 2^-fraction_bits.
  int64_t IndexOf(Wide raw, int fraction_bits) const;
};

// Of a sigmoid or tanh layer. The size is the attribute table_size (1024 where absent), the type
// types["table"] (ap_fixed<18,8> where absent).
ActivationTable TableOf(const nn::Layer& layer);

}  // namespace dovetail::fixedpoint

#endif  // DOVETAIL_SERVICES_WORKER_FIXEDPOINT_TABLES_H_
