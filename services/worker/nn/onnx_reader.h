// ONNX and QONNX files into the network IR. Called by the describe task; hostile files give an
// error. Knows the format only through services/worker/nn/onnx.
#ifndef DOVETAIL_SERVICES_WORKER_NN_ONNX_READER_H_
#define DOVETAIL_SERVICES_WORKER_NN_ONNX_READER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/worker/nn/network.h"

namespace dovetail::nn {

// Errors: InvalidArgument naming the node and the reason: an unsupported operator or attribute, a
// dynamic dimension beside the batch, a cyclic or dangling graph, weights that are not finite, data
// in external files, a file that is no ONNX or too large.
absl::StatusOr<Network> ReadOnnx(absl::string_view bytes);
absl::StatusOr<Network> ReadOnnxFile(const std::string& file);

// Operators the reader knows, sorted.
std::vector<std::string> SupportedOnnxOperators();

}  // namespace dovetail::nn

#endif  // DOVETAIL_SERVICES_WORKER_NN_ONNX_READER_H_
