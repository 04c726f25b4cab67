// The network IR as an ONNX file: in float, or as QONNX with a Quant node per type. What is written
// reads back as a network of the same function.
#ifndef DOVETAIL_SERVICES_WORKER_NN_ONNX_WRITER_H_
#define DOVETAIL_SERVICES_WORKER_NN_ONNX_WRITER_H_

#include <string>

#include "absl/status/statusor.h"
#include "services/worker/nn/network.h"

namespace dovetail::nn {

enum class OnnxFlavor {
  kFloat,  // types are left out
  kQonnx,  // parameters and results pass Quant nodes; AP_RND is an added half step and FLOOR
};

// Opset 13. The batch is dynamic; convolutions and pools stand between transposes.
// Errors: Unimplemented naming the layer: LSTM, GRU, bipolar casts; in QONNX also results that wrap
// (Quant saturates) or round half down to minus infinity.
absl::StatusOr<std::string> WriteOnnx(const Network& network, OnnxFlavor flavor);

}  // namespace dovetail::nn

#endif  // DOVETAIL_SERVICES_WORKER_NN_ONNX_WRITER_H_
