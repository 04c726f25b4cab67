#include "common/convert/trial_convert.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "tests/support/status_matchers.h"

namespace dovetail::convert {
namespace {

using dovetail::testing::StatusIs;
using ::testing::HasSubstr;

Trial FullTrial() {
  Trial trial{.job_id = 3, .number = -2, .reference = "6-bit", .state = TrialState::kInfeasible};
  trial.point = {{"rate", 0.7}, {"scope", "layer"}};
  trial.realised_cfg.Set("a", 1);
  trial.suggested_from_event = 17;
  trial.suggestion_info.Set("phase", "model");
  trial.message = "accuracy";
  trial.tool_seconds = 12.5;
  trial.created_ms = 1'700'000'000'123;
  trial.finished_ms = 1'700'000'010'456;
  Design design{.index = 1, .path = "b", .feasible = true};
  design.measurement.Put("lut", 6025, "count", "yosys 0.23");
  design.measurement.Put("accuracy", 0.76, "fraction", "fixed point engine", 0.0025);
  design.measurement.log.Set("table", Value::List{1, 2});
  design.artifacts["lower_rtl.rtl"] = std::string(64, 'c');
  trial.designs.push_back(design);
  return trial;
}

TEST(TrialConvertTest, TrialSurvivesTheRoundTrip) {
  const Trial trial = FullTrial();
  ASSERT_OK_AND_ASSIGN(const Trial again, TrialFromProto(TrialToProto(trial)));
  EXPECT_EQ(TrialToProto(again).SerializeAsString().size(),
            TrialToProto(trial).SerializeAsString().size());
  EXPECT_EQ(again.number, -2);
  EXPECT_EQ(again.reference, "6-bit");
  EXPECT_EQ(again.state, TrialState::kInfeasible);
  EXPECT_EQ(again.point, trial.point);
  EXPECT_EQ(again.realised_cfg, trial.realised_cfg);
  EXPECT_EQ(again.suggestion_info, trial.suggestion_info);
  EXPECT_EQ(again.created_ms, trial.created_ms);
  EXPECT_EQ(again.finished_ms, trial.finished_ms);
  ASSERT_EQ(again.designs.size(), 1u);
  EXPECT_EQ(again.designs[0].measurement, trial.designs[0].measurement);
  EXPECT_EQ(again.designs[0].artifacts, trial.designs[0].artifacts);
  EXPECT_TRUE(again.designs[0].feasible);
}

TEST(TrialConvertTest, UnfinishedTrialHasNoFinishTime) {
  Trial trial = FullTrial();
  trial.finished_ms = 0;
  EXPECT_FALSE(TrialToProto(trial).has_finish_time());
}

TEST(TrialConvertTest, MetricThatIsNoNumberIsRefused) {
  v1::Measurement proto;
  (*proto.mutable_metrics())["lut"].set_value(std::nan(""));
  EXPECT_THAT(MeasurementFromProto(proto),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("lut")));
}

TEST(TrialConvertTest, ActionResultSurvivesTheRoundTrip) {
  ActionResult result{.outcome = Outcome::kOutOfMemory, .message = "killed"};
  result.measurement.Put("dsp", 0, "count", "ir");
  result.outputs["network"] = std::string(64, '1');
  result.log_digest = std::string(64, '2');
  result.tool_seconds = 3.5;
  result.peak_rss_bytes = 1 << 30;
  v1::CompleteRequest proto;
  ActionResultToProto(result, &proto);
  ASSERT_OK_AND_ASSIGN(const ActionResult again, ActionResultFromProto(proto));
  EXPECT_EQ(again.outcome, result.outcome);
  EXPECT_EQ(again.message, result.message);
  EXPECT_EQ(again.measurement, result.measurement);
  EXPECT_EQ(again.outputs, result.outputs);
  EXPECT_EQ(again.log_digest, result.log_digest);
  EXPECT_EQ(again.tool_seconds, result.tool_seconds);
  EXPECT_EQ(again.peak_rss_bytes, result.peak_rss_bytes);
}

TEST(TrialConvertTest, ResultsThatAWorkerMadeUpAreRefused) {
  v1::CompleteRequest proto;
  proto.set_outcome("ok");
  ASSERT_OK(ActionResultFromProto(proto));
  v1::CompleteRequest bad = proto;
  bad.set_outcome("great");
  EXPECT_FALSE(ActionResultFromProto(bad).ok());
  bad = proto;
  (*bad.mutable_outputs())["network"] = "../../etc/passwd";
  EXPECT_THAT(ActionResultFromProto(bad),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("SHA-256")));
  bad = proto;
  bad.set_tool_seconds(-1);
  EXPECT_FALSE(ActionResultFromProto(bad).ok());
}

TEST(TrialConvertTest, UnspecifiedStateIsInvalidArgument) {
  EXPECT_FALSE(TrialStateFromProto(v1::TRIAL_STATE_UNSPECIFIED).ok());
}

}  // namespace
}  // namespace dovetail::convert
