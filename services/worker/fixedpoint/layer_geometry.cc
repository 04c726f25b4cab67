#include "services/worker/fixedpoint/layer_geometry.h"

#include <array>

#include "common/base/status_macros.h"
#include "services/worker/nn/layer_shapes.h"

namespace dovetail::fixedpoint {
namespace {

using nn::ElementCount;
using nn::Layer;
using nn::Op;
using nn::Shape;

// One- and two-dimensional windows alike: a 1-D one has one row.
struct Plane {
  std::array<int64_t, 2> in = {1, 1}, out = {1, 1}, size = {1, 1}, stride = {1, 1}, pad = {0, 0},
                         dilation = {1, 1};
};

Plane PlaneOf(const nn::Window& window, const Shape& input, const Shape& output) {
  Plane plane;
  const size_t rank = window.size.size();
  for (size_t d = 0; d < rank; ++d) {
    const size_t at = d + 2 - rank;
    plane.in[at] = input[d];
    plane.out[at] = output[d];
    plane.size[at] = window.size[d];
    plane.stride[at] = window.stride[d];
    plane.pad[at] = window.pad_begin[d];
    plane.dilation[at] = window.dilation[d];
  }
  return plane;
}

// The input position (row * columns + column) under a window element, or kPadding.
int64_t PositionUnder(const Plane& plane, int64_t out_row, int64_t out_column, int64_t row,
                      int64_t column) {
  const int64_t r = out_row * plane.stride[0] - plane.pad[0] + row * plane.dilation[0];
  const int64_t c = out_column * plane.stride[1] - plane.pad[1] + column * plane.dilation[1];
  if (r < 0 || r >= plane.in[0] || c < 0 || c >= plane.in[1]) return kPadding;
  return r * plane.in[1] + c;
}

// Row-major strides.
std::vector<int64_t> StridesOf(const Shape& shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
  return strides;
}

PoolGeometry GlobalPool(const Shape& input) {
  PoolGeometry geometry;
  const int64_t channels = input.back();
  const int64_t positions = ElementCount(input) / channels;
  geometry.begin.push_back(0);
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t p = 0; p < positions; ++p) {
      geometry.elements.push_back(static_cast<int32_t>(p * channels + c));
    }
    geometry.begin.push_back(static_cast<int64_t>(geometry.elements.size()));
    geometry.divisor.push_back(positions);
  }
  return geometry;
}

std::vector<ElementSource> TransposeSources(const Layer& layer, const Shape& input) {
  const std::vector<int64_t> permutation = nn::IntegerList(layer.attributes["permutation"]);
  const std::vector<int64_t> from = StridesOf(input);
  const std::vector<int64_t> to = StridesOf(layer.output_shape);
  std::vector<ElementSource> sources(static_cast<size_t>(ElementCount(input)));
  for (size_t e = 0; e < sources.size(); ++e) {
    int64_t source = 0;
    for (size_t d = 0; d < to.size(); ++d) {
      source += static_cast<int64_t>(e) / to[d] % layer.output_shape[d] * from[permutation[d]];
    }
    sources[e].element = static_cast<int32_t>(source);
  }
  return sources;
}

std::vector<ElementSource> ConcatSources(const Layer& layer, const std::vector<Shape>& inputs) {
  const size_t axis = static_cast<size_t>(layer.attributes["axis"].AsNumber());
  std::vector<ElementSource> sources;
  int64_t outer = 1;
  for (size_t d = 0; d < axis; ++d) outer *= layer.output_shape[d];
  for (int64_t o = 0; o < outer; ++o) {
    for (size_t i = 0; i < inputs.size(); ++i) {
      const int64_t run = ElementCount(inputs[i]) / outer;
      for (int64_t e = 0; e < run; ++e) {
        sources.push_back({static_cast<int32_t>(i), static_cast<int32_t>(o * run + e)});
      }
    }
  }
  return sources;
}

// Zero padding and repetition: each output coordinate maps to one input coordinate or to none.
std::vector<ElementSource> SpatialSources(const Layer& layer, const Shape& input) {
  const size_t spatial = input.size() - 1;
  const bool pads = layer.op == Op::kZeroPad;
  const std::vector<int64_t> numbers =
      nn::IntegerList(layer.attributes[pads ? "padding" : "factors"]);
  const std::vector<int64_t> from = StridesOf(input);
  const std::vector<int64_t> to = StridesOf(layer.output_shape);
  std::vector<ElementSource> sources(static_cast<size_t>(ElementCount(layer.output_shape)));
  for (size_t e = 0; e < sources.size(); ++e) {
    int64_t source = static_cast<int64_t>(e) % input.back();
    bool inside = true;
    for (size_t d = 0; d < spatial; ++d) {
      const int64_t at = static_cast<int64_t>(e) / to[d] % layer.output_shape[d];
      const int64_t in = pads ? at - numbers[d] : at / numbers[d];
      inside = inside && in >= 0 && in < input[d];
      source += in * from[d];
    }
    sources[e].element = inside ? static_cast<int32_t>(source) : kPadding;
  }
  return sources;
}

}  // namespace

absl::StatusOr<MatrixGeometry> MatrixGeometryOf(const Layer& layer, const Shape& input) {
  MatrixGeometry geometry;
  const Shape& kernel = layer.parameters.at("kernel").shape;
  if (layer.op == Op::kDense) {
    geometry.rows = kernel[0];
    geometry.columns = kernel[1];
    geometry.positions = ElementCount(input) / geometry.rows;
    geometry.elements.resize(static_cast<size_t>(ElementCount(input)));
    for (size_t e = 0; e < geometry.elements.size(); ++e) {
      geometry.elements[e] = static_cast<int32_t>(e);
    }
    return geometry;
  }
  ASSIGN_OR_RETURN(const nn::Window window, nn::WindowOf(layer));
  const Plane plane = PlaneOf(window, input, layer.output_shape);
  const int64_t channels = input.back();
  const int64_t group_channels = channels / window.groups;
  geometry.positions = plane.out[0] * plane.out[1];
  geometry.groups = window.groups;
  geometry.rows = plane.size[0] * plane.size[1] * group_channels;
  geometry.columns = kernel.back() / window.groups;
  geometry.elements.reserve(
      static_cast<size_t>(geometry.positions * geometry.groups * geometry.rows));
  for (int64_t p = 0; p < geometry.positions; ++p) {
    for (int64_t g = 0; g < window.groups; ++g) {
      for (int64_t k = 0; k < plane.size[0] * plane.size[1]; ++k) {
        const int64_t under = PositionUnder(plane, p / plane.out[1], p % plane.out[1],
                                            k / plane.size[1], k % plane.size[1]);
        for (int64_t c = 0; c < group_channels; ++c) {
          geometry.elements.push_back(
              under == kPadding ? kPadding
                                : static_cast<int32_t>(under * channels + g * group_channels + c));
        }
      }
    }
  }
  return geometry;
}

absl::StatusOr<PoolGeometry> PoolGeometryOf(const Layer& layer, const Shape& input) {
  if (layer.op == Op::kGlobalMaxPool || layer.op == Op::kGlobalAveragePool) {
    return GlobalPool(input);
  }
  ASSIGN_OR_RETURN(const nn::Window window, nn::WindowOf(layer));
  const Plane plane = PlaneOf(window, input, layer.output_shape);
  const int64_t channels = input.back();
  const int64_t size = plane.size[0] * plane.size[1];
  const bool counts_padding = layer.attributes["count_padding"].AsBool();
  PoolGeometry geometry;
  geometry.begin.push_back(0);
  for (int64_t p = 0; p < plane.out[0] * plane.out[1]; ++p) {
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t k = 0; k < size; ++k) {
        const int64_t under = PositionUnder(plane, p / plane.out[1], p % plane.out[1],
                                            k / plane.size[1], k % plane.size[1]);
        if (under != kPadding) {
          geometry.elements.push_back(static_cast<int32_t>(under * channels + c));
        }
      }
      const int64_t end = static_cast<int64_t>(geometry.elements.size());
      geometry.divisor.push_back(counts_padding ? size : end - geometry.begin.back());
      geometry.begin.push_back(end);
    }
  }
  return geometry;
}

bool OnlyMoves(Op op) {
  return op == Op::kFlatten || op == Op::kReshape || op == Op::kTranspose || op == Op::kConcat ||
         op == Op::kZeroPad || op == Op::kUpSample;
}

std::vector<ElementSource> SourcesOf(const Layer& layer, const std::vector<Shape>& inputs) {
  switch (layer.op) {
    case Op::kTranspose:
      return TransposeSources(layer, inputs[0]);
    case Op::kConcat:
      return ConcatSources(layer, inputs);
    case Op::kZeroPad:
    case Op::kUpSample:
      return SpatialSources(layer, inputs[0]);
    default:
      break;
  }
  std::vector<ElementSource> sources(static_cast<size_t>(ElementCount(inputs[0])));
  for (size_t e = 0; e < sources.size(); ++e) sources[e].element = static_cast<int32_t>(e);
  return sources;
}

}  // namespace dovetail::fixedpoint
