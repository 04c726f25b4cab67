// libFuzzer on the .npz reader: any bytes give arrays or an error, within 64 MB.
#include <cstddef>
#include <cstdint>

#include "services/worker/nn/npz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto arrays = dovetail::nn::ParseNpz(bytes, int64_t{64} << 20);
  if (!arrays.ok()) return 0;
  for (const auto& [name, array] : *arrays) {
    (void)array.ToFloats();
    (void)array.ToIntegers();
    (void)array.ToStrings();
  }
  return 0;
}
