// SHA-256 digests: names of artifacts, actions and configurations, and seeds derived from names.
// Called from every room. The hash itself is OpenSSL's.
#ifndef DOVETAIL_COMMON_BASE_DIGEST_H_
#define DOVETAIL_COMMON_BASE_DIGEST_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace dovetail {

// 64 lower-case hexadecimal characters.
std::string Sha256Hex(absl::string_view bytes);

// True for exactly 64 characters of [0-9a-f].
bool IsSha256Hex(absl::string_view text);

// The first eight bytes of SHA-256(bytes), big-endian: a seed that depends on nothing but its text.
uint64_t Sha256Seed(absl::string_view bytes);

// SHA-256 of a stream. Not thread-safe.
class Sha256Hasher {
 public:
  Sha256Hasher();
  ~Sha256Hasher();
  Sha256Hasher(const Sha256Hasher&) = delete;
  Sha256Hasher& operator=(const Sha256Hasher&) = delete;

  void Update(const void* data, size_t size_bytes);
  void Update(absl::string_view bytes) { Update(bytes.data(), bytes.size()); }
  // Ends the stream; call once.
  std::string FinishHex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace dovetail

#endif  // DOVETAIL_COMMON_BASE_DIGEST_H_
