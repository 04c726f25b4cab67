#include "common/telemetry/log.h"

#include <limits>
#include <string>

#include "common/base/file_io.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace dovetail {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using testing::StatusIs;
using testing::TempDir;

TEST(FormatLogTextTest, FieldsFollowTheMessageAndOddOnesAreQuoted) {
  EXPECT_EQ(FormatLogText("lease taken", {{"job", 7}, {"task", "prune"}, {"cached", true}}),
            "lease taken job=7 task=prune cached=true");
  EXPECT_EQ(FormatLogText("a\nb", {{"why", "no \"x\"\n"}, {"none", ""}}),
            "a b why=\"no \\\"x\\\"\\n\" none=\"\"");
}

TEST(FormatLogJsonTest, NumbersStayNumbersAndTextIsEscaped) {
  EXPECT_EQ(FormatLogJson("m", {{"n", 2.5}, {"s", "3"}, {"b", false}, {"c", "\x01\\"}}),
            R"("message":"m","n":2.5,"s":"3","b":false,"c":"\u0001\\")");
  EXPECT_EQ(FormatLogJson("m", {{"n", std::numeric_limits<double>::quiet_NaN()}}),
            R"("message":"m","n":"nan")");
}

TEST(InitLoggingTest, JsonLinesCarryTimeLevelAndLogger) {
  TempDir directory;
  LogOptions options;
  options.logger = "worker";
  options.json = true;
  options.file = directory / "log";
  ASSERT_OK(InitLogging(options));
  LogInfo("hello", {{"attempt", 3}});
  LogDebug("not written");
  ASSERT_OK_AND_ASSIGN(const std::string text, ReadFile(directory / "log"));
  EXPECT_THAT(text, MatchesRegex("\\{\"time\":\"[0-9T:.-]+Z\",\"level\":\"info\",\"logger\":"
                                 "\"worker\",\"message\":\"hello\",\"attempt\":3\\}\n"));
  EXPECT_THAT(text, Not(HasSubstr("not written")));
}

TEST(InitLoggingTest, AFileThatCannotBeOpenedIsAClearError) {
  LogOptions options;
  options.file = "/proc/none/log";
  EXPECT_THAT(InitLogging(options),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("/proc/none/log")));
}

TEST(ParseLogLevelTest, UnknownLevelNamesTheKnownOnes) {
  LogLevel level;
  EXPECT_THAT(ParseLogLevel("loud", level),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("warning")));
  ASSERT_OK(ParseLogLevel("error", level));
  EXPECT_EQ(level, LogLevel::kError);
}

}  // namespace
}  // namespace dovetail
