#include "services/worker/train/bit_learning.h"

#include <gtest/gtest.h>

#include <cmath>

#include "services/worker/fixedpoint/engine.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/worker/train/training_fixture.h"

namespace dovetail::train {
namespace {

using ::dovetail::testing::StatusIs;
using ::testing::HasSubstr;

class BitLearningTest : public ::testing::Test {
 protected:
  void SetUp() override {
    TrainOptions options = Options(5);
    ASSERT_OK(
        MakeDenseTrainer()->Fit(train_.split(), validation_.split(), options, network_).status());
  }
  static TrainOptions Options(int epochs) {
    TrainOptions options;
    options.epochs = epochs;
    options.batch_size = 64;
    options.learning_rate = 0.005;
    return options;
  }
  absl::StatusOr<BitResult> Learn(double resource_weight, nn::Network& network) {
    BitOptions bit_options;
    bit_options.resource_weight = resource_weight;
    bit_options.bit_learning_rate = 0.03;
    return LearnBits(train_.split(), validation_.split(), Options(12), bit_options, network);
  }

  const Samples train_ = Clouds(2000, 8, 4, 1);
  const Samples validation_ = Clouds(500, 8, 4, 2);
  nn::Network network_ = DenseChain({8, 32, 16, 4}, 7);
};

TEST_F(BitLearningTest, AccuracyIsThatOfTheFixedPointEngine) {
  ASSERT_OK_AND_ASSIGN(const BitResult result, Learn(1e-5, network_));
  EXPECT_GT(result.training.validation_accuracy, 0.9);
  ASSERT_OK(nn::Check(network_));
  ASSERT_TRUE(network_.IsQuantized());
  ASSERT_OK_AND_ASSIGN(const auto engine, fixedpoint::Engine::Make(network_));
  ASSERT_OK_AND_ASSIGN(const std::vector<int64_t> raw, engine->RunRaw(validation_.features, 500));
  int hits = 0;
  for (int i = 0; i < 500; ++i) {
    const auto row = raw.begin() + i * 4;
    hits += std::max_element(row, row + 4) - row == validation_.labels[i];
  }
  EXPECT_EQ(result.training.validation_accuracy, hits / 500.0);
}

TEST_F(BitLearningTest, DearerHardwareLeavesFewerBitsAndWeights) {
  nn::Network cheap = network_;
  nn::Network dear = network_;
  ASSERT_OK_AND_ASSIGN(const BitResult few, Learn(3e-4, dear));
  ASSERT_OK_AND_ASSIGN(const BitResult many, Learn(1e-7, cheap));
  EXPECT_LT(few.effective_bit_operations, 0.5 * many.effective_bit_operations);
  EXPECT_GT(ZeroCount(dear), ZeroCount(cheap));
}

TEST_F(BitLearningTest, EqualRunsGiveEqualNetworks) {
  nn::Network again = network_;
  ASSERT_OK(Learn(1e-5, network_));
  ASSERT_OK(Learn(1e-5, again));
  EXPECT_EQ(nn::SerializeNetwork(network_), nn::SerializeNetwork(again));
}

TEST_F(BitLearningTest, NegativePricesAreInvalid) {
  EXPECT_THAT(Learn(-1, network_),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("resource_weight")));
}

}  // namespace
}  // namespace dovetail::train
