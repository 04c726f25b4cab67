#include "services/worker/sandbox/work_area.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "common/base/file_io.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace dovetail::sandbox {
namespace {

using dovetail::testing::StatusIs;
using dovetail::testing::TempDir;
using ::testing::_;

TEST(WorkAreaTest, AnAreaGoesWithItsProcessAndOthersStay) {
  TempDir root;
  ASSERT_OK_AND_ASSIGN(auto first, WorkArea::Open(root.path()));
  ASSERT_OK_AND_ASSIGN(auto second, WorkArea::Open(root.path()));
  ASSERT_OK_AND_ASSIGN(const std::string made, first->MakeDirectory("attempt"));
  EXPECT_TRUE(std::filesystem::is_directory(made));
  const std::string gone = second->directory();
  second.reset();
  EXPECT_FALSE(std::filesystem::exists(gone));
  EXPECT_TRUE(std::filesystem::is_directory(made));
}

TEST(WorkAreaTest, TheNextProcessRemovesWhatAKilledOneLeft) {
  TempDir root;
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t victim = fork();
  if (victim == 0) {
    auto area = WorkArea::Open(root.path());
    auto made = (*area)->MakeDirectory("attempt");
    WriteFileAtomically(*made + "/junk", "x").IgnoreError();
    (void)!write(ready[1], "x", 1);
    pause();
  }
  char byte;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  kill(victim, SIGKILL);
  waitpid(victim, nullptr, 0);
  ASSERT_OK_AND_ASSIGN(auto area, WorkArea::Open(root.path()));
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(root.path())) {
    EXPECT_EQ(entry.path().string(), area->directory());
    ++count;
  }
  EXPECT_EQ(count, 1);
}

TEST(RemoveTreeTest, DirectoriesWithoutPermissionsGoToo) {
  TempDir root;
  std::filesystem::create_directories(root / "a/b/c");
  chmod((root / "a/b").c_str(), 0500);
  EXPECT_OK(RemoveTree(root / "a"));
  EXPECT_FALSE(std::filesystem::exists(root / "a"));
  EXPECT_OK(RemoveTree(root / "a"));
}

TEST(WorkAreaTest, AFileInTheWayIsAnError) {
  TempDir root;
  ASSERT_OK(WriteFileAtomically(root / "file", ""));
  EXPECT_THAT(WorkArea::Open(root / "file/area"),
              StatusIs(absl::StatusCode::kFailedPrecondition, _));
}

}  // namespace
}  // namespace dovetail::sandbox
