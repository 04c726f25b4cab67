// Links between the pages of this tree lead somewhere.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>
#include <vector>

namespace dovetail {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> Pages() {
  const fs::path root = DOVETAIL_SOURCE_DIR;
  std::vector<fs::path> pages = {root / "README.md"};
  for (const char* folder : {"docs", "deploy"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      if (entry.path().extension() == ".md") pages.push_back(entry.path());
    }
  }
  return pages;
}

TEST(LinksTest, RelativeLinksOfPagesLeadToFiles) {
  const std::regex comment("<!--[^]*?-->");
  const std::regex link("\\]\\(([^)#\\s]+)(#[^)]*)?\\)");
  for (const fs::path& page : Pages()) {
    std::ifstream in(page, std::ios::binary);
    std::string text(std::istreambuf_iterator<char>(in), {});
    text = std::regex_replace(text, comment, "");
    for (auto it = std::sregex_iterator(text.begin(), text.end(), link);
         it != std::sregex_iterator(); ++it) {
      const std::string target = (*it)[1];
      if (target.find("://") != std::string::npos) continue;
      EXPECT_TRUE(fs::exists(page.parent_path() / target))
          << fs::relative(page, DOVETAIL_SOURCE_DIR).string() << " links to " << target;
    }
  }
}

}  // namespace
}  // namespace dovetail
