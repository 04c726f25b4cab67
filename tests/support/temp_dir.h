// A directory for one test, removed afterwards.
#ifndef DOVETAIL_TESTS_SUPPORT_TEMP_DIR_H_
#define DOVETAIL_TESTS_SUPPORT_TEMP_DIR_H_

#include <stdlib.h>

#include <filesystem>
#include <string>
#include <system_error>

namespace dovetail::testing {

class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "dovetail-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// A directory of this process's own, with a slash at its end; removed when the process ends. Tests
// run side by side in processes of their own, so fixed names under /tmp would collide.
inline std::string ScratchDirectory() {
  static const TempDir directory;
  return directory.path() + "/";
}

}  // namespace dovetail::testing

#endif  // DOVETAIL_TESTS_SUPPORT_TEMP_DIR_H_
