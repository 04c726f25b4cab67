// Constants that a QONNX Quant node quantised, on their way to parameters with types.
#ifndef DOVETAIL_SERVICES_WORKER_NN_ONNX_QUANTIZED_CONSTANT_H_
#define DOVETAIL_SERVICES_WORKER_NN_ONNX_QUANTIZED_CONSTANT_H_

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "services/worker/nn/network.h"
#include "services/worker/nn/onnx/graph.h"

namespace dovetail::nn::onnx_file {

// Dimension d of the result is dimension order[d] of the constant.
// Precondition: a permutation of its dimensions.
Constant PermuteConstant(const Constant& constant, const std::vector<int>& order);

struct QuantizedParameter {
  Tensor tensor;
  std::optional<TensorType> type;
  // Not empty: the tensor holds integers, to be multiplied by this after the layer; [1] or
  // [channels] (the constant's last dimension).
  Tensor scale;
};

// Errors: InvalidArgument: scales that are no powers of two and differ within an output channel.
absl::StatusOr<QuantizedParameter> ToQuantizedParameter(const Node& node, const Constant& constant);

// The ap_fixed type of a Quant node with a power-of-two scale.
// Errors: InvalidArgument: bits, mode or scale that no such type has.
absl::StatusOr<FixedType> QuantType(const Node& node, double scale, double bits, bool is_signed,
                                    bool is_narrow, const std::string& rounding);

bool IsPowerOfTwo(double scale);

// x rounded as the QONNX mode says.
double RoundAs(const std::string& rounding, double x);

}  // namespace dovetail::nn::onnx_file

#endif  // DOVETAIL_SERVICES_WORKER_NN_ONNX_QUANTIZED_CONSTANT_H_
