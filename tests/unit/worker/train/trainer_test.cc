#include "services/worker/train/trainer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "services/worker/fixedpoint/engine.h"
#include "services/worker/train/quantizer.h"
#include "services/worker/train/type_choice.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/worker/train/training_fixture.h"

namespace dovetail::train {
namespace {

using ::dovetail::testing::StatusIs;
using ::testing::HasSubstr;

class TrainerTest : public ::testing::Test {
 protected:
  TrainResult Fit(const TrainOptions& options, nn::Network& network) {
    return MakeDenseTrainer()->Fit(train_.split(), validation_.split(), options, network).value();
  }
  static TrainOptions Options(int epochs) {
    TrainOptions options;
    options.epochs = epochs;
    options.batch_size = 128;
    options.learning_rate = 0.01;
    return options;
  }

  const Samples train_ = Clouds(3000, 8, 4, 1);
  const Samples validation_ = Clouds(1000, 8, 4, 2);
};

TEST_F(TrainerTest, LearnsWhatCanBeLearnt) {
  nn::Network network = DenseChain({8, 16, 8, 4}, 7);
  const TrainResult result = Fit(Options(8), network);
  EXPECT_GT(result.validation_accuracy, 0.9);
  EXPECT_EQ(result.epochs.size(), 8u);
  EXPECT_LT(result.epochs.back().train_loss, result.epochs.front().train_loss);
}

TEST_F(TrainerTest, EqualSeedsGiveEqualNetworksAndOthersNot) {
  nn::Network a = DenseChain({8, 16, 4}, 7);
  nn::Network b = a;
  nn::Network c = a;
  TrainOptions options = Options(2);
  Fit(options, a);
  Fit(options, b);
  options.seed = 2;
  Fit(options, c);
  EXPECT_EQ(nn::SerializeNetwork(a), nn::SerializeNetwork(b));
  EXPECT_NE(nn::SerializeNetwork(a), nn::SerializeNetwork(c));
}

TEST_F(TrainerTest, GradualPruningEndsAtExactlyTheRateAndKeepsAccuracy) {
  nn::Network network = DenseChain({8, 32, 16, 4}, 7);
  Fit(Options(6), network);
  TrainOptions options = Options(6);
  options.pruning = PruneSchedule{{0.7}};
  const TrainResult result = Fit(options, network);
  const int64_t weights = 8 * 32 + 32 * 16 + 16 * 4;
  EXPECT_EQ(ZeroCount(network), std::llround(0.7 * weights));
  EXPECT_GT(result.validation_accuracy, 0.9);
  EXPECT_GT(result.best_epoch, 2);  // an epoch before the window's end is no candidate
  const nn::Layer& layer = *network.Find("fc2");
  ASSERT_TRUE(layer.masks.contains("kernel"));
  for (size_t k = 0; k < layer.masks.at("kernel").values.size(); ++k) {
    EXPECT_EQ(layer.masks.at("kernel").values[k] == 0.0f,
              layer.parameters.at("kernel").values[k] == 0.0f);
  }
}

TEST_F(TrainerTest, LayerScopePrunesEachLayerAlike) {
  nn::Network network = DenseChain({8, 32, 4}, 7);
  TrainOptions options = Options(0);
  options.pruning = PruneSchedule{{0.25}, PruneScope::kLayer};
  Fit(options, network);
  for (const char* name : {"fc1", "fc2"}) {
    const auto& values = network.Find(name)->parameters.at("kernel").values;
    EXPECT_EQ(std::count(values.begin(), values.end(), 0.0f), std::llround(0.25 * values.size()));
  }
}

TEST_F(TrainerTest, PrunedWeightsStayPrunedInLaterTraining) {
  nn::Network network = DenseChain({8, 32, 4}, 7);
  TrainOptions options = Options(0);
  options.pruning = PruneSchedule{{0.5}};
  Fit(options, network);
  const nn::Tensor mask = network.Find("fc1")->masks.at("kernel");
  Fit(Options(2), network);
  EXPECT_EQ(network.Find("fc1")->masks.at("kernel").values, mask.values);
  for (size_t k = 0; k < mask.values.size(); ++k) {
    if (mask.values[k] == 0.0f) {
      EXPECT_EQ(network.Find("fc1")->parameters.at("kernel").values[k], 0.0f);
    }
  }
}

// The logits of the trained network by the engine are what the trainer's own forward pass said.
TEST_F(TrainerTest, QuantizedForwardPassIsTheFixedPointEngine) {
  for (const int bits : {4, 6, 12}) {  // 12 bits need double
    nn::Network network = DenseChain({8, 32, 16, 4}, 7);
    Fit(Options(3), network);
    ASSERT_OK(ChooseTypes(train_.split(), {.weight_bits = bits, .activation_bits = bits}, network));
    const TrainResult result = Fit(Options(3), network);
    ASSERT_OK_AND_ASSIGN(const auto engine, fixedpoint::Engine::Make(network));
    ASSERT_OK_AND_ASSIGN(const std::vector<int64_t> raw,
                         engine->RunRaw(validation_.features, 1000));
    int64_t hits = 0;
    double loss = 0;
    const double step = std::ldexp(1.0, -engine->logits_type().type.fraction_bits());
    for (int i = 0; i < 1000; ++i) {
      int best = 0;
      double sum = 0;
      for (int j = 0; j < 4; ++j) {
        if (raw[i * 4 + j] > raw[i * 4 + best]) best = j;
        sum += std::exp(static_cast<double>(raw[i * 4 + j]) * step);
      }
      hits += best == validation_.labels[i];
      loss += std::log(sum) - static_cast<double>(raw[i * 4 + validation_.labels[i]]) * step;
    }
    EXPECT_EQ(result.validation_accuracy, static_cast<double>(hits) / 1000) << bits;
    EXPECT_NEAR(result.validation_loss, loss / 1000, 1e-5) << bits;
    EXPECT_GT(result.validation_accuracy, bits == 4 ? 0.8 : 0.9) << bits;
  }
}

TEST_F(TrainerTest, FinalWeightsLieOnTheirGrid) {
  nn::Network network = DenseChain({8, 16, 4}, 7);
  ASSERT_OK(ChooseTypes(train_.split(), {.weight_bits = 5, .activation_bits = 5}, network));
  Fit(Options(2), network);
  ASSERT_TRUE(network.IsQuantized());
  for (const nn::Layer& layer : network.layers) {
    for (const auto& [role, tensor] : layer.parameters) {
      for (const float value : tensor.values) {
        EXPECT_EQ(value, CastToGrid(value, layer.types.at(role).type)) << layer.name << role;
      }
    }
  }
}

TEST_F(TrainerTest, DivergenceKeepsTheLastGoodWeights) {
  nn::Network network = DenseChain({8, 16, 4}, 7);
  const nn::Network before = network;
  TrainOptions options = Options(5);
  options.optimizer.kind = OptimizerKind::kSgd;
  options.schedule = ScheduleKind::kConstant;
  options.learning_rate = 1e30;
  const TrainResult result = Fit(options, network);
  EXPECT_TRUE(result.diverged);
  EXPECT_EQ(result.best_epoch, 0);
  EXPECT_EQ(nn::SerializeNetwork(network), nn::SerializeNetwork(before));
}

TEST_F(TrainerTest, DivergenceWhilePruningStillPrunes) {
  nn::Network network = DenseChain({8, 16, 4}, 7);
  TrainOptions options = Options(5);
  options.optimizer.kind = OptimizerKind::kSgd;
  options.schedule = ScheduleKind::kConstant;
  options.learning_rate = 1e30;
  options.pruning = PruneSchedule{{0.5}};
  const TrainResult result = Fit(options, network);
  EXPECT_TRUE(result.diverged);
  EXPECT_EQ(ZeroCount(network), (8 * 16 + 16 * 4) / 2);
}

TEST_F(TrainerTest, EarlyStoppingReturnsTheBestEpoch) {
  nn::Network network = DenseChain({8, 64, 4}, 7);
  TrainOptions options = Options(60);
  options.schedule = ScheduleKind::kConstant;
  options.learning_rate = 0.05;
  options.patience_epochs = 2;
  const TrainResult result = Fit(options, network);
  EXPECT_TRUE(result.stopped_early);
  EXPECT_LT(result.epochs.size(), 60u);
  EXPECT_EQ(result.validation_loss, result.epochs[result.best_epoch - 1].validation_loss);
}

TEST_F(TrainerTest, OptionsOutOfRangeAreInvalid) {
  nn::Network network = DenseChain({8, 16, 4}, 7);
  TrainOptions options = Options(1);
  options.pruning = PruneSchedule{{1.0}};
  EXPECT_THAT(MakeDenseTrainer()->Fit(train_.split(), validation_.split(), options, network),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("[0, 1)")));
  options = Options(1);
  options.learning_rate = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(MakeDenseTrainer()->Fit(train_.split(), validation_.split(), options, network),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("learning_rate")));
}

TEST_F(TrainerTest, SplitsThatDoNotFitAreInvalid) {
  nn::Network network = DenseChain({8, 16, 3}, 7);  // labels go to 3
  EXPECT_THAT(MakeDenseTrainer()->Fit(train_.split(), validation_.split(), Options(1), network),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("label 3")));
  nn::Network wide = DenseChain({9, 16, 4}, 7);
  EXPECT_THAT(MakeDenseTrainer()->Fit(train_.split(), validation_.split(), Options(1), wide),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("8 elements")));
  nn::Network fitting = DenseChain({8, 16, 4}, 7);
  EXPECT_THAT(
      MakeDenseTrainer()->Fit(train_.split(), nn::Split{{8}, 0, {}, {}}, Options(1), fitting),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("validation split is empty")));
}

}  // namespace
}  // namespace dovetail::train
