// One group of layers, a matrix and what is applied to its results element by element, as a graph.
// Called by LowerNetwork alone.
#ifndef DOVETAIL_SERVICES_WORKER_HARDWARE_LAYER_LOWERING_H_
#define DOVETAIL_SERVICES_WORKER_HARDWARE_LAYER_LOWERING_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/worker/hardware/adder_tree.h"
#include "services/worker/hardware/graph.h"
#include "services/worker/nn/network.h"

namespace dovetail::hardware {

// An element of a tensor between layers.
struct Signal {
  Range range;
  int fraction_bits = 0;
};

// The same inside a graph; node -1 where nobody reads it.
struct GraphSignal {
  int node = -1;
  int fraction_bits = 0;
};

// A row of the layer's matrix, weights as raw integers on their own grids.
struct MatrixRow {
  struct Entry {
    int input = 0;
    int64_t weight = 0;
    int fraction_bits = 0;
  };
  std::vector<Entry> entries;  // nonzero weights only
  int64_t bias = 0;
  int bias_fraction_bits = 0;
};

// True for layers that MatrixOf understands: dense, convolutions, and scales and offsets by
// constants.
bool HasMatrix(const nn::Layer& layer);
// Errors: InvalidArgument: no types, weights off their grid; Unimplemented: an accumulator that is
// narrower than exact, a wider type than hardware offers.
absl::StatusOr<std::vector<MatrixRow>> MatrixOf(const nn::Layer& layer,
                                                const nn::Shape& input_shape);

// The type of element `index` of a tensor with `element_count` elements and `channels` channels.
const FixedType& ElementType(const nn::TensorType& type, int64_t index, int64_t element_count,
                             int64_t channels);

// How a matrix becomes adders and multipliers.
struct MatrixOptions {
  MultiplierRule rule;
  // Subexpressions shared between rows, no multipliers (strategy distributed_arithmetic).
  bool share_subexpressions = false;
  int extra_levels = 1;  // that sharing may add to the deepest row
};

// rows x values -> results in the layer's "result" type; only the outputs in `needed`.
absl::StatusOr<std::vector<GraphSignal>> LowerMatrix(const nn::Layer& layer,
                                                     const std::vector<MatrixRow>& rows,
                                                     const std::vector<GraphSignal>& values,
                                                     const std::vector<bool>& needed,
                                                     const MatrixOptions& options, Graph& graph);

// For layers without a matrix: the input elements whose maximum each output element is. One for
// element-wise layers and for those that only move elements, none for padding with zero.
// Errors: Unimplemented naming the layer.
absl::StatusOr<std::vector<std::vector<int>>> SourcesOfElements(const nn::Layer& layer,
                                                                const nn::Shape& input_shape);

// The maximum of each needed element's sources, through the layer's function, in its result type.
absl::StatusOr<std::vector<GraphSignal>> LowerElements(const nn::Layer& layer,
                                                       const std::vector<std::vector<int>>& sources,
                                                       const std::vector<GraphSignal>& values,
                                                       const std::vector<bool>& needed,
                                                       Graph& graph);

}  // namespace dovetail::hardware

#endif  // DOVETAIL_SERVICES_WORKER_HARDWARE_LAYER_LOWERING_H_
