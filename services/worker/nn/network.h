// The network IR: what every transform, the fixed-point engine and the hardware lowering work on.
// Called from all worker rooms. Knows nothing of ONNX or protobuf (readers and writers beside it).
//
// Tensors have no batch dimension in their shapes and are channels-last: a dense layer's input is
// [n], a 1-D sequence [steps, channels], an image [rows, columns, channels].
#ifndef DOVETAIL_SERVICES_WORKER_NN_NETWORK_H_
#define DOVETAIL_SERVICES_WORKER_NN_NETWORK_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/domain/fixed_type.h"
#include "common/domain/network_summary.h"
#include "common/domain/value.h"

namespace dovetail::nn {

using Shape = std::vector<int64_t>;

int64_t ElementCount(const Shape& shape);

// Row-major.
struct Tensor {
  Shape shape;
  std::vector<float> values;
};

enum class Op {
  kInput,
  kDense,               // kernel [n_in, n_out], bias [n_out]; acts on the last dimension
  kConv1D,              // kernel [width, channels_in / groups, channels_out], bias
  kConv2D,              // kernel [height, width, channels_in / groups, channels_out], bias
  kBatchNormalization,  // scale, offset per channel (statistics folded in at import)
  kMaxPool,
  kAveragePool,
  kGlobalMaxPool,
  kGlobalAveragePool,
  kAdd,
  kConcat,
  kFlatten,
  kReshape,
  kTranspose,
  kZeroPad,
  kUpSample,
  kMultiply,  // by a constant "scale": a quantiser's scale that is no power of two
  kQuantize,  // a cast to types["result"]
  kRelu,
  kLeakyRelu,
  kPRelu,
  kElu,
  kSigmoid,
  kTanh,
  kHardSigmoid,
  kHardTanh,
  kSoftmax,
  kLstm,
  kGru,
};
absl::string_view OpName(Op op);  // "dense", "conv2d", "relu"
absl::StatusOr<Op> ParseOp(absl::string_view name);

// The ap_fixed type of a tensor; `elements` is empty, or one type per channel (last dimension), or
// one per element in row-major order.
struct TensorType {
  FixedType type;
  std::vector<FixedType> elements;
  friend bool operator==(const TensorType&, const TensorType&) = default;
};

struct Layer {
  std::string name;  // unique; also the name of its one output tensor
  Op op = Op::kInput;
  std::vector<std::string> inputs;  // names of earlier layers
  Shape output_shape;
  Value attributes;                          // strides, padding, groups, alpha, axis, ...
  std::map<std::string, Tensor> parameters;  // "kernel", "bias", "scale", "offset", ...
  std::map<std::string, Tensor> masks;       // 0 or 1 per element of the parameter; pruned is 0
  // "kernel", "bias", "result", "accumulator" (absent: exact). Empty: a float layer. Where a
  // parameter has a type, its values already lie on that type's grid.
  std::map<std::string, TensorType> types;

  bool HasWeights() const { return parameters.contains("kernel"); }
};

struct Network {
  std::string name;
  std::vector<Layer> layers;         // topological order; inputs first
  std::vector<std::string> outputs;  // layer names
  Value provenance;                  // how it came to be: task, parameters, parent digest, seed

  const Layer* Find(absl::string_view layer_name) const;
  Layer* Find(absl::string_view layer_name);
  // Index into layers, -1 where unknown.
  int IndexOf(absl::string_view layer_name) const;
  std::vector<int> InputIndices() const;
  // The layer whose result is argmaxed: the (first) output, or its input where that is a softmax or
  // a sigmoid, which change no order. One logit alone means class 1 where it is positive.
  int LogitsIndex() const;
  // True when every layer from the inputs to the logits has a "result" type.
  bool IsQuantized() const;
};

// Names unique, inputs known and earlier, shapes consistent with the ops, parameters and masks of
// the right shape and finite. Errors: InvalidArgument naming the layer.
absl::Status Check(const Network& network);

NetworkSummary Summarize(const Network& network);

// The artifact form: deterministic bytes, equal for equal networks (so digests name networks).
std::string SerializeNetwork(const Network& network);
// Errors: InvalidArgument: not a network, or Check fails.
absl::StatusOr<Network> ParseNetwork(absl::string_view bytes);

absl::StatusOr<Network> ReadNetworkFile(const std::string& file);
absl::Status WriteNetworkFile(const Network& network, const std::string& file);

}  // namespace dovetail::nn

#endif  // DOVETAIL_SERVICES_WORKER_NN_NETWORK_H_
