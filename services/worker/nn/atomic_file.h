// Whole files in and out: a file appears complete or not at all.
// Called by the readers and writers of this room.
#ifndef DOVETAIL_SERVICES_WORKER_NN_ATOMIC_FILE_H_
#define DOVETAIL_SERVICES_WORKER_NN_ATOMIC_FILE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace dovetail::nn {

// Errors: NotFound, InvalidArgument (a directory, or above `max_bytes`).
absl::StatusOr<std::string> ReadWholeFile(const std::string& file,
                                          size_t max_bytes = size_t{2} << 30);

// The pieces one after the other, under a temporary name, then renamed.
// Errors: ResourceExhausted (disk full), NotFound (no such directory), Internal.
absl::Status WriteFileAtomically(const std::string& file,
                                 const std::vector<absl::string_view>& pieces);

}  // namespace dovetail::nn

#endif  // DOVETAIL_SERVICES_WORKER_NN_ATOMIC_FILE_H_
