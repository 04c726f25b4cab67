#include "common/domain/value.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/support/status_matchers.h"

namespace dovetail {
namespace {

using ::testing::HasSubstr;
using testing::StatusIs;

TEST(ValueTest, CanonicalJsonSortsKeysAndPrintsShortNumbers) {
  Value value;
  value.Set("b", 0.1).Set("a", 3).Set("c", Value::List{Value(true), Value(), Value("x\"y")});
  EXPECT_EQ(value.ToJson(), R"({"a":3,"b":0.1,"c":[true,null,"x\"y"]})");
}

TEST(ValueTest, RoundTripsThroughJson) {
  ASSERT_OK_AND_ASSIGN(Value value, Value::FromJson(R"({"x":[1,2.5,{"y":null}],"z":1e300})"));
  ASSERT_OK_AND_ASSIGN(Value again, Value::FromJson(value.ToJson()));
  EXPECT_EQ(value, again);
}

TEST(ValueTest, NotANumberPrintsAsNull) {
  EXPECT_EQ(Value(std::nan("")).ToJson(), "null");
  EXPECT_EQ(Value(-std::numeric_limits<double>::infinity()).ToJson(), "null");
}

TEST(ValueTest, NegativeZeroPrintsAsZero) { EXPECT_EQ(Value(-0.0).ToJson(), "0"); }

TEST(ValueTest, MalformedJsonIsInvalidArgument) {
  EXPECT_THAT(Value::FromJson("{\"a\":"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("byte")));
}

TEST(ValueTest, TooDeepJsonIsInvalidArgument) {
  EXPECT_THAT(Value::FromJson(std::string(200, '[')),
              StatusIs(absl::StatusCode::kInvalidArgument, ::testing::_));
}

}  // namespace
}  // namespace dovetail
