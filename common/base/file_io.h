// Files read and written whole, and errno as a status. Called wherever a room touches the file
// system. Knows nothing of what is in the files.
#ifndef DOVETAIL_COMMON_BASE_FILE_IO_H_
#define DOVETAIL_COMMON_BASE_FILE_IO_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace dovetail {

// "context: cause" with the code that fits: no such file NotFound, disk or quota full
// ResourceExhausted, no permission or read-only PermissionDenied, not a directory and alike
// FailedPrecondition, everything else Unavailable.
absl::Status ErrnoStatus(int error_number, absl::string_view context);

// Errors: NotFound, PermissionDenied; FailedPrecondition: a directory; ResourceExhausted: larger
// than max_bytes (0: no limit).
absl::StatusOr<std::string> ReadFile(const std::string& file, int64_t max_bytes = 0);

enum class Durability {
  kSynced,    // survives a power cut
  kUnsynced,  // need not: spares several milliseconds
};

// Readers see the old content or the new, never a part: a temporary beside `file`, renamed.
absl::Status WriteFileAtomically(const std::string& file, absl::string_view bytes,
                                 Durability durability = Durability::kSynced);

// All of `bytes` to an open descriptor, however often the kernel stops short.
absl::Status WriteAll(int descriptor, absl::string_view bytes, absl::string_view context);

// A name no other process or thread has used: "<host>-<pid>-<start>-<count>".
std::string UniqueName();

}  // namespace dovetail

#endif  // DOVETAIL_COMMON_BASE_FILE_IO_H_
