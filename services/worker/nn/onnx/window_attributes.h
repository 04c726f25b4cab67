// Strides, padding and dilations of Conv and the pools, from ONNX's attributes to the IR's.
#ifndef DOVETAIL_SERVICES_WORKER_NN_ONNX_WINDOW_ATTRIBUTES_H_
#define DOVETAIL_SERVICES_WORKER_NN_ONNX_WINDOW_ATTRIBUTES_H_

#include <vector>

#include "absl/status/statusor.h"
#include "services/worker/nn/network.h"
#include "services/worker/nn/onnx/graph.h"

namespace dovetail::nn::onnx_file {

// `input` is channels last. auto_pad is resolved to numbers.
absl::StatusOr<Value> WindowAttributes(const Node& node, const std::vector<int64_t>& window,
                                       const Shape& input);

}  // namespace dovetail::nn::onnx_file

#endif  // DOVETAIL_SERVICES_WORKER_NN_ONNX_WINDOW_ATTRIBUTES_H_
