#include "services/worker/run_task.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "common/base/file_io.h"
#include "common/base/status_macros.h"
#include "gtest/gtest.h"
#include "services/worker/run_command.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace dovetail {
namespace {

using ::testing::_;
using ::testing::HasSubstr;
using testing::StatusIs;
using testing::TempDir;

// Stands for lower_rtl: reads its input, writes both outputs, does as it is told.
class FakeTask : public Task {
 public:
  using Body = std::function<absl::StatusOr<Measurement>(const TaskContext&)>;
  explicit FakeTask(Body body) : body_(std::move(body)) {}
  absl::StatusOr<Measurement> Run(const TaskContext& context) override { return body_(context); }

 private:
  Body body_;
};

absl::StatusOr<Measurement> WriteBoth(const TaskContext& context) {
  RETURN_IF_ERROR(WriteFileAtomically(context.OutputFile("rtl"), "module m; endmodule"));
  RETURN_IF_ERROR(WriteFileAtomically(context.scratch_directory + "/junk", "x"));
  RETURN_IF_ERROR(WriteFileAtomically(context.OutputFile("design"), "{}"));
  Measurement measurement;
  measurement.Put("dsp", 3 + context.parameters["ClockPeriod"].AsNumber(), "count", "test");
  if (context.progress) context.progress(Value(Value::Map{{"step", Value(1)}}));
  return measurement;
}

class RunTaskTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK(WriteFileAtomically(directory_ / "net", "weights"));
    request_.task = "lower_rtl";
    request_.input_files = {{"network", directory_ / "net"}};
    request_.parameters = Value(Value::Map());
    request_.output_directory = directory_ / "out";
    Use(WriteBoth);
  }
  void Use(FakeTask::Body body) {
    registry_.Register("lower_rtl", [body] { return std::make_unique<FakeTask>(body); });
  }
  std::vector<std::string> Written() const {
    std::vector<std::string> names;
    if (!std::filesystem::exists(request_.output_directory)) return names;
    for (const auto& entry : std::filesystem::directory_iterator(request_.output_directory)) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  TempDir directory_;
  TaskRegistry registry_;
  RunTaskRequest request_;
};

TEST_F(RunTaskTest, OutputsAndMeasurementAreWrittenAndNothingElse) {
  request_.parameters.Set("ClockPeriod", 4);
  ASSERT_OK_AND_ASSIGN(const Measurement measurement, RunTask(registry_, request_));
  EXPECT_EQ(measurement.Get("dsp"), 7);
  EXPECT_EQ(Written(), (std::vector<std::string>{"design", "measurement.json", "rtl"}));
  ASSERT_OK_AND_ASSIGN(const std::string json, ReadFile(directory_ / "out/measurement.json"));
  ASSERT_OK_AND_ASSIGN(const Value value, Value::FromJson(json));
  ASSERT_OK_AND_ASSIGN(const Measurement read, Measurement::FromValue(value));
  EXPECT_EQ(read, measurement);
}

TEST_F(RunTaskTest, DefaultsAreFilledIn) {
  ASSERT_OK_AND_ASSIGN(const Measurement measurement, RunTask(registry_, request_));
  EXPECT_EQ(measurement.Get("dsp"), 8);  // ClockPeriod 5
}

TEST_F(RunTaskTest, UnknownNamesAreToldWithTheNearest) {
  request_.task = "lower_rtll";
  EXPECT_THAT(RunTask(registry_, request_),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("\"lower_rtl\"")));
  request_.task = "lower_rtl";
  request_.input_files["netwrok"] = directory_ / "net";
  EXPECT_THAT(RunTask(registry_, request_),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("\"network\"")));
  request_.input_files.erase("netwrok");
  request_.parameters.Set("ClokPeriod", 4);
  EXPECT_THAT(RunTask(registry_, request_),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("\"ClockPeriod\"")));
  EXPECT_TRUE(Written().empty());
}

TEST_F(RunTaskTest, MissingInputsAreTold) {
  request_.input_files = {};
  EXPECT_THAT(RunTask(registry_, request_),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("\"network\"")));
  request_.input_files = {{"network", directory_ / "none"}};
  EXPECT_THAT(RunTask(registry_, request_),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr(directory_ / "none")));
}

TEST_F(RunTaskTest, ControlTasksAndTasksOfOtherBinariesAreRefused) {
  request_.task = "fork";
  EXPECT_THAT(RunTask(registry_, request_),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("coordinator")));
  request_.task = "prune";
  EXPECT_THAT(RunTask(registry_, request_),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("lower_rtl")));
}

TEST_F(RunTaskTest, ATaskThatFailsHalfWayLeavesNothing) {
  Use([](const TaskContext& context) -> absl::StatusOr<Measurement> {
    RETURN_IF_ERROR(WriteFileAtomically(context.OutputFile("rtl"), "half"));
    return absl::FailedPreconditionError("layer fc2 has no types");
  });
  EXPECT_THAT(RunTask(registry_, request_),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("fc2")));
  EXPECT_TRUE(Written().empty());
}

TEST_F(RunTaskTest, AFailedRunRemovesTheResultsOfAnEarlierOne) {
  ASSERT_OK(RunTask(registry_, request_));
  Use([](const TaskContext&) -> absl::StatusOr<Measurement> {
    return absl::InternalError("broken");
  });
  EXPECT_THAT(RunTask(registry_, request_), StatusIs(absl::StatusCode::kInternal, _));
  EXPECT_TRUE(Written().empty());
}

TEST_F(RunTaskTest, AMissingOutputIsABug) {
  Use([](const TaskContext& context) -> absl::StatusOr<Measurement> {
    RETURN_IF_ERROR(WriteFileAtomically(context.OutputFile("rtl"), "only"));
    return Measurement();
  });
  EXPECT_THAT(RunTask(registry_, request_),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("\"design\"")));
  EXPECT_TRUE(Written().empty());
}

TEST_F(RunTaskTest, WhatATaskThrowsBecomesAStatus) {
  Use([](const TaskContext&) -> absl::StatusOr<Measurement> { throw std::bad_alloc(); });
  EXPECT_THAT(RunTask(registry_, request_), StatusIs(absl::StatusCode::kResourceExhausted, _));
  Use([](const TaskContext&) -> absl::StatusOr<Measurement> {
    throw std::runtime_error("index 7");
  });
  EXPECT_THAT(RunTask(registry_, request_),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("index 7")));
}

TEST_F(RunTaskTest, AMetricThatIsNoNumberIsABug) {
  Use([](const TaskContext& context) -> absl::StatusOr<Measurement> {
    ASSIGN_OR_RETURN(Measurement measurement, WriteBoth(context));
    measurement.Put("latency_cycles", std::nan(""), "cycles", "test");
    return measurement;
  });
  EXPECT_THAT(RunTask(registry_, request_),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("latency_cycles")));
}

class RunCommandTest : public RunTaskTest {
 protected:
  int Command() { return RunCommand(registry_, options_); }
  void SetUp() override {
    RunTaskTest::SetUp();
    options_.task = "lower_rtl";
    options_.inputs = {"network=" + (directory_ / "net")};
    options_.output_directory = directory_ / "out";
    options_.progress_file = directory_ / "progress";
  }
  std::string Outcome() const { return *ReadFile(directory_ / "out/outcome.json"); }
  RunCommandOptions options_;
};

TEST_F(RunCommandTest, SuccessPrintsTheMeasurementAndWritesTheOutcome) {
  ::testing::internal::CaptureStdout();
  EXPECT_EQ(Command(), 0);
  const std::string printed = ::testing::internal::GetCapturedStdout();
  EXPECT_EQ(printed, *ReadFile(directory_ / "out/measurement.json"));
  EXPECT_EQ(Outcome(), "{\"message\":\"\",\"outcome\":\"ok\"}\n");
  EXPECT_EQ(*ReadFile(directory_ / "progress"), "{\"step\":1}\n");
}

TEST_F(RunCommandTest, FailureIsOneLineAnOutcomeAndAnExitCode) {
  Use([](const TaskContext&) -> absl::StatusOr<Measurement> {
    return absl::InvalidArgumentError("two\nlines");
  });
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(Command(), 1);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "dovetail-worker: lower_rtl: two lines\n");
  EXPECT_EQ(Outcome(), "{\"message\":\"two lines\",\"outcome\":\"infeasible\"}\n");
  EXPECT_EQ(Written(), (std::vector<std::string>{"outcome.json"}));
}

TEST_F(RunCommandTest, MalformedArgumentsAreTold) {
  const auto fails = [this](const std::string& what) {
    ::testing::internal::CaptureStderr();
    EXPECT_EQ(Command(), 1);
    EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr(what));
  };
  options_.inputs = {"network"};
  fails("NAME=FILE");
  options_.inputs = {"network=a", "network=b"};
  fails("twice");
  options_.inputs = {"network=" + (directory_ / "net")};
  options_.parameters = "{";
  fails("--params");
  options_.parameters = "[1]";
  fails("JSON object");
}

}  // namespace
}  // namespace dovetail
