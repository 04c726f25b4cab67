// Convolutions, pooling and scales, fully unrolled, against the fixed-point engine.
#include <gtest/gtest.h>

#include "common/base/rng.h"
#include "services/worker/fixedpoint/engine.h"
#include "services/worker/hardware/design.h"
#include "tests/support/quantized_networks.h"
#include "tests/support/status_matchers.h"

namespace dovetail::hardware {
namespace {

Value IntegerList(std::vector<int64_t> values) {
  Value list{Value::List()};
  for (int64_t value : values) list.Append(value);
  return list;
}

nn::Tensor RandomTensor(nn::Shape shape, Rng& rng) {
  nn::Tensor tensor{.shape = shape};
  for (int64_t i = 0; i < nn::ElementCount(shape); ++i) {
    tensor.values.push_back(static_cast<float>(0.4 * rng.Normal()));
  }
  return tensor;
}

// 6x6x2 -> conv 3x3x3 -> scale -> relu -> max pool 2x2 -> flatten -> dense 4.
nn::Network SmallConvolution() {
  Rng rng(21);
  nn::Network network;
  network.name = "convolution";
  network.layers.push_back({.name = "input", .op = nn::Op::kInput, .output_shape = {6, 6, 2}});
  nn::Layer conv{
      .name = "conv", .op = nn::Op::kConv2D, .inputs = {"input"}, .output_shape = {4, 4, 3}};
  conv.attributes.Set("strides", IntegerList({1, 1})).Set("padding", IntegerList({0, 0, 0, 0}));
  conv.attributes.Set("dilations", IntegerList({1, 1})).Set("groups", 1);
  conv.parameters["kernel"] = RandomTensor({3, 3, 2, 3}, rng);
  conv.parameters["bias"] = RandomTensor({3}, rng);
  network.layers.push_back(conv);
  nn::Layer scale{.name = "norm",
                  .op = nn::Op::kBatchNormalization,
                  .inputs = {"conv"},
                  .output_shape = {4, 4, 3}};
  scale.parameters["scale"] = RandomTensor({3}, rng);
  scale.parameters["offset"] = RandomTensor({3}, rng);
  network.layers.push_back(scale);
  network.layers.push_back(
      {.name = "relu", .op = nn::Op::kRelu, .inputs = {"norm"}, .output_shape = {4, 4, 3}});
  nn::Layer pool{
      .name = "pool", .op = nn::Op::kMaxPool, .inputs = {"relu"}, .output_shape = {2, 2, 3}};
  pool.attributes.Set("pool", IntegerList({2, 2})).Set("strides", IntegerList({2, 2}));
  pool.attributes.Set("padding", IntegerList({0, 0, 0, 0}));
  network.layers.push_back(pool);
  network.layers.push_back(
      {.name = "flatten", .op = nn::Op::kFlatten, .inputs = {"pool"}, .output_shape = {12}});
  nn::Layer dense{.name = "fc", .op = nn::Op::kDense, .inputs = {"flatten"}, .output_shape = {4}};
  dense.parameters["kernel"] = RandomTensor({12, 4}, rng);
  dense.parameters["bias"] = RandomTensor({4}, rng);
  network.layers.push_back(dense);
  network.outputs = {"fc"};
  for (nn::Layer& layer : network.layers) {
    layer.types["result"] = {.type = {.width_bits = 7,
                                      .integer_bits = 3,
                                      .quantization = Quantization::kRnd,
                                      .overflow = Overflow::kSat}};
    for (auto& [name, tensor] : layer.parameters) {
      const FixedType type{.width_bits = 6, .integer_bits = 2};
      testing::PutOnGrid(tensor, type);
      layer.types[name] = {.type = type};
    }
  }
  return network;
}

TEST(ConvolutionTest, UnrolledConvolutionEqualsTheEngine) {
  constexpr int64_t kSamples = 50;
  const nn::Network network = SmallConvolution();
  ASSERT_OK(nn::Check(network));
  ASSERT_OK_AND_ASSIGN(const auto engine, fixedpoint::Engine::Make(network));
  for (const char* strategy : {"latency", "distributed_arithmetic"}) {
    ASSERT_OK_AND_ASSIGN(const Design design, LowerNetwork(network, {.strategy = strategy}));
    EXPECT_EQ(design.layers.size(), 3);
    Rng rng(2);
    std::vector<float> features;
    for (int64_t i = 0; i < kSamples * 72; ++i) {
      features.push_back(static_cast<float>(2 * rng.Normal()));
    }
    ASSERT_OK_AND_ASSIGN(const auto raw, engine->QuantizeInputs(features, kSamples));
    ASSERT_OK_AND_ASSIGN(const auto logits, engine->RunRaw(features, kSamples));
    for (int64_t n = 0; n < kSamples; ++n) {
      const std::vector<int64_t> expected(logits.begin() + 4 * n, logits.begin() + 4 * (n + 1));
      ASSERT_EQ(design.Evaluate(absl::MakeSpan(raw).subspan(72 * n, 72)), expected);
    }
  }
}

TEST(ConvolutionTest, ALayerWithoutHardwareIsNamed) {
  nn::Network network = SmallConvolution();
  network.Find("pool")->op = nn::Op::kAveragePool;
  EXPECT_THAT(LowerNetwork(network, {}), testing::StatusIs(absl::StatusCode::kUnimplemented,
                                                           ::testing::HasSubstr("\"pool\"")));
}

}  // namespace
}  // namespace dovetail::hardware
