#include "common/rpc/status_conversion.h"

#include <gtest/gtest.h>

#include <string>

namespace dovetail::rpc {
namespace {

TEST(StatusConversionTest, EveryCodeAndItsMessageSurviveTheRoundTrip) {
  EXPECT_TRUE(FromGrpc(ToGrpc(absl::OkStatus())).ok());
  for (int code = 1; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "why not");
    EXPECT_EQ(FromGrpc(ToGrpc(status)), status) << code;
  }
}

TEST(StatusConversionTest, CodesKeepTheirNames) {
  EXPECT_EQ(ToGrpc(absl::DataLossError("")).error_code(), grpc::StatusCode::DATA_LOSS);
  EXPECT_EQ(ToGrpc(absl::UnavailableError("")).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(FromGrpc(grpc::Status(grpc::StatusCode::ABORTED, "x")).code(),
            absl::StatusCode::kAborted);
}

TEST(StatusConversionTest, ForeignCodeIsUnknown) {
  const grpc::Status foreign(static_cast<grpc::StatusCode>(99), "odd");
  EXPECT_EQ(FromGrpc(foreign).code(), absl::StatusCode::kUnknown);
}

TEST(StatusConversionTest, LongMessageIsCutToWhatTrailersCarry) {
  const absl::Status longer = absl::InternalError(std::string(100'000, 'x'));
  EXPECT_LT(ToGrpc(longer).error_message().size(), 5000u);
}

}  // namespace
}  // namespace dovetail::rpc
