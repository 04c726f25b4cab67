// Where the elements of a layer's result come from: index lists shared by the float and the
// fixed-point engines, so that both walk a network alike.
#ifndef DOVETAIL_SERVICES_WORKER_FIXEDPOINT_LAYER_GEOMETRY_H_
#define DOVETAIL_SERVICES_WORKER_FIXEDPOINT_LAYER_GEOMETRY_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "services/worker/nn/network.h"

namespace dovetail::fixedpoint {

constexpr int32_t kPadding = -1;

// A dense or convolution layer as matrix products: output element
// (position * groups + group) * columns + column  =  sum over r of
// input[elements[(position * groups + group) * rows + r]] * kernel[r, group * columns + column].
struct MatrixGeometry {
  int64_t positions = 0;
  int64_t groups = 1;
  int64_t rows = 0;               // products of one output
  int64_t columns = 0;            // outputs per group
  std::vector<int32_t> elements;  // kPadding: zero
};
absl::StatusOr<MatrixGeometry> MatrixGeometryOf(const nn::Layer& layer, const nn::Shape& input);

// A pooling layer: output element e reads elements [begin[e], begin[e + 1]) of the list.
struct PoolGeometry {
  std::vector<int32_t> elements;  // padding is left out
  std::vector<int64_t> begin;
  std::vector<int64_t> divisor;  // average: the count, padding included where the layer says so
};
absl::StatusOr<PoolGeometry> PoolGeometryOf(const nn::Layer& layer, const nn::Shape& input);

// True for layers that only move elements: flatten, reshape, transpose, concat, zero_pad,
// up_sample.
bool OnlyMoves(nn::Op op);

struct ElementSource {
  int32_t input = 0;
  int32_t element = 0;  // kPadding: zero
};
// One source per element of the result. Precondition: OnlyMoves(layer.op).
std::vector<ElementSource> SourcesOf(const nn::Layer& layer, const std::vector<nn::Shape>& inputs);

}  // namespace dovetail::fixedpoint

#endif  // DOVETAIL_SERVICES_WORKER_FIXEDPOINT_LAYER_GEOMETRY_H_
