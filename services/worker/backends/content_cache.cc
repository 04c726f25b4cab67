#include "services/worker/backends/content_cache.h"

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/base/digest.h"

namespace dovetail::backends {

std::string ContentCache::FileOf(const std::string& key) const {
  return absl::StrCat(directory_, "/", key.substr(0, 2), "/", key);
}

std::optional<std::string> ContentCache::Get(const std::string& key) const {
  if (directory_.empty()) return std::nullopt;
  std::ifstream file(FileOf(key), std::ios::binary);
  std::string digest;
  if (!file || !std::getline(file, digest)) return std::nullopt;
  std::ostringstream text;
  text << file.rdbuf();
  if (Sha256Hex(text.str()) != digest) return std::nullopt;
  return text.str();
}

void ContentCache::Put(const std::string& key, const std::string& text) const {
  if (directory_.empty()) return;
  static std::atomic<int> counter = 0;
  const std::string file = FileOf(key);
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(file).parent_path(), error);
  const std::string temporary = absl::StrCat(file, ".", getpid(), ".", counter.fetch_add(1));
  {
    std::ofstream out(temporary, std::ios::binary);
    out << Sha256Hex(text) << "\n" << text;
    out.flush();
    if (!out) {
      std::filesystem::remove(temporary, error);
      return;
    }
  }
  std::filesystem::rename(temporary, file, error);
  if (error) std::filesystem::remove(temporary, error);
}

}  // namespace dovetail::backends
