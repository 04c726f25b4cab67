#include "services/worker/fixedpoint/dyadic.h"

#include <cmath>

#include "absl/strings/str_cat.h"

namespace dovetail::fixedpoint {

Dyadic DyadicOf(double value) {
  Dyadic dyadic;
  double scaled = value;
  while (dyadic.bits < 60 && scaled != std::floor(scaled)) {
    ++dyadic.bits;
    scaled = std::ldexp(value, dyadic.bits);
  }
  dyadic.raw = static_cast<Wide>(std::floor(scaled));
  return dyadic;
}

absl::StatusOr<LeakySlope> LeakySlopeOf(const nn::Layer& layer) {
  const double slope = layer.attributes["alpha"].AsNumber();
  if (const auto it = layer.types.find("alpha"); it != layer.types.end()) {
    return LeakySlope{FromDouble(slope, it->second.type), it->second.type};
  }
  const Dyadic exact = DyadicOf(slope);
  if (exact.bits >= 32 || std::abs(slope) >= 1024) {
    return absl::InvalidArgumentError(
        absl::StrCat("layer \"", layer.name, "\" has no type for its alpha ", slope));
  }
  return LeakySlope{static_cast<int64_t>(exact.raw),
                    {.width_bits = 48, .integer_bits = 48 - exact.bits}};
}

}  // namespace dovetail::fixedpoint
