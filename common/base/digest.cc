#include "common/base/digest.h"

#include <openssl/evp.h>

#include "absl/strings/escaping.h"

namespace dovetail {
namespace {

std::string Sha256Bytes(absl::string_view bytes) {
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  EVP_Digest(bytes.data(), bytes.size(), hash, &length, EVP_sha256(), nullptr);
  return std::string(reinterpret_cast<char*>(hash), length);
}

}  // namespace

std::string Sha256Hex(absl::string_view bytes) {
  return absl::BytesToHexString(Sha256Bytes(bytes));
}

bool IsSha256Hex(absl::string_view text) {
  if (text.size() != 64) return false;
  for (char c : text) {
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
  }
  return true;
}

uint64_t Sha256Seed(absl::string_view bytes) {
  const std::string hash = Sha256Bytes(bytes);
  uint64_t seed = 0;
  for (int i = 0; i < 8; ++i) seed = (seed << 8) | static_cast<unsigned char>(hash[i]);
  return seed;
}

struct Sha256Hasher::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256Hasher::Sha256Hasher() : state_(std::make_unique<State>()) {
  EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr);
}

Sha256Hasher::~Sha256Hasher() = default;

void Sha256Hasher::Update(const void* data, size_t size_bytes) {
  EVP_DigestUpdate(state_->context, data, size_bytes);
}

std::string Sha256Hasher::FinishHex() {
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  EVP_DigestFinal_ex(state_->context, hash, &length);
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<char*>(hash), length));
}

}  // namespace dovetail
