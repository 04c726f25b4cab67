// The committed pages of docs/reference say what the code says.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "tests/golden/reference_pages.h"

namespace dovetail {
namespace {

TEST(ReferencePagesTest, CommittedPagesAreWhatTheCodeSays) {
  for (const auto& [name, text] : testing::ReferencePages()) {
    std::ifstream in(std::string(DOVETAIL_SOURCE_DIR) + "/docs/reference/" + name,
                     std::ios::binary);
    ASSERT_TRUE(in) << "docs/reference/" << name
                    << " is missing: run `cmake --build build/dev --target reference`";
    const std::string committed(std::istreambuf_iterator<char>(in), {});
    EXPECT_TRUE(committed == text)
        << "docs/reference/" << name
        << " is stale: run `cmake --build build/dev --target reference` and commit the page";
  }
}

TEST(ReferencePagesTest, TaskPageTellsParametersDefaultsUnitsAndNeeds) {
  TaskInfo info;
  info.name = "shrink";
  info.kind = TaskKind::kOptimize;
  info.version = 3;
  info.purpose = "Make it small.";
  info.inputs = {{"network", "network"}, {"hint", "summary", true}};
  info.parameters = {{"rate", "number|list", Value(), "fraction", "of it"},
                     {"mode", "string", "fast|slow", "", "how"},
                     {"note", "string", "", "", "anything"}};
  info.metrics = {"kept_fraction"};
  info.capabilities = {"train"};
  info.uses_seed = true;
  const std::string page = TaskReferenceMarkdown({info});
  const auto has = [&](const std::string& text) { return page.find(text) != std::string::npos; };
  EXPECT_TRUE(has("| `rate` | number or list | required | fraction | of it |")) << page;
  EXPECT_TRUE(has("| `mode` | string | `fast\\|slow` |  | how |")) << page;
  EXPECT_TRUE(has("| `note` | string | empty |")) << page;
  EXPECT_TRUE(has("- in: `network`, `hint` (summary) if there is one")) << page;
  EXPECT_TRUE(has("- needs a worker with: `train`")) << page;
  EXPECT_TRUE(has("- evaluation seed in the action key: yes")) << page;
  EXPECT_TRUE(has("- version: 3")) << page;
}

}  // namespace
}  // namespace dovetail
