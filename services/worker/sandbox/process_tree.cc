#include "services/worker/sandbox/process_tree.h"

#include <dirent.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>

#include "absl/strings/str_cat.h"

namespace dovetail::sandbox {
namespace {

struct FileCloser {
  void operator()(FILE* file) const { fclose(file); }
};
using File = std::unique_ptr<FILE, FileCloser>;

pid_t ParentOf(pid_t pid) {
  const File file(fopen(absl::StrCat("/proc/", pid, "/stat").c_str(), "re"));
  char text[512];
  if (file == nullptr || fgets(text, sizeof(text), file.get()) == nullptr) return -1;
  const char* name_end = std::strrchr(text, ')');
  int parent = -1;
  char state;
  if (name_end == nullptr || sscanf(name_end + 1, " %c %d", &state, &parent) != 2) return -1;
  return parent;
}

}  // namespace

std::vector<pid_t> Descendants(pid_t root) {
  std::multimap<pid_t, pid_t> children;
  DIR* entries = opendir("/proc");
  if (entries == nullptr) return {};
  while (const dirent* entry = readdir(entries)) {
    const pid_t pid = std::atoi(entry->d_name);
    if (pid > 0) children.emplace(ParentOf(pid), pid);
  }
  closedir(entries);
  std::vector<pid_t> found;
  std::vector<pid_t> open = {root};
  while (!open.empty()) {
    const auto [first, last] = children.equal_range(open.back());
    open.pop_back();
    for (auto it = first; it != last; ++it) {
      found.push_back(it->second);
      open.push_back(it->second);
    }
  }
  return found;
}

int64_t AnonymousBytes(const std::vector<pid_t>& pids) {
  const int64_t page_bytes = sysconf(_SC_PAGESIZE);
  int64_t bytes = 0;
  for (const pid_t pid : pids) {
    const File file(fopen(absl::StrCat("/proc/", pid, "/statm").c_str(), "re"));
    long long size = 0, resident = 0, shared = 0;
    if (file != nullptr && fscanf(file.get(), "%lld %lld %lld", &size, &resident, &shared) == 3) {
      bytes += (resident - shared) * page_bytes;
    }
  }
  return bytes;
}

}  // namespace dovetail::sandbox
