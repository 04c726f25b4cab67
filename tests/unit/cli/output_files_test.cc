#include "services/cli/output_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace dovetail::cli {
namespace {

namespace fs = std::filesystem;
using dovetail::testing::StatusIs;
using ::testing::HasSubstr;

class OutputFilesTest : public ::testing::Test {
 protected:
  OutputFilesTest() : directory_(::dovetail::testing::ScratchDirectory() + "output_files_test") {
    fs::remove_all(directory_);
  }
  std::string Read(const std::string& name) {
    std::ostringstream text;
    text << std::ifstream(directory_ + "/" + name).rdbuf();
    return text.str();
  }
  size_t FileCount() {
    return static_cast<size_t>(std::distance(fs::directory_iterator(directory_), {}));
  }
  std::string directory_;
};

TEST_F(OutputFilesTest, DirectoryIsMadeAndOldContentReplaced) {
  ASSERT_OK(WriteFileWhole(directory_ + "/a/b/x.csv", "old"));
  ASSERT_OK(WriteFileWhole(directory_ + "/a/b/x.csv", "new"));
  EXPECT_EQ(Read("a/b/x.csv"), "new");
  struct stat info {};
  ASSERT_EQ(stat((directory_ + "/a/b/x.csv").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0644u);
}

TEST_F(OutputFilesTest, FullDiskLeavesNothing) {
  // /dev/full takes no byte: what a full disk answers.
  EXPECT_FALSE(WriteFileWhole("/dev/full/x", "bytes").ok());
  fs::create_directories(directory_);
  fs::create_directories(directory_ + "/x.csv/in_the_way");
  EXPECT_THAT(WriteFileWhole(directory_ + "/x.csv", "bytes"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("x.csv")));
  EXPECT_EQ(FileCount(), 1u);  // no temporary is left
}

TEST_F(OutputFilesTest, ReportIsFiveFiles) {
  report::JobReport report;
  report.spec.name = "j";
  ASSERT_OK(WriteCsvs(report, directory_));
  ASSERT_OK(WriteHtml(report, directory_));
  EXPECT_EQ(FileCount(), 5u);
  EXPECT_THAT(Read("front.csv"), HasSubstr("trial,state,accuracy"));
  EXPECT_THAT(Read("summary.json"), HasSubstr("\"front_size\":0"));
}

}  // namespace
}  // namespace dovetail::cli
