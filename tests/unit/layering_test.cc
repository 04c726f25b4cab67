// The arrows between rooms (docs/architecture.md), read off the #include lines: a room includes
// only rooms below it, and each third-party library stays in the room that fences it.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace dovetail {
namespace {

namespace fs = std::filesystem;

struct Include {
  std::string file;  // relative to the source tree
  int line = 0;
  std::string target;
};

std::vector<Include> ReadIncludes() {
  const fs::path root = DOVETAIL_SOURCE_DIR;
  std::vector<Include> includes;
  for (const char* top : {"common", "services"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / top)) {
      const std::string extension = entry.path().extension();
      if (extension != ".h" && extension != ".cc") continue;
      std::ifstream in(entry.path());
      std::string text;
      for (int line = 1; std::getline(in, text); ++line) {
        if (!text.starts_with("#include ")) continue;
        const size_t begin = text.find_first_of("\"<") + 1;
        const size_t end = text.find_first_of("\">", begin);
        includes.push_back(
            {fs::relative(entry.path(), root), line, text.substr(begin, end - begin)});
      }
    }
  }
  return includes;
}

// The room of a path: its folder, shortened to the depth at which rooms live.
std::string RoomOf(const std::string& path) {
  std::vector<std::string> parts;
  for (const auto& part : fs::path(path).parent_path()) parts.push_back(part);
  const size_t depth = !parts.empty() && parts[0] == "common" ? 2 : 3;
  std::string room;
  for (size_t i = 0; i < parts.size() && i < depth; ++i) room += (i ? "/" : "") + parts[i];
  return room;
}

std::string Where(const Include& include) {
  return include.file + ":" + std::to_string(include.line) + " includes " + include.target;
}

TEST(LayeringTest, CommonNeverIncludesServicesAndServicesNeverIncludeEachOther) {
  for (const Include& include : ReadIncludes()) {
    const std::string& file = include.file;
    const std::string& target = include.target;
    if (file.starts_with("common/")) {
      EXPECT_FALSE(target.starts_with("services/")) << Where(include);
    }
    for (const std::string service : {"coordinator", "worker", "cli"}) {
      if (file.starts_with("services/" + service + "/") && target.starts_with("services/")) {
        EXPECT_TRUE(target.starts_with("services/" + service + "/") ||
                    // The report is a pure library that the command line writes as well.
                    (service == "cli" && target.starts_with("services/coordinator/web/")))
            << Where(include);
      }
    }
  }
}

TEST(LayeringTest, RoomsIncludeOnlyWhatIsBelowThem) {
  // Room -> rooms it may include, beside itself and common/base, common/domain.
  const std::map<std::string, std::set<std::string>> allowed = {
      {"common/base", {}},
      {"common/domain", {}},
      {"common/hardware", {}},
      {"common/artifacts", {}},
      {"common/telemetry", {}},
      {"common/rpc", {}},
      {"common/convert", {"common/hardware"}},
      {"services/coordinator/search", {}},
      {"services/coordinator/flow", {}},
      {"services/coordinator/store", {}},
      {"services/coordinator/dispatch", {"services/coordinator/store"}},
      {"services/worker/sandbox", {"common/telemetry"}},
      {"services/worker/nn", {}},
      {"services/worker/reports", {}},
      {"services/worker/fixedpoint", {"services/worker/nn"}},
      {"services/worker/hardware",
       {"services/worker/nn", "services/worker/fixedpoint", "common/hardware"}},
  };
  for (const Include& include : ReadIncludes()) {
    const auto rule = allowed.find(RoomOf(include.file));
    if (rule == allowed.end()) continue;
    if (!include.target.starts_with("common/") && !include.target.starts_with("services/"))
      continue;
    const std::string target = RoomOf(include.target);
    if (target == rule->first || target == "common/base") continue;
    if (target == "common/domain" && rule->first != "common/base") continue;
    EXPECT_TRUE(rule->second.contains(target)) << Where(include);
  }
}

TEST(LayeringTest, ThirdPartiesStayInTheirRooms) {
  // Prefix of an include -> prefixes of files that may have it.
  const std::map<std::string, std::vector<std::string>> fences = {
      {"pqxx", {"services/coordinator/store/postgres/"}},
      {"torch/", {"services/worker/train/"}},
      {"nlopt", {"services/coordinator/search/"}},
      {"spdlog", {"common/telemetry/"}},
      {"prometheus", {"common/telemetry/"}},
      {"grpcpp/",
       {"common/rpc/", "common/artifacts/remote_store", "services/coordinator/api/",
        "services/worker/link/", "services/cli/"}},
      {"onnx", {"services/worker/nn/"}},
      {"yaml-cpp", {"services/cli/"}},
  };
  for (const Include& include : ReadIncludes()) {
    for (const auto& [prefix, files] : fences) {
      if (!include.target.starts_with(prefix)) continue;
      bool inside = false;
      for (const std::string& file : files) inside = inside || include.file.starts_with(file);
      EXPECT_TRUE(inside) << Where(include);
    }
  }
}

}  // namespace
}  // namespace dovetail
