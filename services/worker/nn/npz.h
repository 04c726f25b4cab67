// NumPy's .npz archives: arrays by name, stored or deflated. Called by the check_dataset task.
// Knows nothing of networks. A hostile file gives an error.
// Source: numpy.lib.format (versions 1.0 to 3.0); PKWARE APPNOTE.TXT, with ZIP64.
#ifndef DOVETAIL_SERVICES_WORKER_NN_NPZ_H_
#define DOVETAIL_SERVICES_WORKER_NN_NPZ_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace dovetail::nn {

// One array, its bytes as stored (C order).
struct NpyArray {
  std::vector<int64_t> shape;
  std::string type;  // "<f2", "<f4", "<f8", "|u1", "|i1", "<i2", "<u2", "<i4", "<i8", "|b1", "|S13"
  std::string bytes;

  int64_t ElementCount() const;
  // Errors: InvalidArgument: not a number type.
  absl::StatusOr<std::vector<float>> ToFloats() const;
  absl::StatusOr<std::vector<int64_t>> ToIntegers() const;  // refuses fractions
  absl::StatusOr<std::vector<std::string>> ToStrings() const;
};

// Errors: InvalidArgument, DataLoss (a checksum fails or the data is cut short).
absl::StatusOr<NpyArray> ParseNpy(absl::string_view bytes);

// Array name (without ".npy") -> array. `max_bytes` bounds the sum of the decompressed sizes.
absl::StatusOr<std::map<std::string, NpyArray>> ParseNpz(absl::string_view bytes,
                                                         int64_t max_bytes = int64_t{4} << 30);

// An .npz with the arrays stored, not deflated; for tests and exports.
std::string WriteNpz(const std::map<std::string, NpyArray>& arrays);

}  // namespace dovetail::nn

#endif  // DOVETAIL_SERVICES_WORKER_NN_NPZ_H_
