#include "common/artifacts/remote_store.h"

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "common/base/digest.h"
#include "common/base/file_io.h"
#include "dovetail/v1/artifact_service.grpc.pb.h"
#include "gtest/gtest.h"
#include "tests/support/fake_artifact_service.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace dovetail {
namespace {

using ::testing::_;
using testing::FakeArtifactService;
using testing::StatusIs;
using testing::TempDir;

class RemoteStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    grpc::ServerBuilder builder;
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    store_ = MakeRemoteStore(server_->InProcessChannel({}));
  }

  TempDir directory_;
  FakeArtifactService service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<ArtifactStore> store_;
};

TEST_F(RemoteStoreTest, BytesAndFilesOfManyChunksComeBack) {
  const std::string bytes = std::string(700'000, 'a') + "end";
  ASSERT_OK_AND_ASSIGN(const std::string digest, store_->Put(bytes));
  ASSERT_OK_AND_ASSIGN(const std::string got, store_->Get(digest));
  EXPECT_EQ(got, bytes);
  ASSERT_OK(WriteFileAtomically(directory_ / "in", bytes + "more"));
  ASSERT_OK_AND_ASSIGN(const std::string second, store_->PutFile(directory_ / "in"));
  EXPECT_EQ(second, Sha256Hex(bytes + "more"));
  ASSERT_OK(store_->GetFile(second, directory_ / "out"));
  ASSERT_OK_AND_ASSIGN(const std::string out, ReadFile(directory_ / "out"));
  EXPECT_EQ(out, bytes + "more");
}

TEST_F(RemoteStoreTest, KnownBytesAreNotUploadedAgain) {
  ASSERT_OK(store_->Put("known"));
  ASSERT_OK(store_->Put("known"));
  EXPECT_EQ(service_.put_count(), 1);
}

TEST_F(RemoteStoreTest, EmptyBytesAreAnArtifact) {
  ASSERT_OK_AND_ASSIGN(const std::string digest, store_->Put(""));
  ASSERT_OK_AND_ASSIGN(const std::string got, store_->Get(digest));
  EXPECT_EQ(got, "");
}

TEST_F(RemoteStoreTest, OtherBytesThanAskedForAreDataLoss) {
  const std::string digest = Sha256Hex("right");
  service_.Plant(digest, "wrong");
  EXPECT_THAT(store_->Get(digest), StatusIs(absl::StatusCode::kDataLoss, _));
  EXPECT_THAT(store_->GetFile(digest, directory_ / "out"),
              StatusIs(absl::StatusCode::kDataLoss, _));
  EXPECT_THAT(ReadFile(directory_ / "out"), StatusIs(absl::StatusCode::kNotFound, _));
}

TEST_F(RemoteStoreTest, UnknownDigestIsNotFoundAndATraversalIsRefused) {
  EXPECT_THAT(store_->Get(Sha256Hex("no")), StatusIs(absl::StatusCode::kNotFound, _));
  EXPECT_THAT(store_->Get("../x"), StatusIs(absl::StatusCode::kInvalidArgument, _));
}

TEST_F(RemoteStoreTest, ACoordinatorThatIsAwayIsUnavailable) {
  const auto channel =
      grpc::CreateChannel("unix:" + (directory_ / "nobody"), grpc::InsecureChannelCredentials());
  EXPECT_THAT(MakeRemoteStore(channel)->Put("x"), StatusIs(absl::StatusCode::kUnavailable, _));
}

}  // namespace
}  // namespace dovetail
