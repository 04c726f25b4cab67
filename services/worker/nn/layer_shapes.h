// What each kind of layer expects and yields: the number of inputs, the attributes, the parameters
// and the shape of the result. The ONNX reader and nn::Check use the same rules, so a network that
// was read can be written and read again.
//
// Attributes (Layer::attributes), all shapes without the batch dimension and channels last:
//   conv1d, conv2d, max_pool, average_pool
//     strides    list, one number per spatial dimension
//     padding    list [begin of each spatial dimension..., end of each...]
//     dilations  list, conv only; absent: 1
//     groups     number, conv only; absent: 1
//     pool       list, pools only: the window
//     count_padding  boolean, average_pool: the divisor is always the window's size
//   global_max_pool, global_average_pool
//     keep_dimensions  boolean: [1, ..., channels] instead of [channels]
//   concat       axis: index into the shape
//   transpose    permutation: list
//   zero_pad     padding as above, one pair per dimension but the last
//   up_sample    factors: list, one per spatial dimension (nearest neighbour)
//   softmax      axis is always the last dimension
//   leaky_relu, elu   alpha
//   hard_sigmoid      alpha, beta: max(0, min(1, alpha x + beta))
//   hard_tanh         minimum, maximum: a clip
//   lstm, gru    units, return_sequences (boolean)
//
// Parameters (Layer::parameters):
//   dense        kernel [n_in, n_out], bias [n_out] (may be absent)
//   conv1d       kernel [width, channels_in / groups, channels_out], bias (may be absent)
//   conv2d       kernel [height, width, channels_in / groups, channels_out], bias
//   batch_normalization   scale, offset: [channels]
//   multiply     scale: [1] or [channels]
//   prelu        alpha: [1], [channels] or the input's shape
//   add          with one input: offset, [1], [channels] or the input's shape
//   lstm         kernel [channels, 4 units], recurrent_kernel [units, 4 units], bias [4 units];
//                gates in Keras's order: input, forget, cell, output
//   gru          kernel [channels, 3 units], recurrent_kernel [units, 3 units], bias [3 units],
//                recurrent_bias [3 units]; gates in Keras's order: update, reset, candidate; the
//                reset gate acts after the recurrent product (attribute reset_after, default true)
#ifndef DOVETAIL_SERVICES_WORKER_NN_LAYER_SHAPES_H_
#define DOVETAIL_SERVICES_WORKER_NN_LAYER_SHAPES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/worker/nn/network.h"

namespace dovetail::nn {

// Geometry of a convolution or pooling layer, one entry per spatial dimension.
struct Window {
  std::vector<int64_t> size, stride, pad_begin, pad_end, dilation;
  int64_t groups = 1;
};

// Of conv1d, conv2d, max_pool and average_pool.
// Errors: InvalidArgument: missing, too short or not positive.
absl::StatusOr<Window> WindowOf(const Layer& layer);

// The shape of the layer's result for inputs of these shapes; for kInput its own output_shape, for
// kReshape its output_shape where the element count agrees. Checks attributes and parameter shapes.
// Errors: InvalidArgument, without the layer's name.
absl::StatusOr<Shape> InferShape(const Layer& layer, const std::vector<Shape>& inputs);

std::string ShapeText(const Shape& shape);  // "[16, 64]"

// Numbers of a list attribute; empty where absent.
std::vector<int64_t> IntegerList(const Value& value);
Value IntegerListValue(const std::vector<int64_t>& numbers);

}  // namespace dovetail::nn

#endif  // DOVETAIL_SERVICES_WORKER_NN_LAYER_SHAPES_H_
