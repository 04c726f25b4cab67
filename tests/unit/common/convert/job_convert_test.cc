#include "common/convert/job_convert.h"

#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/status_matchers.h"
#include "tests/unit/common/convert/job_proto_for_test.h"

namespace dovetail::convert {
namespace {

using dovetail::testing::StatusIs;
using google::protobuf::util::MessageDifferencer;
using ::testing::HasSubstr;

TEST(JobConvertTest, DefaultsAreFilledIn) {
  v1::JobSpec job = LegalJob();
  job.clear_part();
  ASSERT_OK_AND_ASSIGN(const JobSpec spec, JobSpecFromProto(job));
  EXPECT_EQ(spec.backend, "yosys");
  EXPECT_EQ(spec.part, "xcu250-figd2104-2L-e");
  EXPECT_EQ(spec.clock_period_ns, 5);
  EXPECT_EQ(spec.io_type, "io_parallel");
  EXPECT_EQ(spec.normalization, "dataset");
  EXPECT_EQ(spec.search.strategy, "gp");
  EXPECT_EQ(spec.search.seed, 1u);
  EXPECT_EQ(spec.budget.abandoned_trials, 10);
  EXPECT_EQ(spec.evaluation_seeds, std::vector<uint64_t>{1});
  EXPECT_EQ(spec.fit_margin_fraction, 0.8);
  EXPECT_EQ(spec.flow.tasks[0].name, "prune");
  EXPECT_EQ(spec.flow.tasks[0].line, 7);
}

TEST(JobConvertTest, SpecSurvivesTheRoundTripThroughProto) {
  v1::JobSpec job = LegalJob();
  job.mutable_dataset()->set_normalization(v1::NORMALIZATION_FIRST_LAYER);
  job.mutable_search()->set_order(v1::SUGGESTION_ORDER_FIXED_LAG);
  job.mutable_search()->set_seed(~uint64_t{0});
  v1::Variable& variable = *job.mutable_space()->add_variables();
  variable.set_name("reuse");
  variable.set_type(v1::VARIABLE_TYPE_ORDINAL);
  variable.add_levels()->set_number_value(1);
  variable.add_levels()->set_number_value(4);
  variable.set_length_of("layers");
  variable.mutable_condition()->set_variable("scope");
  variable.mutable_condition()->add_values()->set_string_value("layer");
  ASSERT_OK_AND_ASSIGN(const JobSpec spec, JobSpecFromProto(job));
  const v1::JobSpec full = JobSpecToProto(spec);
  ASSERT_OK_AND_ASSIGN(const JobSpec again, JobSpecFromProto(full));
  EXPECT_TRUE(MessageDifferencer::Equals(full, JobSpecToProto(again)));
  EXPECT_EQ(again.search.seed, ~uint64_t{0});
  EXPECT_EQ(again.space.variables.back().condition->variable, "scope");
  EXPECT_EQ(again.constraints[0].at_least, -0.02);
  EXPECT_FALSE(again.constraints[0].at_most.has_value());
}

TEST(JobConvertTest, NamedFlowBringsItsTasksAndTheJobsCfgGoesOver) {
  v1::JobSpec job = LegalJob();
  job.clear_references();
  job.mutable_flow()->Clear();
  job.mutable_flow()->set_name("gated");
  (*job.mutable_flow()->mutable_cfg()->mutable_fields())["accuracy_floor"].set_number_value(0.6);
  ASSERT_OK_AND_ASSIGN(const JobSpec spec, JobSpecFromProto(job));
  EXPECT_EQ(spec.flow.tasks.size(), 6u);
  EXPECT_EQ(spec.flow.cfg.at("accuracy_floor"), Value(0.6));
  job.mutable_flow()->set_name("gatd");
  EXPECT_THAT(JobSpecFromProto(job),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("did you mean \"gated\"")));
}

TEST(JobConvertTest, JsonIsCanonicalAndComesBack) {
  const v1::JobSpec job = LegalJob();
  const std::string json = JobSpecToJson(job);
  EXPECT_THAT(json, HasSubstr(R"("Part":"xcu250-figd2104-2L-e")"));
  EXPECT_EQ(json.find('\n'), std::string::npos);
  ASSERT_OK_AND_ASSIGN(const v1::JobSpec again, JobSpecFromJson(json));
  EXPECT_TRUE(MessageDifferencer::Equals(job, again));
  EXPECT_EQ(JobSpecToJson(again), json);
}

TEST(JobConvertTest, JsonOfEqualStructsDoesNotDependOnInsertionOrder) {
  v1::JobSpec a = LegalJob();
  v1::JobSpec b = LegalJob();
  auto& fields_a = *a.mutable_hls_config()->mutable_fields();
  auto& fields_b = *b.mutable_hls_config()->mutable_fields();
  for (int i = 0; i < 30; ++i) fields_a["k" + std::to_string(i)].set_number_value(i);
  for (int i = 29; i >= 0; --i) fields_b["k" + std::to_string(i)].set_number_value(i);
  EXPECT_EQ(JobSpecToJson(a), JobSpecToJson(b));
}

TEST(JobConvertTest, UnknownFieldInJsonIsInvalidArgument) {
  EXPECT_THAT(JobSpecFromJson(R"({"nam":"x"})"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("nam")));
}

TEST(JobConvertTest, JobStatesRoundTrip) {
  for (const JobState state : {JobState::kPreparing, JobState::kRunning, JobState::kFinishing,
                               JobState::kSucceeded, JobState::kFailed, JobState::kCancelled}) {
    ASSERT_OK_AND_ASSIGN(const JobState again, JobStateFromProto(JobStateToProto(state)));
    EXPECT_EQ(again, state);
  }
  EXPECT_FALSE(JobStateFromProto(v1::JOB_STATE_UNSPECIFIED).ok());
}

}  // namespace
}  // namespace dovetail::convert
