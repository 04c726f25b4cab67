#include "services/worker/fixedpoint/tables.h"

#include <algorithm>
#include <cmath>

namespace dovetail::fixedpoint {
namespace {

constexpr long double kLn2High = 0.693147180559945309417232121458176568L;

// What hls4ml computes in single precision, step by step.
float SigmoidFloat(float x) {
  const float exponential = static_cast<float>(ExpExact(-static_cast<long double>(x)));
  const float sum = 1.0f + exponential;
  return static_cast<float>(1.0 / static_cast<double>(sum));
}

double TanhExact(long double x) {
  const long double e = ExpExact(2 * x);
  return static_cast<double>((e - 1) / (e + 1));
}

}  // namespace

long double ExpExact(long double x) {
  // x = k ln 2 + r, |r| <= ln 2 / 2; then r / 256 by Taylor's series, squared eight times.
  const long double k = std::nearbyint(x / kLn2High);
  const long double r = (x - k * kLn2High) / 256;
  long double term = 1;
  long double excess = 0;  // e^r - 1, so that squaring keeps its digits
  for (int i = 1; i <= 12; ++i) {
    term *= r / i;
    excess += term;
  }
  for (int i = 0; i < 8; ++i) excess = excess * (2 + excess);
  return std::ldexp(1 + excess, static_cast<int>(k));
}

int64_t ActivationTable::IndexOf(Wide raw, int fraction_bits) const {
  const int64_t size = static_cast<int64_t>(entries.size());
  // Beyond the table by far, either way; also keeps the product below in range.
  const Wide limit = static_cast<Wide>(1) << 100;
  if (raw > limit / size || raw < -limit / size) return raw > 0 ? size - 1 : 0;
  Wide steps = raw * size / span;  // towards zero at the input's fraction
  if (fraction_bits >= 0) {
    steps = fraction_bits > 120 ? 0 : steps / (static_cast<Wide>(1) << fraction_bits);
  } else {
    steps = steps > size ? size : steps < -size ? -size : steps;
    for (int i = 0; i < -fraction_bits && steps <= size && steps >= -size; ++i) steps *= 2;
  }
  const Wide index = steps + size / 2;
  return static_cast<int64_t>(std::clamp<Wide>(index, 0, size - 1));
}

ActivationTable TableOf(const nn::Layer& layer) {
  ActivationTable table;
  table.type = {.width_bits = 18, .integer_bits = 8};
  if (const auto it = layer.types.find("table"); it != layer.types.end()) {
    table.type = it->second.type;
  }
  const double wanted = layer.attributes["table_size"].AsNumber();
  const int64_t size = wanted >= 2 && wanted <= 65536 ? static_cast<int64_t>(wanted) : 1024;
  const bool is_sigmoid = layer.op == nn::Op::kSigmoid;
  table.span = is_sigmoid ? 16 : 8;
  for (int64_t i = 0; i < size; ++i) {
    const double x = static_cast<double>(table.span) *
                     (static_cast<double>(i) - static_cast<double>(size) / 2) /
                     static_cast<double>(size);
    table.entries.push_back(is_sigmoid ? FromDouble(SigmoidFloat(static_cast<float>(x)), table.type)
                                       : FromDouble(TanhExact(x), table.type));
  }
  return table;
}

}  // namespace dovetail::fixedpoint
