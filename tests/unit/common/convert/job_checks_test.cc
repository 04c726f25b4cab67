#include "common/convert/job_checks.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>

#include "common/convert/job_convert.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/common/convert/job_proto_for_test.h"

namespace dovetail::convert {
namespace {

using dovetail::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

struct Case {
  const char* name;
  std::function<void(v1::JobSpec&)> spoil;
  const char* message;
};

std::ostream& operator<<(std::ostream& stream, const Case& one) { return stream << one.name; }

void Merge(v1::JobSpec& job, const std::string& text) {
  v1::JobSpec more;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &more));
  job.MergeFrom(more);
}

std::function<void(v1::JobSpec&)> Adding(const std::string& text) {
  return [text](v1::JobSpec& job) { Merge(job, text); };
}

class WrongJobTest : public ::testing::TestWithParam<Case> {};

TEST_P(WrongJobTest, IsInvalidArgumentNamingTheField) {
  v1::JobSpec job = LegalJob();
  GetParam().spoil(job);
  EXPECT_THAT(JobSpecFromProto(job),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(GetParam().message)));
}

INSTANTIATE_TEST_SUITE_P(
    All, WrongJobTest,
    ::testing::Values(
        Case{"NoName", [](v1::JobSpec& job) { job.clear_name(); }, "name: missing"},
        Case{"NameWithSlash", [](v1::JobSpec& job) { job.set_name("../x"); }, "name: may have"},
        Case{"HiddenName", [](v1::JobSpec& job) { job.set_name(".x"); }, "begin with a point"},
        Case{"NoNetwork", [](v1::JobSpec& job) { job.clear_network(); }, "network: missing"},
        Case{"FileNotUploaded",
             [](v1::JobSpec& job) {
               job.clear_dataset();
               job.mutable_dataset()->set_file("x.npz");
             },
             "dataset.file: x.npz was not uploaded"},
        Case{"BadDigest", [](v1::JobSpec& job) { job.mutable_network()->set_digest("zz"); },
             "not a SHA-256"},
        Case{"ClockInMegahertz", Adding("clock_period: 20000"), "ClockPeriod"},
        Case{"ClockNotANumber", [](v1::JobSpec& job) { job.set_clock_period(std::nan("")); },
             "ClockPeriod"},
        Case{"UnknownBackend", Adding("backend: 'quartus'"), "known: yosys"},
        Case{"UnknownPart", Adding("part: 'xcu25-x'"), "Part: "},
        Case{"UnknownIoType", Adding("io_type: 'io_serial'"), "io_parallel, io_stream"},
        Case{"FitMargin", Adding("fit_margin: 1.5"), "fitMargin"},
        Case{"EmptyFlow", [](v1::JobSpec& job) { job.clear_flow(); }, "flow: no tasks"},
        Case{"MisspeltTask", Adding("flow { tasks { task: 'sythesize' line: 12 } }"),
             "(line 12): there is no task \"sythesize\"; did you mean \"synthesize\""},
        Case{"TaskTwice", Adding("flow { tasks { task: 'prune' } }"), "two of this name"},
        Case{"NoVariables", [](v1::JobSpec& job) { job.clear_space(); }, "nothing to explore"},
        Case{"VariableTwice",
             Adding("space { variables { name: 'rate' type: VARIABLE_TYPE_INTEGER max: 3 } }"),
             "two of this name"},
        Case{"VariableWithoutType", Adding("space { variables { name: 'x' } }"), "type is missing"},
        Case{"MinAboveMax",
             Adding("space { variables { name: 'x' type: VARIABLE_TYPE_CONTINUOUS min: 2 max: 1 "
                    "} }"),
             "min 2 is not below max 1"},
        Case{"InfiniteMax",
             Adding("space { variables { name: 'x' type: VARIABLE_TYPE_CONTINUOUS max: inf } }"),
             "finite"},
        Case{"LogScaleFromZero",
             Adding("space { variables { name: 'x' type: VARIABLE_TYPE_CONTINUOUS max: 1 scale: "
                    "SCALE_LOG } }"),
             "log scale"},
        Case{"FractionalInteger",
             Adding("space { variables { name: 'x' type: VARIABLE_TYPE_INTEGER min: 0.5 max: 2 } "
                    "}"),
             "whole numbers"},
        Case{"MinOfCategorical",
             Adding("space { variables { name: 'x' type: VARIABLE_TYPE_CATEGORICAL min: 1 } }"),
             "give levels"},
        Case{"OneLevel",
             Adding("space { variables { name: 'x' type: VARIABLE_TYPE_CATEGORICAL levels { "
                    "number_value: 1 } } }"),
             "two levels"},
        Case{"FallingOrdinal",
             Adding("space { variables { name: 'x' type: VARIABLE_TYPE_ORDINAL levels { "
                    "number_value: 2 } levels { number_value: 1 } } }"),
             "must rise"},
        Case{"NegativeLength",
             Adding("space { variables { name: 'x' type: VARIABLE_TYPE_INTEGER max: 2 length: -1 "
                    "} }"),
             "length"},
        Case{"ConditionOnNothing",
             Adding("space { variables { name: 'x' type: VARIABLE_TYPE_INTEGER max: 2 condition { "
                    "variable: 'y' } } }"),
             "condition names \"y\""},
        Case{"ConditionNeverTrue",
             Adding("space { variables { name: 'x' type: VARIABLE_TYPE_INTEGER max: 2 condition { "
                    "variable: 'scope' values { string_value: 'none' } } } }"),
             "not one of the levels"},
        Case{"NoObjective", [](v1::JobSpec& job) { job.clear_objectives(); }, "objectives: empty"},
        Case{"ObjectiveWithoutGoal", Adding("objectives { metric: 'dsp' }"), "goal is missing"},
        Case{"ObjectiveTwice", Adding("objectives { metric: 'lut' goal: GOAL_MINIMIZE }"),
             "there twice"},
        Case{"ConstraintWithoutBound", Adding("constraints { metric: 'lut' }"), "no bound"},
        Case{"AccuracyInPercent", Adding("constraints { metric: 'accuracy' at_least: 76 }"),
             "a fraction, from 0 to 1"},
        Case{"NegativeLut", Adding("constraints { metric: 'lut' at_most: -1 }"), "never negative"},
        Case{"BoundsCross", Adding("constraints { metric: 'lut' at_least: 10 at_most: 5 }"),
             "impossible"},
        Case{"TwoConstraintsCross",
             Adding("constraints { metric: 'lut' at_least: 10 } constraints { metric: 'lut' "
                    "at_most: 5 }"),
             "at least 10 and at most 5"},
        Case{"BoundNotANumber", Adding("constraints { metric: 'lut' at_most: nan }"), "finite"},
        Case{"RelativeToNobody",
             Adding("constraints { metric: 'lut' at_most: 5 relative_to: 'baselin' }"),
             "did you mean \"baseline\""},
        Case{"NoBudget", [](v1::JobSpec& job) { job.clear_budget(); }, "no limit is set"},
        Case{"NegativeTrials", Adding("budget { trials: -4 }"), "budget.trials"},
        Case{"EndlessSeconds", Adding("budget { wall_seconds: inf }"), "budget.wallSeconds"},
        Case{"SeedTwice", Adding("evaluation { seeds: [3, 3] }"), "evaluation.seeds"},
        Case{"PointOutside", Adding("points { fields { key: 'rate' value { number_value: 2 } } }"),
             "points[0].rate: 2 is not a number from 0.3 to 0.9"},
        Case{"PointIncomplete",
             Adding("points { fields { key: 'rate' value { number_value: 0.5 } } }"),
             "no value for \"bits\""},
        Case{"ReferenceTwice", Adding("references { name: 'baseline' }"), "name is taken"},
        Case{"ReferenceNamedFloat", Adding("references { name: 'float_network' }"), "taken"},
        Case{"ReferenceUnknownVariable",
             Adding("references { name: 'x' point { fields { key: 'bit' value { number_value: 3 } "
                    "} } }"),
             "did you mean \"bits\""},
        Case{"ReferenceUnknownParameter",
             Adding("references { name: 'x' cfg { fields { key: 'quantize.Precison' value { "
                    "string_value: '' } } } }"),
             "did you mean \"quantize.Precision\""},
        Case{"ReferenceSkipsNobody", Adding("references { name: 'x' skip: 'prun' }"),
             "did you mean \"prune\""}),
    [](const ::testing::TestParamInfo<Case>& info) { return std::string(info.param.name); });

TEST(JobChecksTest, NamedFlowNeedsNoTasks) {
  v1::JobSpec job = LegalJob();
  job.mutable_flow()->clear_tasks();
  job.mutable_flow()->set_name("prune_quantize");
  EXPECT_OK(JobSpecFromProto(job));
}

TEST(JobChecksTest, VectorValueIsCheckedByElement) {
  const Variable bits{
      .name = "bits", .type = VariableType::kInteger, .min = 2, .max = 8, .length = 3};
  EXPECT_OK(CheckVariableValue(bits, Value::List{2, 5, 8}, "p"));
  EXPECT_THAT(CheckVariableValue(bits, Value::List{2, 5}, "p"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not 3")));
  EXPECT_THAT(CheckVariableValue(bits, Value::List{2, 5, 9}, "p"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("from 2 to 8")));
  EXPECT_FALSE(CheckVariableValue(bits, 3, "p").ok());
}

TEST(JobChecksTest, PermutationValueIsAnOrderOfItsLevels) {
  const Variable order{.name = "o", .type = VariableType::kPermutation, .levels = {"a", "b"}};
  EXPECT_OK(CheckVariableValue(order, Value::List{"b", "a"}, "p"));
  EXPECT_FALSE(CheckVariableValue(order, Value::List{"b", "b"}, "p").ok());
}

}  // namespace
}  // namespace dovetail::convert
