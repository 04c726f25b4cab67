#include "services/worker/tasks/check_dataset_task.h"

#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>

#include "services/worker/nn/atomic_file.h"
#include "services/worker/nn/dataset.h"
#include "services/worker/nn/network.h"
#include "services/worker/nn/npz.h"
#include "services/worker/tasks/task.h"
#include "tests/support/networks.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace dovetail {
namespace {

using ::dovetail::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <typename Number>
nn::NpyArray ArrayOf(std::vector<int64_t> shape, const std::string& type,
                     const std::vector<Number>& values) {
  nn::NpyArray array{.shape = std::move(shape), .type = type};
  array.bytes.assign(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Number));
  return array;
}

class CheckDatasetTaskTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* split : {"train", "validation", "test"}) {
      arrays_[std::string("x_") + split] =
          ArrayOf<float>({4, 2}, "<f4", {1, 10, 3, 10, 5, 10, 7, 10});
      arrays_[std::string("y_") + split] = ArrayOf<uint8_t>({4}, "|u1", {0, 1, 2, 1});
    }
  }

  absl::StatusOr<Measurement> Run(const std::string& normalization = "dataset") {
    const std::string directory =
        ::dovetail::testing::ScratchDirectory() + "/check_dataset_task_test";
    std::filesystem::remove_all(directory);
    std::filesystem::create_directories(directory + "/out");
    EXPECT_OK(nn::WriteFileAtomically(directory + "/data.npz", {nn::WriteNpz(arrays_)}));
    EXPECT_OK(nn::WriteNetworkFile(network_, directory + "/network"));
    context_.input_files = {{"npz", directory + "/data.npz"}, {"network", directory + "/network"}};
    context_.output_directory = directory + "/out";
    context_.parameters = Value(Value::Map{{"normalization", normalization}});
    return MakeCheckDatasetTask()->Run(context_);
  }

  nn::Network network_ = testing::DenseNetwork({2, 4, 3}, 1);
  std::map<std::string, nn::NpyArray> arrays_;
  TaskContext context_;
};

TEST_F(CheckDatasetTaskTest, StandardizesAndKeepsTheTestSplitApart) {
  ASSERT_OK_AND_ASSIGN(const Measurement measurement, Run());
  EXPECT_EQ(measurement.Get("train_count"), 4);
  EXPECT_EQ(measurement.Get("feature_count"), 2);
  EXPECT_EQ(measurement.Get("class_count"), 3);
  ASSERT_OK_AND_ASSIGN(const auto dataset, nn::Dataset::Map(context_.OutputFile("dataset")));
  EXPECT_THAT(dataset->SplitNames(), ElementsAre("train", "validation"));
  ASSERT_OK_AND_ASSIGN(const nn::Split train, dataset->Get("train"));
  const float step = 1 / std::sqrt(5.0f);  // mean 4, sigma sqrt(5); the second column is constant
  EXPECT_FLOAT_EQ(train.features[0], -3 * step);
  EXPECT_FLOAT_EQ(train.features[6], 3 * step);
  EXPECT_EQ(train.features[1], 0);
  ASSERT_OK_AND_ASSIGN(const auto test, nn::Dataset::Map(context_.OutputFile("test")));
  EXPECT_THAT(test->SplitNames(), ElementsAre("test"));
}

TEST_F(CheckDatasetTaskTest, GivenMeanAndSigmaAreUsed) {
  arrays_["mean"] = ArrayOf<float>({2}, "<f4", {1, 10});
  arrays_["sigma"] = ArrayOf<float>({2}, "<f4", {2, 1});
  ASSERT_OK(Run());
  ASSERT_OK_AND_ASSIGN(const auto dataset, nn::Dataset::Map(context_.OutputFile("dataset")));
  ASSERT_OK_AND_ASSIGN(const nn::Split train, dataset->Get("train"));
  EXPECT_THAT(train.features, ElementsAre(0, 0, 1, 0, 2, 0, 3, 0));
}

TEST_F(CheckDatasetTaskTest, FirstLayerFoldingKeepsRawFeaturesAndTheFunction) {
  arrays_["mean"] = ArrayOf<float>({2}, "<f4", {4, 9});
  arrays_["sigma"] = ArrayOf<float>({2}, "<f4", {2, 0.5});
  ASSERT_OK(Run("first_layer"));
  ASSERT_OK_AND_ASSIGN(const auto dataset, nn::Dataset::Map(context_.OutputFile("dataset")));
  ASSERT_OK_AND_ASSIGN(const nn::Split train, dataset->Get("train"));
  EXPECT_THAT(train.features, ElementsAre(1, 10, 3, 10, 5, 10, 7, 10));
  ASSERT_OK_AND_ASSIGN(const nn::Network folded,
                       nn::ReadNetworkFile(context_.OutputFile("network")));
  const nn::Layer& before = *network_.Find("fc1");
  const nn::Layer& after = *folded.Find("fc1");
  for (int j = 0; j < 4; ++j) {
    const auto output = [j](const nn::Layer& layer, double a, double b) {
      const auto& kernel = layer.parameters.at("kernel").values;
      return layer.parameters.at("bias").values[j] + a * kernel[j] + b * kernel[4 + j];
    };
    EXPECT_NEAR(output(after, 7, 10), output(before, (7 - 4) / 2.0, (10 - 9) / 0.5), 1e-5);
  }
}

TEST_F(CheckDatasetTaskTest, NanIsNamedByRowAndColumn) {
  arrays_["x_train"] = ArrayOf<float>(
      {4, 2}, "<f4", {1, 10, 3, 10, 5, std::numeric_limits<float>::quiet_NaN(), 7, 10});
  arrays_["feature_names"] = nn::NpyArray{{2}, "|S5", std::string("massazlogz", 10)};
  EXPECT_THAT(Run(), StatusIs(absl::StatusCode::kInvalidArgument,
                              HasSubstr("\"x_train\": it is NaN in row 2, column 1 (zlogz)")));
}

TEST_F(CheckDatasetTaskTest, LabelOutOfRangeIsNamed) {
  arrays_["y_validation"] = ArrayOf<uint8_t>({4}, "|u1", {0, 1, 3, 1});
  EXPECT_THAT(Run(), StatusIs(absl::StatusCode::kInvalidArgument,
                              HasSubstr("the label 3 in row 2 is not in 0..2")));
}

TEST_F(CheckDatasetTaskTest, ShapeThatDoesNotFitIsNamed) {
  arrays_["x_test"] = ArrayOf<float>({2, 3}, "<f4", {1, 2, 3, 4, 5, 6});
  EXPECT_THAT(Run(), StatusIs(absl::StatusCode::kInvalidArgument,
                              HasSubstr("[2, 3] does not fit the network's input [n, 2]")));
}

TEST_F(CheckDatasetTaskTest, MissingValidationSplitIsExplained) {
  arrays_.erase("x_validation");
  EXPECT_THAT(Run(), StatusIs(absl::StatusCode::kInvalidArgument,
                              HasSubstr("no x_validation and y_validation")));
}

TEST_F(CheckDatasetTaskTest, OneHotLabelsAreUnderstood) {
  arrays_["y_train"] = ArrayOf<float>({4, 3}, "<f4", {0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 1, 0});
  ASSERT_OK(Run());
  ASSERT_OK_AND_ASSIGN(const auto dataset, nn::Dataset::Map(context_.OutputFile("dataset")));
  EXPECT_THAT(dataset->Get("train")->labels, ElementsAre(2, 1, 0, 1));
}

TEST_F(CheckDatasetTaskTest, OnlyXAndYAreSplitReproducibly) {
  arrays_.clear();
  std::vector<float> x;
  std::vector<int64_t> y;
  for (int i = 0; i < 100; ++i) {
    x.insert(x.end(), {static_cast<float>(i), static_cast<float>(i)});
    y.push_back(i % 3);
  }
  arrays_["x"] = ArrayOf<float>({100, 2}, "<f4", x);
  arrays_["y"] = ArrayOf<int64_t>({100}, "<i8", y);
  ASSERT_OK_AND_ASSIGN(const Measurement measurement, Run("none"));
  EXPECT_EQ(measurement.Get("train_count"), 60);
  EXPECT_EQ(measurement.Get("validation_count"), 20);
  EXPECT_EQ(measurement.Get("test_count"), 20);
  ASSERT_OK_AND_ASSIGN(const auto dataset, nn::Dataset::Map(context_.OutputFile("dataset")));
  const nn::Split train = *dataset->Get("train");
  for (int64_t i = 0; i < train.count; ++i) {
    EXPECT_EQ(static_cast<int>(train.features[2 * i]) % 3, train.labels[i]);
  }
}

TEST_F(CheckDatasetTaskTest, UnknownNormalizationIsRefused) {
  EXPECT_THAT(Run("minmax"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("\"minmax\" is none of")));
}

TEST_F(CheckDatasetTaskTest, RealJetsPassTheCheck) {
  const std::string npz = std::string(DOVETAIL_SOURCE_DIR) + "/../jets_preview/jets.npz";
  if (!std::filesystem::exists(npz)) GTEST_SKIP() << npz << " is not on this machine";
  network_ = testing::DenseNetwork({16, 64, 32, 32, 5}, 1);
  ASSERT_OK_AND_ASSIGN(const std::string bytes, nn::ReadWholeFile(npz));
  ASSERT_OK_AND_ASSIGN(arrays_, nn::ParseNpz(bytes));
  ASSERT_OK(Run());
  ASSERT_OK_AND_ASSIGN(const auto dataset, nn::Dataset::Map(context_.OutputFile("dataset")));
  EXPECT_THAT(dataset->class_names(), ElementsAre("g", "q", "w", "z", "t"));
}

TEST(RegisterTasksTest, RegisteredTasksAreInTheCatalogue) {
  TaskRegistry registry;
  RegisterBuiltinTasks(registry);
  for (const std::string& name : registry.Names()) EXPECT_OK(FindTaskInfo(name));
  EXPECT_NE(registry.Make("describe"), nullptr);
  EXPECT_EQ(registry.Make("no_such_task"), nullptr);
}

TEST(OutcomeTest, StatusCodesBecomeOutcomes) {
  EXPECT_EQ(OutcomeOfStatus(absl::InvalidArgumentError("")), Outcome::kInfeasible);
  EXPECT_EQ(OutcomeOfStatus(absl::DeadlineExceededError("")), Outcome::kTimeout);
  EXPECT_EQ(OutcomeOfStatus(absl::ResourceExhaustedError("")), Outcome::kOutOfMemory);
  EXPECT_EQ(OutcomeOfStatus(absl::UnavailableError("")), Outcome::kInfrastructure);
  EXPECT_EQ(OutcomeOfStatus(absl::AbortedError("")), Outcome::kCancelled);
  EXPECT_EQ(OutcomeOfStatus(absl::InternalError("")), Outcome::kBug);
}

}  // namespace
}  // namespace dovetail
