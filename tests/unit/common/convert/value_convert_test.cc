#include "common/convert/value_convert.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace dovetail::convert {
namespace {

TEST(ValueConvertTest, EveryKindSurvivesTheRoundTrip) {
  ASSERT_OK_AND_ASSIGN(
      const Value value,
      Value::FromJson(R"({"a":[1,2.5,"x",true,null,{"b":{}}],"c":9007199254740991,"d":[]})"));
  EXPECT_EQ(ValueFromProto(ValueToProto(value)), value);
  EXPECT_EQ(ValueFromStruct(ValueToStruct(value)), value);
}

TEST(ValueConvertTest, UnsetProtoValueIsNull) {
  EXPECT_TRUE(ValueFromProto(google::protobuf::Value()).is_null());
}

TEST(ValueConvertTest, TimestampsKeepMilliseconds) {
  for (const int64_t ms : {int64_t{0}, int64_t{1'700'000'000'123}, int64_t{-1}}) {
    EXPECT_EQ(TimestampToMs(TimestampFromMs(ms)), ms);
  }
  EXPECT_EQ(TimestampFromMs(-1).nanos(), 999'000'000);
}

}  // namespace
}  // namespace dovetail::convert
