// Types and ranges of the elements of a tensor, where one entry may stand for all elements, for a
// channel or for one element. Called by the engines and the range analysis.
#ifndef DOVETAIL_SERVICES_WORKER_FIXEDPOINT_TENSOR_GRID_H_
#define DOVETAIL_SERVICES_WORKER_FIXEDPOINT_TENSOR_GRID_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/worker/fixedpoint/fixed_value.h"
#include "services/worker/nn/network.h"

namespace dovetail::fixedpoint {

// The type of element `e` of a row-major tensor: channels are the last dimension, so an index
// modulo the number of entries finds the channel's or the element's own.
inline const FixedType& TypeAt(const nn::TensorType& type, int64_t e) {
  return type.elements.empty() ? type.type
                               : type.elements[static_cast<size_t>(e) % type.elements.size()];
}

int MaxFractionBits(const nn::TensorType& type);

// The named type of the layer. Errors: InvalidArgument naming layer and type.
absl::StatusOr<const nn::TensorType*> TypeOf(const nn::Layer& layer, const std::string& name);

// A parameter as raw integers of its type.
// Errors: InvalidArgument naming layer, parameter and element: a value off its type's grid.
absl::StatusOr<std::vector<int64_t>> RawParameter(const nn::Layer& layer, const std::string& name);

// Raw values, both ends included.
struct Interval {
  Wide low = 0;
  Wide high = 0;
};
Interval RangeOf(const FixedType& type);

// Bits of the smallest signed (or, where low >= 0, unsigned) type that holds the interval.
int BitsFor(const Interval& interval, bool is_signed);

}  // namespace dovetail::fixedpoint

#endif  // DOVETAIL_SERVICES_WORKER_FIXEDPOINT_TENSOR_GRID_H_
