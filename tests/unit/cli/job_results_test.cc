#include "services/cli/job_results.h"

#include <gtest/gtest.h>

#include <string>

#include "common/convert/trial_convert.h"
#include "common/convert/value_convert.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/common/convert/job_proto_for_test.h"

namespace dovetail::cli {
namespace {

v1::Trial ProtoTrial(int number, const std::string& reference) {
  Trial trial{.job_id = 5,
              .number = number,
              .reference = reference,
              .state = TrialState::kSucceeded,
              .point = {{"rate", 0.5}}};
  Design design{.feasible = true};
  design.measurement.Put("lut", 1000 + number, "count", "yosys");
  trial.designs.push_back(design);
  return convert::TrialToProto(trial);
}

TEST(JobResultsTest, TrialsReferencesAndMeasurementsFindTheirPlaces) {
  v1::Job job;
  job.set_id(5);
  *job.mutable_spec() = convert::LegalJob();
  job.set_state(v1::JOB_STATE_SUCCEEDED);
  Measurement accuracy;
  accuracy.Put("accuracy", 0.76, "fraction", "float");
  Value summary;
  summary.Set("references", Value(Value::Map{{"float_network", accuracy.ToValue()}}));
  summary.Set("tools", Value(Value::Map{{"yosys", "0.23"}}));
  *job.mutable_summary() = convert::ValueToStruct(summary);
  v1::GetFrontResponse front;
  *front.add_designs() = ProtoTrial(2, "").designs(0);
  front.mutable_designs(0)->set_trial(2);
  *front.add_references() = ProtoTrial(-1, "baseline");

  ASSERT_OK_AND_ASSIGN(
      const report::JobReport report,
      ToReport(job,
               {ProtoTrial(-1001, "test/2.0"), ProtoTrial(-1, "baseline"),
                ProtoTrial(0, "preparation"), ProtoTrial(1, ""), ProtoTrial(2, "")},
               front));
  ASSERT_EQ(report.trials.size(), 2u);
  EXPECT_EQ(report.trials[1].number, 2);
  ASSERT_EQ(report.references.size(), 1u);
  ASSERT_EQ(report.front.size(), 1u);
  EXPECT_EQ(report.front[0].point.at("rate"), Value(0.5));
  EXPECT_EQ(report.measured.at("float_network").Get("accuracy"), 0.76);
  EXPECT_EQ(report.tools.at("yosys"), "0.23");
}

TEST(JobResultsTest, AnswerOfAnotherKindIsAnError) {
  v1::Job job;
  *job.mutable_spec() = convert::LegalJob();
  EXPECT_FALSE(ToReport(job, {}, v1::GetFrontResponse()).ok());  // no state
}

}  // namespace
}  // namespace dovetail::cli
