#include "services/cli/job_file/job_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "common/convert/job_convert.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace dovetail::cli {
namespace {

using dovetail::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kGood[] = R"(name: jets
network: {file: jet_dnn.onnx}
dataset:
  file: data/jets.npz
  normalization: first_layer
Part: xcu250-figd2104-2L-e
ClockPeriod: 5
IOType: io_parallel
HLSConfig:
  Model: {ReuseFactor: 1, Strategy: latency, TraceOutput: false}
flow:
  tasks:
    - task: prune
      params: {rate: = pruning_rate, epochs: 6}
    - name: q
      task: quantize
      params:
        weight_bits: "= weight_bits"
      inputs: {network: prune.network}
      after: [prune]
space:
  variables:
    - {name: pruning_rate, type: continuous, min: 0.3, max: 0.97}
    - {name: weight_bits, type: integer, min: 3, max: 8}
    - {name: scope, type: categorical, levels: [global, layer, 3, true, "4"]}
search: {strategy: gp, seed: 18446744073709551615, order: fixed_lag}
objectives:
  - {metric: accuracy, goal: maximize}
  - {metric: lut, goal: minimize}
constraints:
  - {metric: accuracy, atLeast: -0.02, relativeTo: float_network}
budget: {trials: 40, toolSeconds: 1.5e3}
references:
  - name: baseline
    cfg: {quantize.Precision: "ap_fixed<18,8>"}
    skip: [prune]
)";

TEST(JobFileTest, EveryFieldArrives) {
  ASSERT_OK_AND_ASSIGN(const JobFile job, ParseJobFile(kGood, "dir/job.yaml"));
  const v1::JobSpec& spec = job.spec;
  EXPECT_EQ(spec.name(), "jets");
  EXPECT_EQ(spec.network().file(), "dir/jet_dnn.onnx");
  EXPECT_EQ(spec.dataset().file(), "dir/data/jets.npz");
  EXPECT_EQ(spec.dataset().normalization(), v1::NORMALIZATION_FIRST_LAYER);
  EXPECT_EQ(spec.part(), "xcu250-figd2104-2L-e");
  EXPECT_EQ(spec.clock_period(), 5);
  const auto& model = spec.hls_config().fields().at("Model").struct_value().fields();
  EXPECT_EQ(model.at("ReuseFactor").number_value(), 1);
  EXPECT_EQ(model.at("Strategy").string_value(), "latency");
  EXPECT_FALSE(model.at("TraceOutput").bool_value());
  ASSERT_EQ(spec.flow().tasks_size(), 2);
  EXPECT_EQ(spec.flow().tasks(0).params().fields().at("rate").string_value(), "= pruning_rate");
  EXPECT_EQ(spec.flow().tasks(0).params().fields().at("epochs").number_value(), 6);
  EXPECT_EQ(spec.flow().tasks(0).line(), 13);
  EXPECT_EQ(spec.flow().tasks(1).line(), 15);
  EXPECT_EQ(spec.flow().tasks(1).inputs().at("network"), "prune.network");
  EXPECT_EQ(spec.flow().tasks(1).after(0), "prune");
  EXPECT_EQ(spec.space().variables(1).type(), v1::VARIABLE_TYPE_INTEGER);
  const auto& levels = spec.space().variables(2).levels();
  EXPECT_EQ(levels[0].string_value(), "global");
  EXPECT_EQ(levels[2].number_value(), 3);
  EXPECT_TRUE(levels[3].bool_value());
  EXPECT_EQ(levels[4].string_value(), "4");
  EXPECT_EQ(spec.search().seed(), ~uint64_t{0});
  EXPECT_EQ(spec.search().order(), v1::SUGGESTION_ORDER_FIXED_LAG);
  EXPECT_EQ(spec.constraints(0).at_least(), -0.02);
  EXPECT_FALSE(spec.constraints(0).has_at_most());
  EXPECT_EQ(spec.budget().tool_seconds(), 1500);
  EXPECT_EQ(spec.references(0).skip(0), "prune");
}

TEST(JobFileTest, ProtoSpellingOfAKeyIsTakenToo) {
  ASSERT_OK_AND_ASSIGN(const JobFile job, ParseJobFile("budget: {tool_seconds: 7}", "j"));
  EXPECT_EQ(job.spec.budget().tool_seconds(), 7);
}

struct Case {
  const char* name;
  const char* text;
  const char* message;
};
std::ostream& operator<<(std::ostream& stream, const Case& one) { return stream << one.name; }

class WrongJobFileTest : public ::testing::TestWithParam<Case> {};

TEST_P(WrongJobFileTest, IsRefusedWithItsPlace) {
  const auto job = ParseJobFile(GetParam().text, "j.yaml");
  ASSERT_THAT(job, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(GetParam().message)));
  EXPECT_EQ(std::string(job.status().message()).find('\n'), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    All, WrongJobFileTest,
    ::testing::Values(
        Case{"Misspelt", "name: x\nobjetives: []\n",
             "j.yaml:2:1: unknown key \"objetives\" in the file; did you mean \"objectives\"?"},
        Case{"MisspeltWithin", "budget:\n  trials: 3\n  trial: 4\n",
             "j.yaml:3:3: unknown key \"trial\" in budget; did you mean \"trials\"?"},
        Case{"HlsKnobInLowerCase", "clockperiod: 5", "did you mean \"ClockPeriod\""},
        Case{"LineIsNotTheUsers", "flow: {tasks: [{task: prune, line: 3}]}",
             "unknown key \"line\""},
        Case{"Twice", "name: x\nname: y\n", "j.yaml:2:1: \"name\" is there twice"},
        Case{"TwiceInTwoSpellings", "budget: {tool_seconds: 1, toolSeconds: 2}",
             "\"toolSeconds\" is there twice"},
        Case{"TwiceInStruct", "HLSConfig: {a: 1, a: 2}", "\"a\" is there twice"},
        Case{"TextForNumber", "budget: {trials: many}",
             "j.yaml:1:18: trials is a whole number, not \"many\""},
        Case{"FractionForInteger", "budget: {trials: 4.5}", "a whole number, not \"4.5\""},
        Case{"QuotedNumber", "budget: {trials: \"4\"}", "a whole number, not \"4\""},
        Case{"TooLargeInteger", "budget: {trials: 4000000000}", "a whole number"},
        Case{"NegativeSeed", "search: {seed: -1}", "a whole number from 0"},
        Case{"Infinity", "ClockPeriod: .inf", "a finite number"},
        Case{"HugeExponent", "ClockPeriod: 1e999", "a finite number"},
        Case{"NanInStruct", "HLSConfig: {a: .nan}", "HLSConfig.a: \".nan\" is not a finite"},
        Case{"ListForMap", "budget: [1]", "budget is a map of keys, not a list"},
        Case{"MapForList", "objectives: {metric: lut}", "objectives is a list, not a map"},
        Case{"ScalarForList", "objectives: lut", "objectives is a list, not \"lut\""},
        Case{"MapForText", "name: {a: b}", "name is text, not a map"},
        Case{"EmptyText", "name:", "name is text, not nothing"},
        Case{"UnknownEnum", "dataset: {normalization: firstlayer}",
             "one of none, dataset, first_layer, not \"firstlayer\"; did you mean "
             "\"first_layer\"?"},
        Case{"EnumWithPrefix", "objectives: [{metric: lut, goal: GOAL_MINIMIZE}]",
             "one of minimize, maximize"},
        Case{"UnspecifiedEnum", "objectives: [{metric: lut, goal: unspecified}]",
             "one of minimize, maximize"},
        Case{"NotAMap", "just text", "the file is a map of keys, not \"just text\""},
        Case{"Empty", "", "the file is empty"},
        Case{"OnlyAComment", "# nothing\n", "the file is empty"},
        Case{"NotYaml", "name: [1, 2\nx: y", "not YAML"}, Case{"Tab", "name:\n\t- x", "not YAML"},
        Case{"TwoDocuments", "name: x\n---\nname: y\n", "one file, one job"},
        Case{"ForeignTag", "name: !!python/object x", "is not allowed"},
        Case{"UnknownAlias", "name: *nobody", "not YAML"},
        Case{"KeyThatIsAList", "[a, b]: c", "not a word"},
        Case{"NotUtf8", "name: \xff\xfe", "not a text file"},
        Case{"CutUtf8", "name: \xe2\x82", "not a text file"}),
    [](const ::testing::TestParamInfo<Case>& info) { return std::string(info.param.name); });

TEST(HostileJobFileTest, NulByteIsRefused) {
  EXPECT_THAT(ParseJobFile(absl::string_view("name: a\0b", 9), "j"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not a text file")));
}

TEST(HostileJobFileTest, AliasesThatMultiplyAreCutOff) {
  std::string text = "HLSConfig:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    text += "  a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int k = 0; k < 10; ++k) text += (k ? ", *a" : "*a") + std::to_string(i - 1);
    text += "]\n";
  }
  EXPECT_THAT(ParseJobFile(text, "j"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("alias")));
}

TEST(HostileJobFileTest, AliasOfItselfIsCutOff) {
  EXPECT_FALSE(ParseJobFile("HLSConfig: &a {x: *a}", "j").ok());
}

TEST(HostileJobFileTest, DeepNestingIsCutOff) {
  for (const int depth : {100, 1000, 100'000}) {
    EXPECT_THAT(ParseJobFile("HLSConfig: {a: " + std::string(depth, '['), "j"),
                StatusIs(absl::StatusCode::kInvalidArgument, ::testing::_))
        << depth;
    EXPECT_FALSE(
        ParseJobFile("HLSConfig: {a: " + std::string(depth, '[') + std::string(depth, ']') + "}",
                     "j")
            .ok());
  }
}

TEST(HostileJobFileTest, HugeFileIsRefusedUnread) {
  EXPECT_THAT(ParseJobFile(std::string(2 << 20, ' '), "j"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("limit")));
}

TEST(HostileJobFileTest, LongKeyIsShortenedInTheMessage) {
  const auto job = ParseJobFile(std::string(1000, 'k') + ": 1", "j");
  ASSERT_FALSE(job.ok());
  EXPECT_LT(job.status().message().size(), 600u);
}

class FilesTest : public ::testing::Test {
 protected:
  FilesTest() : directory_(::dovetail::testing::ScratchDirectory() + "job_file_test") {
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_ + "/data");
    std::ofstream(directory_ + "/net.onnx") << "abc";
    std::ofstream(directory_ + "/data/set.npz") << "def";
  }
  std::string Write(const std::string& text) {
    std::ofstream(directory_ + "/job.yaml") << text;
    return directory_ + "/job.yaml";
  }
  std::string directory_;
};

TEST_F(FilesTest, DigestsAreOfTheFilesBesideTheJobFile) {
  ASSERT_OK_AND_ASSIGN(
      JobFile job,
      ReadJobFile(Write("network: {file: net.onnx}\ndataset: {file: data/set.npz}\n")));
  ASSERT_OK(DigestFiles(job));
  EXPECT_EQ(job.spec.network().digest(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(job.spec.dataset().digest().size(), 64u);
}

TEST_F(FilesTest, MissingFileIsNamedWithItsLine) {
  ASSERT_OK_AND_ASSIGN(JobFile job, ReadJobFile(Write("name: x\nnetwork: {file: nt.onnx}\n")));
  EXPECT_THAT(DigestFiles(job), StatusIs(absl::StatusCode::kNotFound,
                                         HasSubstr("job.yaml:2: network.file " + directory_ +
                                                   "/nt.onnx: No such file")));
}

TEST_F(FilesTest, DirectoryAndEmptyFileAreRefused) {
  std::ofstream(directory_ + "/empty.onnx");
  ASSERT_OK_AND_ASSIGN(JobFile job, ReadJobFile(Write("network: {file: data}\n")));
  EXPECT_THAT(DigestFiles(job),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not a regular file")));
  ASSERT_OK_AND_ASSIGN(job, ReadJobFile(Write("network: {file: empty.onnx}\n")));
  EXPECT_THAT(DigestFiles(job), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("empty")));
}

TEST_F(FilesTest, MissingJobFileIsNotFound) {
  EXPECT_THAT(ReadJobFile(directory_ + "/none.yaml"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("none.yaml: No such file")));
  EXPECT_THAT(ReadJobFile("/dev/zero"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not a regular file")));
}

TEST_F(FilesTest, ErrorsOfTheSpecGetTheirFieldsLine) {
  ASSERT_OK_AND_ASSIGN(JobFile job, ReadJobFile(Write("name: x\nbudget: {trials: -1}\n")));
  job.path = "j.yaml";
  EXPECT_EQ(AtItsLine(job, absl::InvalidArgumentError("budget.trials: must be")).message(),
            "j.yaml:2: budget.trials: must be");
  EXPECT_EQ(AtItsLine(job, absl::InvalidArgumentError("network: missing")).message(),
            "j.yaml: network: missing");
}

}  // namespace
}  // namespace dovetail::cli
