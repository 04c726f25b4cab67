// The tasks from files to files, as `dovetail-worker run` calls them.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "services/worker/tasks/task.h"
#include "services/worker/train/task_support.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/worker/train/training_fixture.h"

namespace dovetail::train {
namespace {

using ::dovetail::testing::StatusIs;
using ::testing::HasSubstr;

class TrainingTasksTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = ::dovetail::testing::ScratchDirectory() + "/train_" +
                 ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
    RegisterTrainingTasks(registry_);
    WriteDataset({"train", "validation"});
    ASSERT_OK(nn::WriteNetworkFile(DenseChain({8, 16, 4}, 7), directory_ + "/first"));
  }

  void WriteDataset(const std::vector<std::string>& splits) {
    nn::PreparedDataset prepared;
    prepared.class_names = {"a", "b", "c", "d"};
    for (const std::string& name : splits) {
      prepared.splits[name] = name == "train" ? train_.split() : validation_.split();
    }
    ASSERT_OK(nn::WritePreparedDataset(prepared, directory_ + "/data"));
  }

  absl::StatusOr<Measurement> Run(const std::string& task, const std::string& network,
                                  const std::string& output, const char* parameters) {
    TaskContext context;
    context.input_files = {{"network", directory_ + "/" + network},
                           {"dataset", directory_ + "/data"}};
    context.cache_directory = cache_directory_;
    context.output_directory = directory_ + "/" + output;
    std::filesystem::create_directories(context.output_directory);
    context.parameters =
        CanonicalParameters(**FindTaskInfo(task), Value::FromJson(parameters).value()).value();
    context.progress = [this](const Value& line) { progress_.push_back(line); };
    return registry_.Make(task)->Run(context);
  }
  nn::Network Read(const std::string& file) {
    return nn::ReadNetworkFile(directory_ + "/" + file).value();
  }

  const Samples train_ = Clouds(2000, 8, 4, 1);
  const Samples validation_ = Clouds(500, 8, 4, 2);
  std::string directory_;
  std::string cache_directory_;  // none
  TaskRegistry registry_;
  std::vector<Value> progress_;
};

TEST_F(TrainingTasksTest, TrainPruneQuantizeCompose) {
  ASSERT_OK_AND_ASSIGN(
      const Measurement trained,
      Run("train", "first", "t", R"({"epochs": 5, "batch_size": 64, "from_scratch": true})"));
  EXPECT_GT(trained.Get("validation_accuracy"), 0.9);
  EXPECT_EQ(progress_.size(), 5u);
  ASSERT_OK_AND_ASSIGN(
      const Measurement pruned,
      Run("prune", "t/network", "p", R"({"rate": 0.6, "epochs": 4, "batch_size": 64})"));
  EXPECT_DOUBLE_EQ(pruned.Get("kept_fraction"), 1 - std::round(0.6 * 192) / 192);
  ASSERT_OK_AND_ASSIGN(const Measurement quantized,
                       Run("quantize", "p/network", "q", R"({"epochs": 3, "batch_size": 64})"));
  EXPECT_GT(quantized.Get("float_validation_accuracy"), 0.85);
  EXPECT_EQ(quantized.Get("kept_fraction"), pruned.Get("kept_fraction"));
  const nn::Network network = Read("q/network");
  EXPECT_TRUE(network.IsQuantized());
  EXPECT_GE(ZeroCount(network), std::llround(0.6 * 192));
  EXPECT_EQ(network.provenance["task"].AsString(), "quantize");
  EXPECT_EQ(network.provenance["parent_provenance"]["task"].AsString(), "prune");
  EXPECT_EQ(network.provenance["parent_provenance"]["parameters"]["rate"].AsNumber(), 0.6);
}

TEST_F(TrainingTasksTest, QuantizedNetworksCanBePrunedAfterwards) {
  ASSERT_OK(Run("train", "first", "t", R"({"epochs": 5, "batch_size": 64})"));
  ASSERT_OK(Run("quantize", "t/network", "q", R"({"epochs": 2, "batch_size": 64})"));
  ASSERT_OK_AND_ASSIGN(
      const Measurement pruned,
      Run("prune", "q/network", "qp", R"({"rate": 0.5, "epochs": 4, "batch_size": 64})"));
  EXPECT_GT(pruned.Get("validation_accuracy"), 0.85);
  const nn::Network network = Read("qp/network");
  EXPECT_TRUE(network.IsQuantized());
  EXPECT_GE(ZeroCount(network), 96);
}

TEST_F(TrainingTasksTest, PrecisionGivesEveryTensorTheOneType) {
  ASSERT_OK(Run("train", "first", "t", R"({"epochs": 5, "batch_size": 64})"));
  ASSERT_OK_AND_ASSIGN(
      const Measurement measured,
      Run("quantize", "t/network", "b", R"({"Precision": "ap_fixed<18,8>", "epochs": 0})"));
  EXPECT_GT(measured.Get("validation_accuracy"), 0.9);
  const nn::Network network = Read("b/network");
  EXPECT_EQ(FixedTypeToText(network.Find("relu1")->types.at("result").type), "ap_fixed<18,8>");
  const nn::Network before = Read("t/network");
  const float weight = before.Find("fc1")->parameters.at("kernel").values[3];
  EXPECT_EQ(network.Find("fc1")->parameters.at("kernel").values[3],
            std::floor(weight * 1024) / 1024);  // AP_TRN
}

TEST_F(TrainingTasksTest, EqualRunsWriteEqualBytes) {
  ASSERT_OK(Run("prune", "first", "a", R"({"rate": 0.5, "epochs": 2})"));
  ASSERT_OK(Run("prune", "first", "b", R"({"rate": 0.5, "epochs": 2})"));
  EXPECT_EQ(nn::SerializeNetwork(Read("a/network")), nn::SerializeNetwork(Read("b/network")));
}

TEST_F(TrainingTasksTest, RatesOutsideTheUnitIntervalAreInvalid) {
  for (const char* parameters : {R"({"rate": 1})", R"({"rate": -0.1})"}) {
    EXPECT_THAT(Run("prune", "first", "x", parameters),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not in [0, 1)")));
  }
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/x/network"));
}

TEST_F(TrainingTasksTest, AutomaticPruningStaysWithinItsTolerance) {
  ASSERT_OK_AND_ASSIGN(const Measurement trained,
                       Run("train", "first", "t", R"({"epochs": 5, "batch_size": 64})"));
  ASSERT_OK_AND_ASSIGN(const Measurement pruned,
                       Run("prune", "t/network", "p",
                           R"({"rate": 0.5, "mode": "auto", "epochs": 3, "batch_size": 64,
                               "tolerance": 0.05})"));
  EXPECT_GE(pruned.Get("validation_accuracy"), trained.Get("validation_accuracy") - 0.05);
  EXPECT_LT(pruned.Get("kept_fraction"), 0.7);
  EXPECT_EQ(pruned.log["trace"].AsList().size(), pruned.Get("evaluations"));
  EXPECT_FALSE(pruned.log["plot"].AsString().empty());
}

TEST_F(TrainingTasksTest, AnInterruptedSearchEndsAsAnUninterruptedOne) {
  const char* const parameters = R"({"rate": 0.5, "mode": "auto", "epochs": 2, "tolerance": 0.1})";
  const char* const shorter =
      R"({"rate": 0.5, "mode": "auto", "epochs": 2, "tolerance": 0.1, "max_evaluations": 2})";
  ASSERT_OK(Run("prune", "first", "plain", parameters));
  cache_directory_ = directory_ + "/cache";
  ASSERT_OK(Run("prune", "first", "cut", shorter));
  ASSERT_OK(Run("prune", "first", "resumed", parameters));
  ASSERT_OK(Run("prune", "first", "again", parameters));  // from the cache alone
  EXPECT_EQ(nn::SerializeNetwork(Read("plain/network")),
            nn::SerializeNetwork(Read("resumed/network")));
  EXPECT_EQ(nn::SerializeNetwork(Read("plain/network")),
            nn::SerializeNetwork(Read("again/network")));
}

TEST_F(TrainingTasksTest, StructuredPruningMakesTheMatricesSmaller) {
  ASSERT_OK(Run("prune", "first", "n", R"({"rate": 0.5, "scope": "neurons", "epochs": 1})"));
  EXPECT_EQ(Read("n/network").Find("fc1")->output_shape, nn::Shape{8});
}

TEST_F(TrainingTasksTest, ScaleByAFactorAndByTolerance) {
  ASSERT_OK(Run("train", "first", "t", R"({"epochs": 5, "batch_size": 64})"));
  ASSERT_OK(Run("scale", "t/network", "s", R"({"factor": 0.25, "epochs": 1})"));
  EXPECT_EQ(Read("s/network").Find("fc1")->output_shape, nn::Shape{4});
  ASSERT_OK_AND_ASSIGN(const Measurement scaled,
                       Run("scale", "t/network", "a",
                           R"({"mode": "auto", "epochs": 3, "batch_size": 64,
                               "tolerance": 0.02, "from": "scratch"})"));
  EXPECT_GE(scaled.Get("evaluations"), 1);
  EXPECT_THAT(Run("scale", "t/network", "x", R"({"factor": 0})"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("(0, 1]")));
}

TEST_F(TrainingTasksTest, TrainableBitsFromTheTask) {
  ASSERT_OK(Run("train", "first", "t", R"({"epochs": 5, "batch_size": 64})"));
  ASSERT_OK_AND_ASSIGN(
      const Measurement learnt,
      Run("quantize", "t/network", "h", R"({"bits": "trainable", "epochs": 9, "batch_size": 64})"));
  EXPECT_GT(learnt.Get("effective_bit_operations"), 0);
  EXPECT_GT(learnt.Get("validation_accuracy"), 0.85);
  EXPECT_THAT(Run("quantize", "t/network", "x", R"({"bits": "few"})"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("uniform, trainable")));
}

TEST_F(TrainingTasksTest, UnknownScopeNamesTheKnown) {
  EXPECT_THAT(Run("prune", "first", "x", R"({"rate": 0.5, "scope": "synapse"})"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("global, layer, neurons")));
}

TEST_F(TrainingTasksTest, MalformedPrecisionIsInvalid) {
  EXPECT_THAT(Run("quantize", "first", "x", R"({"Precision": "ap_fixed<99>"})"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("Precision")));
}

TEST_F(TrainingTasksTest, DatasetWithoutValidationSplitIsRefused) {
  WriteDataset({"train"});
  EXPECT_THAT(Run("train", "first", "x", R"({"epochs": 1})"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("validation")));
}

}  // namespace
}  // namespace dovetail::train
