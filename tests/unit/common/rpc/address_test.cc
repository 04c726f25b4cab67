#include "common/rpc/address.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace dovetail::rpc {
namespace {

using dovetail::testing::StatusIs;
using ::testing::HasSubstr;

TEST(AddressTest, FormsAreReadAndPrintedBack) {
  for (const char* text :
       {"unix:/run/dovetail/c.sock", "127.0.0.1:50051", "[::1]:50051", "coordinator.example:443"}) {
    ASSERT_OK_AND_ASSIGN(const Address address, ParseAddress(text));
    EXPECT_EQ(address.ToText(), text);
  }
}

TEST(AddressTest, OnlyUnixAndLoopbackAreLocal) {
  const auto is_local = [](const char* text) { return ParseAddress(text).value().is_local(); };
  EXPECT_TRUE(is_local("unix:/run/c.sock"));
  EXPECT_TRUE(is_local("localhost:1"));
  EXPECT_TRUE(is_local("127.3.2.1:1"));
  EXPECT_TRUE(is_local("[::1]:1"));
  EXPECT_FALSE(is_local("0.0.0.0:1"));
  EXPECT_FALSE(is_local("[::]:1"));
  EXPECT_FALSE(is_local("127.evil.example.org:1"));
  EXPECT_FALSE(is_local("127.0.0.x:1"));
  EXPECT_FALSE(is_local("10.0.0.1:1"));
}

TEST(AddressTest, MalformedIsInvalidArgument) {
  for (const char* text :
       {"", "host", "unix:", "host:", "host:x", "host:70000", "host:-1", ":1", "::1:5", "[::1:5"}) {
    EXPECT_THAT(ParseAddress(text),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("unix:")))
        << text;
  }
}

TEST(AddressTest, SocketPathBeyondTheKernelsLimitIsRefused) {
  EXPECT_OK(ParseAddress("unix:/" + std::string(106, 'a')));
  EXPECT_THAT(ParseAddress("unix:/" + std::string(107, 'a')),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("107")));
}

}  // namespace
}  // namespace dovetail::rpc
