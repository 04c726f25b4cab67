// A look at the wire format before protobuf builds objects: two bytes of file can become two
// hundred of memory, so the number of fields is bounded first.
#ifndef DOVETAIL_SERVICES_WORKER_NN_ONNX_WIRE_LIMITS_H_
#define DOVETAIL_SERVICES_WORKER_NN_ONNX_WIRE_LIMITS_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace dovetail::nn::onnx_file {

// Counts the fields of the model, its graphs, nodes, attributes and tensors; packed tensor data is
// one field. Errors: InvalidArgument: malformed, nested deeper than 20, more than `max_fields`.
absl::Status CheckWireLimits(absl::string_view bytes, int64_t max_fields);

}  // namespace dovetail::nn::onnx_file

#endif  // DOVETAIL_SERVICES_WORKER_NN_ONNX_WIRE_LIMITS_H_
