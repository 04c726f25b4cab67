#include "services/worker/train/shrink.h"

#include <gtest/gtest.h>

#include "services/worker/fixedpoint/engine.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/worker/train/training_fixture.h"

namespace dovetail::train {
namespace {

using ::dovetail::testing::StatusIs;
using ::testing::HasSubstr;

TEST(ShrinkTest, DeadNeuronsLeaveWithoutChangingTheFunction) {
  nn::Network network = DenseChain({6, 10, 8, 3}, 4);
  // Neurons 2 and 7 of the first layer are read by nobody.
  nn::Tensor& reader = network.Find("fc2")->parameters.at("kernel");
  for (const int neuron : {2, 7}) {
    for (int k = 0; k < 8; ++k) reader.values[neuron * 8 + k] = 0;
  }
  const Samples samples = Clouds(20, 6, 3, 1);
  ASSERT_OK_AND_ASSIGN(const std::vector<float> before,
                       fixedpoint::RunFloat(network, samples.features, 20));
  ASSERT_OK_AND_ASSIGN(const std::vector<int> layers, ShrinkableLayers(network));
  ASSERT_EQ(layers.size(), 2u);
  auto kept = BestPerLayer(NeuronScores(network, layers), {0.8, 1.0});
  EXPECT_EQ(kept[layers[0]], (std::vector<int>{0, 1, 3, 4, 5, 6, 8, 9}));
  KeepNeurons(kept, network);
  ASSERT_OK(nn::Check(network));
  EXPECT_EQ(network.Find("fc1")->output_shape, nn::Shape{8});
  EXPECT_EQ(network.Find("relu1")->output_shape, nn::Shape{8});
  ASSERT_OK_AND_ASSIGN(const std::vector<float> after,
                       fixedpoint::RunFloat(network, samples.features, 20));
  for (size_t k = 0; k < before.size(); ++k) EXPECT_NEAR(after[k], before[k], 1e-5);
}

TEST(ShrinkTest, MasksFollowTheirWeights) {
  nn::Network network = DenseChain({2, 3, 2}, 4);
  nn::Layer& first = *network.Find("fc1");
  first.masks["kernel"] = {{2, 3}, {1, 0, 1, 0, 1, 1}};
  const std::vector<int> layers = ShrinkableLayers(network).value();
  KeepNeurons({{layers[0], {0, 2}}}, network);
  EXPECT_EQ(first.masks.at("kernel").shape, (nn::Shape{2, 2}));
  EXPECT_EQ(first.masks.at("kernel").values, (std::vector<float>{1, 1, 0, 1}));
}

TEST(ShrinkTest, EveryLayerKeepsANeuron) {
  const std::map<int, std::vector<double>> scores = {{1, {0.9, 1.0}}, {3, {0.1, 1.0, 0.2}}};
  const auto kept = BestOverall(scores, 0.99);
  EXPECT_EQ(kept.at(1), std::vector<int>{1});
  EXPECT_EQ(kept.at(3), std::vector<int>{1});
  const auto most = BestOverall(scores, 0.4);  // two of five leave
  EXPECT_EQ(most.at(1), (std::vector<int>{0, 1}));
  EXPECT_EQ(most.at(3), std::vector<int>{1});
}

TEST(ShrinkTest, OtherLayersAreNamed) {
  nn::Network network = DenseChain({4, 4, 2}, 1);
  network.layers[2].op = nn::Op::kSoftmax;
  EXPECT_THAT(ShrinkableLayers(network),
              StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("relu1")));
}

}  // namespace
}  // namespace dovetail::train
