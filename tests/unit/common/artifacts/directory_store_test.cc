#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "common/artifacts/artifact_store.h"
#include "common/base/digest.h"
#include "common/base/file_io.h"
#include "common/base/rng.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace dovetail {
namespace {

using ::testing::_;
using ::testing::HasSubstr;
using testing::StatusIs;
using testing::TempDir;

std::string RandomBytes(size_t size_bytes, uint64_t seed) {
  Rng rng(seed);
  std::string bytes(size_bytes, '\0');
  for (char& byte : bytes) byte = static_cast<char>(rng.Next());
  return bytes;
}

class DirectoryStoreTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_OK_AND_ASSIGN(store_, OpenDirectoryStore(directory_ / "store")); }
  std::string ObjectFile(const std::string& digest) const {
    return directory_ / "store/objects/" + digest.substr(0, 2) + "/" + digest;
  }
  int TemporaryCount() const {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory_ / "store/tmp")) {
      (void)entry;
      ++count;
    }
    return count;
  }

  TempDir directory_;
  std::unique_ptr<ArtifactStore> store_;
};

TEST_F(DirectoryStoreTest, GetReturnsWhatWasPut) {
  for (const std::string& bytes :
       {std::string(), std::string("a"), std::string(3'000'000, 'x'), RandomBytes(2'500'000, 1)}) {
    ASSERT_OK_AND_ASSIGN(const std::string digest, store_->Put(bytes));
    EXPECT_EQ(digest, Sha256Hex(bytes));
    ASSERT_OK_AND_ASSIGN(const std::string again, store_->Get(digest));
    EXPECT_EQ(again, bytes);
  }
  EXPECT_EQ(TemporaryCount(), 0);
}

TEST_F(DirectoryStoreTest, CompressesOnlyWhereItHelps) {
  ASSERT_OK_AND_ASSIGN(const std::string text, store_->Put(std::string(100'000, 'v')));
  ASSERT_OK_AND_ASSIGN(const std::string noise, store_->Put(RandomBytes(100'000, 2)));
  EXPECT_TRUE(std::filesystem::exists(ObjectFile(text) + ".zst"));
  EXPECT_LT(std::filesystem::file_size(ObjectFile(text) + ".zst"), 1000u);
  EXPECT_EQ(std::filesystem::file_size(ObjectFile(noise)), 100'000u);
}

TEST_F(DirectoryStoreTest, FilesGoInAndComeOut) {
  const std::string bytes = RandomBytes(3'333'333, 3) + std::string(5'000'000, 'z');
  ASSERT_OK(WriteFileAtomically(directory_ / "in", bytes));
  ASSERT_OK_AND_ASSIGN(const std::string digest, store_->PutFile(directory_ / "in"));
  EXPECT_EQ(digest, Sha256Hex(bytes));
  ASSERT_OK(store_->GetFile(digest, directory_ / "out"));
  ASSERT_OK_AND_ASSIGN(const std::string out, ReadFile(directory_ / "out"));
  EXPECT_EQ(out, bytes);
}

TEST_F(DirectoryStoreTest, SecondPutWritesNothing) {
  ASSERT_OK_AND_ASSIGN(const std::string digest, store_->Put("once"));
  const auto before = std::filesystem::last_write_time(ObjectFile(digest));
  ASSERT_OK_AND_ASSIGN(const std::string again, store_->Put("once"));
  EXPECT_EQ(again, digest);
  EXPECT_EQ(std::filesystem::last_write_time(ObjectFile(digest)), before);
}

TEST_F(DirectoryStoreTest, CorruptBytesAreDataLossAndTheNextPutHeals) {
  for (const std::string& bytes : {RandomBytes(5000, 4), std::string(5000, 'c')}) {
    ASSERT_OK_AND_ASSIGN(const std::string digest, store_->Put(bytes));
    std::string file = ObjectFile(digest);
    if (!std::filesystem::exists(file)) file += ".zst";
    std::fstream(file, std::ios::in | std::ios::out | std::ios::binary).seekp(12).put('!');
    EXPECT_THAT(store_->GetFile(digest, directory_ / "out"),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr(digest)));
    EXPECT_FALSE(std::filesystem::exists(directory_ / "out"));
    EXPECT_THAT(store_->Get(digest), StatusIs(absl::StatusCode::kNotFound, _));
    ASSERT_OK(store_->Put(bytes));
    ASSERT_OK_AND_ASSIGN(const std::string again, store_->Get(digest));
    EXPECT_EQ(again, bytes);
  }
}

TEST_F(DirectoryStoreTest, TruncatedFilesAreDataLoss) {
  ASSERT_OK_AND_ASSIGN(const std::string plain, store_->Put(RandomBytes(5000, 5)));
  std::filesystem::resize_file(ObjectFile(plain), 4000);
  EXPECT_THAT(store_->Get(plain), StatusIs(absl::StatusCode::kDataLoss, _));
  ASSERT_OK_AND_ASSIGN(const std::string packed, store_->Put(std::string(5000, 't')));
  std::filesystem::resize_file(ObjectFile(packed) + ".zst", 10);
  EXPECT_THAT(store_->Get(packed), StatusIs(absl::StatusCode::kDataLoss, _));
}

TEST_F(DirectoryStoreTest, WhatIsNotADigestIsRefused) {
  const std::string secret = directory_ / "secret";
  ASSERT_OK(WriteFileAtomically(secret, "s"));
  for (const std::string& name :
       {std::string("../../secret"), secret, std::string(), std::string(64, 'A'),
        std::string(63, 'a') + "/", std::string("..") + std::string(62, '/')}) {
    EXPECT_THAT(store_->Get(name), StatusIs(absl::StatusCode::kInvalidArgument, _)) << name;
    EXPECT_THAT(store_->GetFile(name, directory_ / "out"),
                StatusIs(absl::StatusCode::kInvalidArgument, _));
    EXPECT_THAT(store_->FindMissing({name}), StatusIs(absl::StatusCode::kInvalidArgument, _));
  }
}

TEST_F(DirectoryStoreTest, FindMissingKeepsTheOrder) {
  ASSERT_OK_AND_ASSIGN(const std::string here, store_->Put("here"));
  const std::string b = Sha256Hex("b"), a = Sha256Hex("a");
  ASSERT_OK_AND_ASSIGN(const auto missing, store_->FindMissing({b, here, a}));
  EXPECT_EQ(missing, (std::vector<std::string>{b, a}));
}

TEST_F(DirectoryStoreTest, ManyPutTheSameBytesAtOnce) {
  const std::string bytes = RandomBytes(300'000, 6);
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      ASSERT_OK_AND_ASSIGN(auto other, OpenDirectoryStore(directory_ / "store"));
      ASSERT_OK_AND_ASSIGN(const std::string digest, other->Put(bytes));
      ASSERT_OK_AND_ASSIGN(const std::string got, other->Get(digest));
      EXPECT_EQ(got, bytes);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(TemporaryCount(), 0);
}

TEST_F(DirectoryStoreTest, ADiskThatIsFullIsResourceExhaustedAndLeavesNothing) {
  // A limit on the size of files stands for the full disk, in a process of its own.
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit = {100'000, 100'000};
    setrlimit(RLIMIT_FSIZE, &limit);
    const auto digest = store_->Put(RandomBytes(1'000'000, 7));
    _exit(absl::IsResourceExhausted(digest.status()) ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(TemporaryCount(), 0);
}

TEST_F(DirectoryStoreTest, MissingSourceFileIsNotFound) {
  EXPECT_THAT(store_->PutFile(directory_ / "none"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("none")));
}

TEST(OpenDirectoryStoreTest, AFileInTheWayIsAClearError) {
  TempDir directory;
  ASSERT_OK(WriteFileAtomically(directory / "file", ""));
  EXPECT_THAT(OpenDirectoryStore(directory / "file/store"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("artifact directory")));
}

TEST(OpenDirectoryStoreTest, OldTemporariesAreRemovedAndFreshOnesKept) {
  TempDir directory;
  ASSERT_OK(OpenDirectoryStore(directory.path()));
  ASSERT_OK(WriteFileAtomically(directory / "tmp/old", "x"));
  ASSERT_OK(WriteFileAtomically(directory / "tmp/new", "x"));
  std::filesystem::last_write_time(
      directory / "tmp/old",
      std::filesystem::file_time_type::clock::now() - std::chrono::hours(48));
  ASSERT_OK(OpenDirectoryStore(directory.path()));
  EXPECT_FALSE(std::filesystem::exists(directory / "tmp/old"));
  EXPECT_TRUE(std::filesystem::exists(directory / "tmp/new"));
}

}  // namespace
}  // namespace dovetail
