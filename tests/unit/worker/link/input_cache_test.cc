#include "services/worker/link/input_cache.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "common/base/digest.h"
#include "common/base/file_io.h"
#include "gtest/gtest.h"
#include "services/worker/link/attempt_files.h"
#include "services/worker/link/capabilities.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace dovetail::link {
namespace {

using dovetail::testing::StatusIs;
using dovetail::testing::TempDir;
using ::testing::_;

class InputCacheTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(remote_, OpenDirectoryStore(directory_ / "remote"));
  }
  TempDir directory_;
  std::unique_ptr<ArtifactStore> remote_;
  MetricsRegistry registry_;
  WorkerMetrics metrics_{registry_};
};

TEST_F(InputCacheTest, TheLeastRecentlyUsedGoesFirstAndLinksStay) {
  InputCache cache(directory_ / "cache", 25'000, remote_.get(), &metrics_);
  std::string digests[3];
  for (int i = 0; i < 3; ++i) {
    ASSERT_OK_AND_ASSIGN(digests[i], remote_->Put(std::string(10'000, static_cast<char>('a' + i))));
  }
  const auto cached = [&](int i) {
    return directory_ / ("cache/" + digests[i].substr(0, 2) + "/" + digests[i]);
  };
  ASSERT_OK(cache.LinkTo(digests[0], directory_ / "l0"));
  ASSERT_OK(cache.LinkTo(digests[1], directory_ / "l1"));
  ASSERT_OK(cache.LinkTo(digests[0], directory_ / "again"));  // 1 is now the oldest
  ASSERT_OK(cache.LinkTo(digests[2], directory_ / "l2"));
  EXPECT_TRUE(std::filesystem::exists(cached(0)));
  EXPECT_FALSE(std::filesystem::exists(cached(1)));
  EXPECT_TRUE(std::filesystem::exists(cached(2)));
  EXPECT_EQ(*ReadFile(directory_ / "l1"), std::string(10'000, 'b'));
}

TEST_F(InputCacheTest, CorruptFilesAreFetchedAgain) {
  InputCache cache(directory_ / "cache", 1 << 20, remote_.get(), &metrics_);
  ASSERT_OK_AND_ASSIGN(const std::string digest, remote_->Put("the right bytes"));
  ASSERT_OK(cache.LinkTo(digest, directory_ / "first"));
  ASSERT_OK(WriteFileAtomically(directory_ / ("cache/" + digest.substr(0, 2) + "/" + digest),
                                "the wrong bytes"));
  ASSERT_OK(cache.LinkTo(digest, directory_ / "second"));
  EXPECT_EQ(*ReadFile(directory_ / "second"), "the right bytes");
}

TEST_F(InputCacheTest, UnknownDigestsAreNotFoundAndLeaveNothing) {
  InputCache cache(directory_ / "cache", 1 << 20, remote_.get(), &metrics_);
  EXPECT_THAT(cache.LinkTo(Sha256Hex("no"), directory_ / "x"),
              StatusIs(absl::StatusCode::kNotFound, _));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "x"));
}

TEST(TaskFileTest, LinksAndOddFilesAreRefused) {
  TempDir directory;
  std::filesystem::create_directories(directory / "out");
  ASSERT_OK(WriteFileAtomically(directory / "secret", "s"));
  std::filesystem::create_symlink(directory / "secret", directory / "out/linked");
  std::filesystem::create_directory_symlink(directory / "out", directory / "out2");
  std::filesystem::create_directories(directory / "out/dir");
  ASSERT_OK(WriteFileAtomically(directory / "out/good", "bytes"));
  EXPECT_FALSE(TaskFile::Open(directory.path(), "out", "linked").ok());
  EXPECT_FALSE(TaskFile::Open(directory.path(), "out2", "good").ok());
  EXPECT_FALSE(TaskFile::Open(directory.path(), "out", "dir").ok());
  EXPECT_THAT(TaskFile::Open(directory.path(), "out", "none").status(),
              StatusIs(absl::StatusCode::kNotFound, _));
  ASSERT_OK_AND_ASSIGN(const TaskFile good, TaskFile::Open(directory.path(), "out", "good"));
  EXPECT_EQ(*good.Read(100), "bytes");
  EXPECT_THAT(good.Read(3), StatusIs(absl::StatusCode::kResourceExhausted, _));
}

TEST(TaskFileTest, TheLastCompleteLineIsRead) {
  TempDir directory;
  const auto last_of = [&](const std::string& text) {
    EXPECT_OK(WriteFileAtomically(directory / "f", text));
    return TaskFile::Open(directory.path(), "", "f")->LastLine();
  };
  EXPECT_EQ(last_of(""), "");
  EXPECT_EQ(last_of("half"), "");
  EXPECT_EQ(last_of("one\n"), "one");
  EXPECT_EQ(last_of("one\ntwo\nhalf"), "two");
  EXPECT_EQ(last_of(std::string(10'000, 'x') + "\nend\n"), "end");
  EXPECT_EQ(last_of(std::string(10'000, 'x') + "\n"), "");
}

TEST(VersionInTest, FindsTheNumber) {
  EXPECT_EQ(VersionIn("Yosys 0.23 (git sha1 7ce5011c24b)\n"), "0.23");
  EXPECT_EQ(VersionIn("Verilator 5.006 2023-01-22 rev (Debian 5.006-3)\n"), "5.006");
  EXPECT_EQ(VersionIn("no version"), "");
}

TEST(ProbeCapabilitiesTest, TrainingIsOfferedWhereATaskThatTrainsIsCarried) {
  const auto offers_training = [](const std::vector<std::string>& carried) {
    const Capabilities found = ProbeCapabilities(carried);
    return std::count(found.names.begin(), found.names.end(), "train") == 1;
  };
  EXPECT_TRUE(offers_training({"describe", "prune"}));
  EXPECT_FALSE(offers_training({"describe"}));
  EXPECT_EQ(TaskVersions({"describe"}).count("describe"), 1u);
}

}  // namespace
}  // namespace dovetail::link
