#include "common/rpc/tls.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace dovetail::rpc {
namespace {

using dovetail::testing::StatusIs;
using ::testing::HasSubstr;

std::string WriteFile(const std::string& name, const std::string& text) {
  const std::string file = ::dovetail::testing::ScratchDirectory() + "/" + name;
  std::ofstream(file) << text;
  return file;
}

TEST(TlsTest, CertificateWithoutKeyIsInvalidArgument) {
  EXPECT_THAT(LoadTls({.certificate_file = "/x"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("key")));
}

TEST(TlsTest, MissingFileIsNotFoundAndNamed) {
  EXPECT_THAT(LoadTls({.ca_file = "/no/such/ca.pem"}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/no/such/ca.pem")));
}

TEST(TlsTest, FileThatIsNotPemIsInvalidArgument) {
  EXPECT_THAT(LoadTls({.ca_file = WriteFile("not.pem", "hello")}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not PEM")));
}

TEST(TlsTest, TokenIsTheFirstLineTrimmed) {
  ASSERT_OK_AND_ASSIGN(const std::string token,
                       ReadTokenFile(WriteFile("token", "  abc123 \nsecond line\n")));
  EXPECT_EQ(token, "abc123");
}

TEST(TlsTest, EmptyOrBlankTokenIsInvalidArgument) {
  EXPECT_THAT(ReadTokenFile(WriteFile("empty", "\n")),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("empty")));
  EXPECT_THAT(ReadTokenFile(WriteFile("blank", "a b\n")),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("blank")));
}

}  // namespace
}  // namespace dovetail::rpc
