// Keeps the first and the last bytes of a stream of any length: tools say what they are at the
// start and what went wrong at the end. Called for captured output; pure.
#ifndef DOVETAIL_SERVICES_WORKER_SANDBOX_CLIPPED_TEXT_H_
#define DOVETAIL_SERVICES_WORKER_SANDBOX_CLIPPED_TEXT_H_

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace dovetail::sandbox {

// Not thread-safe. Holds at most 3 * keep_bytes.
class ClippedText {
 public:
  explicit ClippedText(size_t keep_bytes) : keep_bytes_(keep_bytes) {}

  void Append(absl::string_view bytes) {
    total_bytes_ += bytes.size();
    const absl::string_view first = bytes.substr(0, keep_bytes_ - first_.size());
    first_.append(first.data(), first.size());
    bytes.remove_prefix(first.size());
    if (bytes.size() > keep_bytes_) bytes.remove_prefix(bytes.size() - keep_bytes_);
    last_.append(bytes.data(), bytes.size());
    if (last_.size() > 2 * keep_bytes_) last_.erase(0, last_.size() - keep_bytes_);
  }

  std::string Text() const {
    const size_t kept_last = last_.size() < keep_bytes_ ? last_.size() : keep_bytes_;
    const size_t left_out = total_bytes_ - first_.size() - kept_last;
    if (left_out == 0) return first_ + last_;
    return absl::StrCat(first_, "\n[... ", left_out, " bytes left out ...]\n",
                        last_.substr(last_.size() - kept_last));
  }

 private:
  size_t keep_bytes_;
  size_t total_bytes_ = 0;
  std::string first_;
  std::string last_;
};

}  // namespace dovetail::sandbox

#endif  // DOVETAIL_SERVICES_WORKER_SANDBOX_CLIPPED_TEXT_H_
