#include "services/worker/train/type_choice.h"

#include <gtest/gtest.h>

#include "services/worker/fixedpoint/engine.h"
#include "services/worker/train/type_grid.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/worker/train/training_fixture.h"

namespace dovetail::train {
namespace {

using ::dovetail::testing::StatusIs;
using ::testing::HasSubstr;

TEST(LeastErrorTypeTest, RangeHoldsTheLargestValueWhereBitsAreMany) {
  const std::vector<float> values = {0.1f, -3.2f, 1.5f};
  const FixedType type = LeastErrorType(values, 12, true);
  EXPECT_EQ(type.integer_bits, 3);  // [-4, 4)
  EXPECT_EQ(type.width_bits, 12);
  EXPECT_EQ(type.overflow, Overflow::kSat);
}

TEST(LeastErrorTypeTest, FewBitsClipRareLargeValues) {
  std::vector<float> values;
  for (int i = 0; i < 1000; ++i) values.push_back(static_cast<float>(i) / 1000);
  values.push_back(7.9f);
  EXPECT_LT(LeastErrorType(values, 3, false).integer_bits, 3);
}

TEST(LeastErrorTypeTest, ZerosHaveAType) {
  EXPECT_EQ(LeastErrorType(std::vector<float>(4, 0.0f), 6, true).width_bits, 6);
}

TEST(ChooseTypesTest, ReluTruncatesAndTheBiasCarriesTheHalf) {
  const Samples train = Clouds(500, 8, 4, 1);
  nn::Network network = DenseChain({8, 16, 4}, 7);
  const nn::Network before = network;
  ASSERT_OK(ChooseTypes(train.split(), {.weight_bits = 6, .activation_bits = 5}, network));
  const FixedType relu = network.Find("relu1")->types.at("result").type;
  EXPECT_FALSE(relu.is_signed);
  EXPECT_EQ(relu.width_bits, 5);
  EXPECT_EQ(relu.quantization, Quantization::kTrn);
  EXPECT_EQ(relu.overflow, Overflow::kSat);
  const nn::Layer& dense = *network.Find("fc1");
  EXPECT_EQ(dense.types.at("bias").type.fraction_bits(), relu.fraction_bits() + 1);
  EXPECT_FLOAT_EQ(
      dense.parameters.at("bias").values[3] - before.Find("fc1")->parameters.at("bias").values[3],
      std::ldexp(1.0f, -relu.fraction_bits() - 1));
  EXPECT_TRUE(HasExactResult(dense, *network.Find("x")));
  EXPECT_TRUE(HasExactResult(*network.Find("fc2"), *network.Find("relu1")));
  EXPECT_TRUE(network.IsQuantized());
}

TEST(ChooseTypesTest, ManyBitsAreTheFloatNetwork) {
  const Samples train = Clouds(200, 8, 4, 1);
  nn::Network network = DenseChain({8, 16, 4}, 7);
  ASSERT_OK_AND_ASSIGN(const std::vector<float> expected,
                       fixedpoint::RunFloat(network, train.features, 200));
  ASSERT_OK(ChooseTypes(train.split(), {.weight_bits = 16, .activation_bits = 16}, network));
  for (nn::Layer& layer : network.layers) CastParameters(layer);
  ASSERT_OK_AND_ASSIGN(const auto engine, fixedpoint::Engine::Make(network));
  ASSERT_OK_AND_ASSIGN(const std::vector<int64_t> raw, engine->RunRaw(train.features, 200));
  for (size_t k = 0; k < raw.size(); ++k) {
    EXPECT_NEAR(
        std::ldexp(static_cast<double>(raw[k]), -engine->logits_type().type.fraction_bits()),
        expected[k], 0.01);
  }
}

TEST(ChooseTypesTest, BitsOutOfRangeAreInvalid) {
  const Samples train = Clouds(20, 8, 4, 1);
  nn::Network network = DenseChain({8, 16, 4}, 7);
  EXPECT_THAT(ChooseTypes(train.split(), {.weight_bits = 0}, network),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("weight_bits is 0")));
}

TEST(SetUniformTypeTest, EveryTensorHasTheOneType) {
  nn::Network network = DenseChain({8, 16, 4}, 7);
  const FixedType type = ParseFixedType("ap_fixed<18,8>").value();
  SetUniformType(type, network);
  EXPECT_TRUE(network.IsQuantized());
  for (const nn::Layer& layer : network.layers) {
    for (const auto& [role, each] : layer.types) EXPECT_EQ(each.type, type) << layer.name << role;
  }
  EXPECT_EQ(network.Find("fc1")->types.size(), 3u);
}

}  // namespace
}  // namespace dovetail::train
