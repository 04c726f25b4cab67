// Streams through zstd in bounded memory. Called by the directory store only. Knows no files.
#ifndef DOVETAIL_COMMON_ARTIFACTS_ZSTD_STREAM_H_
#define DOVETAIL_COMMON_ARTIFACTS_ZSTD_STREAM_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace dovetail {

// Takes a piece of a stream; an error ends the stream.
using ByteSink = std::function<absl::Status(absl::string_view bytes)>;

// Not thread-safe. What it produces goes to `sink` as it comes.
class ZstdCompressor {
 public:
  explicit ZstdCompressor(ByteSink sink);
  ~ZstdCompressor();
  absl::Status Write(absl::string_view bytes);
  absl::Status Finish();

 private:
  absl::Status Push(absl::string_view bytes, bool end);

  struct State;
  std::unique_ptr<State> state_;
};

// Not thread-safe.
class ZstdDecompressor {
 public:
  explicit ZstdDecompressor(ByteSink sink);
  ~ZstdDecompressor();
  // Errors: DataLoss: not a zstd stream.
  absl::Status Write(absl::string_view bytes);
  // Errors: DataLoss: the stream stops short.
  absl::Status Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace dovetail

#endif  // DOVETAIL_COMMON_ARTIFACTS_ZSTD_STREAM_H_
