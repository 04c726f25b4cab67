#include "services/worker/nn/dataset.h"

#include <filesystem>
#include <fstream>

#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace dovetail::nn {
namespace {

using ::dovetail::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class DatasetTest : public ::testing::Test {
 protected:
  const std::string file_ = ::dovetail::testing::ScratchDirectory() + "/dataset_test.dataset";
  std::vector<float> features_ = {1, 2, 3, 4, 5, 6};
  std::vector<int32_t> labels_ = {0, 2, 1};

  PreparedDataset Prepared() {
    PreparedDataset prepared;
    prepared.class_names = {"g", "q", "t"};
    prepared.feature_names = {"mass", "zlogz"};
    prepared.splits["train"] = {{2}, 3, features_, labels_};
    prepared.splits["validation"] = {
        {2}, 1, absl::MakeConstSpan(features_).first(2), absl::MakeConstSpan(labels_).first(1)};
    return prepared;
  }
};

TEST_F(DatasetTest, WrittenSplitsAreMappedAligned) {
  ASSERT_OK(WritePreparedDataset(Prepared(), file_));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Dataset> dataset, Dataset::Map(file_));
  EXPECT_EQ(dataset->class_count(), 3);
  EXPECT_THAT(dataset->class_names(), ElementsAre("g", "q", "t"));
  EXPECT_THAT(dataset->FeatureNames(), ElementsAre("mass", "zlogz"));
  EXPECT_THAT(dataset->SplitNames(), ElementsAre("train", "validation"));
  ASSERT_OK_AND_ASSIGN(const Split train, dataset->Get("train"));
  EXPECT_EQ(train.count, 3);
  EXPECT_THAT(train.sample_shape, ElementsAre(2));
  EXPECT_THAT(train.features, ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(train.labels, ElementsAre(0, 2, 1));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(train.features.data()) % 64, 0u);
}

TEST_F(DatasetTest, UnknownSplitNamesThoseThereAre) {
  ASSERT_OK(WritePreparedDataset(Prepared(), file_));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Dataset> dataset, Dataset::Map(file_));
  EXPECT_THAT(dataset->Get("test"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("train, validation")));
}

TEST_F(DatasetTest, LabelOutOfRangeIsNotWritten) {
  labels_[1] = 3;
  EXPECT_THAT(WritePreparedDataset(Prepared(), file_ + ".bad"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("label 3")));
  EXPECT_FALSE(std::filesystem::exists(file_ + ".bad"));
}

TEST_F(DatasetTest, EveryTruncationIsAnError) {
  ASSERT_OK(WritePreparedDataset(Prepared(), file_));
  const auto size = std::filesystem::file_size(file_);
  for (uintmax_t cut = 0; cut < size - 64; cut += 7) {
    const std::string shorter = file_ + ".cut";
    std::filesystem::copy_file(file_, shorter, std::filesystem::copy_options::overwrite_existing);
    std::filesystem::resize_file(shorter, cut);
    EXPECT_FALSE(Dataset::Map(shorter).ok()) << cut;
  }
}

TEST_F(DatasetTest, ForeignFileIsInvalid) {
  std::ofstream(file_) << "a text that is long enough to be looked at";
  EXPECT_THAT(Dataset::Map(file_),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("check_dataset")));
}

TEST_F(DatasetTest, MissingFileIsNotFound) {
  EXPECT_THAT(Dataset::Map("/nonexistent"), StatusIs(absl::StatusCode::kNotFound, HasSubstr("")));
}

}  // namespace
}  // namespace dovetail::nn
