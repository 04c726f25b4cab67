// IEEE 754 binary16, as .npz files and ONNX tensors hold it.
#ifndef DOVETAIL_SERVICES_WORKER_NN_HALF_FLOAT_H_
#define DOVETAIL_SERVICES_WORKER_NN_HALF_FLOAT_H_

#include <cmath>
#include <cstdint>
#include <limits>

namespace dovetail::nn {

// Exact.
inline float HalfToFloat(uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const int mantissa = bits & 1023;
  float magnitude = 0;
  if (exponent == 31) {
    magnitude = mantissa == 0 ? std::numeric_limits<float>::infinity()
                              : std::numeric_limits<float>::quiet_NaN();
  } else if (exponent == 0) {
    magnitude = std::ldexp(static_cast<float>(mantissa), -24);
  } else {
    magnitude = std::ldexp(static_cast<float>(mantissa + 1024), exponent - 25);
  }
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

}  // namespace dovetail::nn

#endif  // DOVETAIL_SERVICES_WORKER_NN_HALF_FLOAT_H_
