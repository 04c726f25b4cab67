// libFuzzer on the ONNX reader: any bytes give a network that passes nn::Check, or an error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "services/worker/nn/network.h"
#include "services/worker/nn/onnx_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<dovetail::nn::Network> network = dovetail::nn::ReadOnnx(bytes);
  if (network.ok()) {
    const std::string written = dovetail::nn::SerializeNetwork(*network);
    if (!dovetail::nn::ParseNetwork(written).ok()) std::abort();
  }
  return 0;
}
