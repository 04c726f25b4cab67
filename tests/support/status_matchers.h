// Matchers for absl::Status, which Debian's Abseil does not carry.
#ifndef DOVETAIL_TESTS_SUPPORT_STATUS_MATCHERS_H_
#define DOVETAIL_TESTS_SUPPORT_STATUS_MATCHERS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"

namespace dovetail::testing {

inline const absl::Status& AsStatus(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& AsStatus(const absl::StatusOr<T>& value) {
  return value.status();
}

MATCHER(IsOk, "is OK") {
  *result_listener << AsStatus(arg).ToString();
  return AsStatus(arg).ok();
}

// StatusIs(absl::StatusCode::kNotFound, ::testing::HasSubstr("prune"))
MATCHER_P2(StatusIs, code, message, "") {
  *result_listener << AsStatus(arg).ToString();
  return AsStatus(arg).code() == code &&
         ::testing::ExplainMatchResult(message, std::string(AsStatus(arg).message()),
                                       result_listener);
}

}  // namespace dovetail::testing

#define ASSERT_OK(expression) ASSERT_THAT(expression, ::dovetail::testing::IsOk())
#define EXPECT_OK(expression) EXPECT_THAT(expression, ::dovetail::testing::IsOk())
#define ASSERT_OK_AND_ASSIGN(declaration, expression) \
  ASSERT_OK_AND_ASSIGN_IMPL(DOVETAIL_TEST_CONCAT(test_value_, __LINE__), declaration, expression)
#define DOVETAIL_TEST_CONCAT_INNER(a, b) a##b
#define DOVETAIL_TEST_CONCAT(a, b) DOVETAIL_TEST_CONCAT_INNER(a, b)
#define ASSERT_OK_AND_ASSIGN_IMPL(temporary, declaration, expression) \
  auto temporary = (expression);                                      \
  ASSERT_THAT(temporary, ::dovetail::testing::IsOk());                \
  declaration = std::move(temporary).value()

#endif  // DOVETAIL_TESTS_SUPPORT_STATUS_MATCHERS_H_
