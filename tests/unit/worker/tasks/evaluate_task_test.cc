#include "services/worker/tasks/evaluate_task.h"

#include <cmath>
#include <filesystem>

#include "common/base/rng.h"
#include "services/worker/fixedpoint/engine.h"
#include "services/worker/nn/dataset.h"
#include "services/worker/nn/network.h"
#include "services/worker/tasks/check_dataset_task.h"
#include "services/worker/tasks/describe_task.h"
#include "tests/support/networks.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace dovetail {
namespace {

using ::dovetail::testing::StatusIs;
using ::testing::HasSubstr;

class EvaluateTaskTest : public ::testing::Test {
 protected:
  static constexpr int64_t kCount = 500;

  void SetUp() override {
    directory_ = ::dovetail::testing::ScratchDirectory() + "/evaluate_task_test";
    std::filesystem::create_directories(directory_);
    Rng rng(7);
    for (int64_t i = 0; i < kCount * 16; ++i) {
      features_.push_back(static_cast<float>(rng.Normal()));
    }
    for (int64_t i = 0; i < kCount; ++i) labels_.push_back(static_cast<int32_t>(rng.Below(5)));
    prepared_.class_names = {"g", "q", "w", "z", "t"};
    prepared_.splits["validation"] = {{16}, kCount, features_, labels_};
  }

  absl::StatusOr<Measurement> Run(const nn::Network& network,
                                  const std::string& arithmetic = "auto") {
    EXPECT_OK(nn::WritePreparedDataset(prepared_, directory_ + "/dataset"));
    EXPECT_OK(nn::WriteNetworkFile(network, directory_ + "/network"));
    TaskContext context;
    context.input_files = {{"network", directory_ + "/network"},
                           {"dataset", directory_ + "/dataset"}};
    context.output_directory = directory_;
    context.parameters = Value(Value::Map{{"arithmetic", arithmetic}});
    return MakeEvaluateTask()->Run(context);
  }

  std::string directory_;
  std::vector<float> features_;
  std::vector<int32_t> labels_;
  nn::PreparedDataset prepared_;
  nn::Network float_network_ = testing::DenseNetwork({16, 64, 32, 32, 5}, 3);
};

TEST_F(EvaluateTaskTest, LabelsByTheFloatNetworkGiveAccuracyOne) {
  ASSERT_OK_AND_ASSIGN(const auto logits, fixedpoint::RunFloat(float_network_, features_, kCount));
  for (int64_t i = 0; i < kCount; ++i) {
    const float* row = logits.data() + i * 5;
    labels_[i] = static_cast<int32_t>(std::max_element(row, row + 5) - row);
  }
  ASSERT_OK_AND_ASSIGN(const Measurement measurement, Run(float_network_));
  EXPECT_EQ(measurement.Get("accuracy"), 1);
  EXPECT_EQ(measurement.metrics.at("accuracy").source, "dovetail float reference");
  ASSERT_OK_AND_ASSIGN(const Measurement quantized, Run(testing::Quantized(float_network_, 16, 6)));
  EXPECT_EQ(quantized.metrics.at("accuracy").source, "dovetail fixed-point engine");
  EXPECT_GT(quantized.Get("accuracy"), 0.97);
  EXPECT_GT(quantized.Get("agreement_with_float"), 0.97);
}

TEST_F(EvaluateTaskTest, StandardErrorIsThatOfAProportion) {
  ASSERT_OK_AND_ASSIGN(const Measurement measurement, Run(float_network_));
  const double p = measurement.Get("accuracy");
  EXPECT_DOUBLE_EQ(measurement.metrics.at("accuracy").standard_error,
                   std::sqrt(p * (1 - p) / kCount));
  // Random labels: no class is told from the others.
  EXPECT_NEAR(measurement.Get("auc_g"), 0.5, 0.1);
  EXPECT_GT(measurement.Get("log_loss"), std::log(5.0));
}

TEST_F(EvaluateTaskTest, TestSplitAloneIsUsed) {
  prepared_.splits = {{"test", prepared_.splits["validation"]}};
  ASSERT_OK_AND_ASSIGN(const Measurement measurement, Run(float_network_));
  EXPECT_EQ(measurement.log["split"].AsString(), "test");
}

TEST_F(EvaluateTaskTest, FixedArithmeticOfAFloatNetworkNamesTheLayer) {
  EXPECT_THAT(Run(float_network_, "fixed"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("\"input\" has no type")));
  EXPECT_THAT(Run(float_network_, "decimal"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("decimal")));
}

TEST_F(EvaluateTaskTest, NetworkOfOtherClassesIsRefused) {
  EXPECT_THAT(Run(testing::DenseNetwork({16, 8, 4}, 1)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("check_dataset")));
}

// The example as a job begins: describe, check_dataset, evaluate.
TEST(ExampleTest, JetNetworkReachesItsAccuracyOnTheValidationSplit) {
  const std::string example = std::string(DOVETAIL_SOURCE_DIR) + "/deploy/examples/jets/";
  const std::string directory = ::dovetail::testing::ScratchDirectory() + "/evaluate_example";
  std::filesystem::remove_all(directory);
  const auto run = [&](std::unique_ptr<Task> task, const std::string& name,
                       std::map<std::string, std::string> inputs, const Value& parameters) {
    TaskContext context;
    context.input_files = std::move(inputs);
    context.output_directory = directory + "/" + name;
    context.parameters = parameters;
    context.thread_count = 2;
    std::filesystem::create_directories(context.output_directory);
    return task->Run(context);
  };
  ASSERT_OK(run(MakeDescribeTask(), "describe", {{"onnx", example + "jet_dnn.onnx"}}, {}));
  ASSERT_OK_AND_ASSIGN(
      const Measurement checked,
      run(MakeCheckDatasetTask(), "check",
          {{"npz", example + "jets.npz"}, {"network", directory + "/describe/network"}},
          Value(Value::Map{{"normalization", "dataset"}})));
  EXPECT_GE(checked.Get("train_count"), 90000);
  const Value automatic(Value::Map{{"arithmetic", "auto"}});
  ASSERT_OK_AND_ASSIGN(const Measurement evaluated, run(MakeEvaluateTask(), "evaluate",
                                                        {{"network", directory + "/check/network"},
                                                         {"dataset", directory + "/check/dataset"}},
                                                        automatic));
  EXPECT_GT(evaluated.Get("accuracy"), 0.68);
  EXPECT_LT(evaluated.Get("accuracy"), 0.85);
  // 16 bits after training lose next to nothing.
  ASSERT_OK_AND_ASSIGN(nn::Network network, nn::ReadNetworkFile(directory + "/check/network"));
  ASSERT_OK(nn::WriteNetworkFile(testing::Quantized(network, 16, 6), directory + "/quantized"));
  ASSERT_OK_AND_ASSIGN(const Measurement fixed, run(MakeEvaluateTask(), "fixed",
                                                    {{"network", directory + "/quantized"},
                                                     {"dataset", directory + "/check/test"}},
                                                    automatic));
  EXPECT_EQ(fixed.log["arithmetic"].AsString(), "fixed");
  EXPECT_NEAR(fixed.Get("accuracy"), evaluated.Get("accuracy"), 0.015);
  EXPECT_GT(fixed.Get("agreement_with_float"), 0.98);
}

}  // namespace
}  // namespace dovetail
