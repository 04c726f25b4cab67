// What is written reads back as the same function: judged by running it.
#include "services/worker/nn/onnx_writer.h"

#include "common/base/rng.h"
#include "services/worker/fixedpoint/engine.h"
#include "services/worker/nn/onnx_reader.h"
#include "tests/support/networks.h"
#include "tests/support/reference_networks.h"
#include "tests/support/status_matchers.h"

namespace dovetail::nn {
namespace {

using ::dovetail::testing::StatusIs;
using ::testing::HasSubstr;

std::vector<float> Features(const Network& network, int64_t count) {
  Rng rng(1);
  std::vector<float> features;
  for (int64_t i = 0; i < count * ElementCount(network.layers[0].output_shape); ++i) {
    features.push_back(static_cast<float>(rng.Normal()));
  }
  return features;
}

void ExpectFloatRoundTrip(const Network& network) {
  ASSERT_OK_AND_ASSIGN(const std::string bytes, WriteOnnx(network, OnnxFlavor::kFloat));
  ASSERT_OK_AND_ASSIGN(const Network read, ReadOnnx(bytes));
  const std::vector<float> features = Features(network, 3);
  ASSERT_OK_AND_ASSIGN(const auto expected, fixedpoint::RunFloat(network, features, 3));
  ASSERT_OK_AND_ASSIGN(const auto got, fixedpoint::RunFloat(read, features, 3));
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-4) << i;
}

TEST(OnnxWriterTest, FloatNetworksReadBackAsTheSameFunction) {
  ExpectFloatRoundTrip(testing::DenseNetwork({16, 64, 32, 32, 5}, 1));
  ExpectFloatRoundTrip(testing::Vgg7(2));
  ExpectFloatRoundTrip(testing::ResNet9(3, 4));
  ExpectFloatRoundTrip(testing::Conv1DNetwork(4));
}

TEST(OnnxWriterTest, QonnxKeepsTypesAndBits) {
  const Network network =
      testing::Quantized(testing::DenseNetwork({16, 24, 5}, 1), 8, 3, Quantization::kRndConv);
  ASSERT_OK_AND_ASSIGN(const std::string bytes, WriteOnnx(network, OnnxFlavor::kQonnx));
  ASSERT_OK_AND_ASSIGN(const Network read, ReadOnnx(bytes));
  ASSERT_TRUE(read.IsQuantized());
  const std::vector<float> features = Features(network, 50);
  ASSERT_OK_AND_ASSIGN(const auto before, fixedpoint::Engine::Make(network));
  ASSERT_OK_AND_ASSIGN(const auto after, fixedpoint::Engine::Make(read));
  EXPECT_EQ(*after->RunRaw(features, 50), *before->RunRaw(features, 50));
  EXPECT_EQ(after->logits_type(), before->logits_type());
}

TEST(OnnxWriterTest, ResultsThatWrapAreRefusedByName) {
  const Network network = testing::Quantized(testing::DenseNetwork({4, 3}, 1), 8, 3,
                                             Quantization::kTrn, Overflow::kWrap);
  EXPECT_THAT(WriteOnnx(network, OnnxFlavor::kQonnx),
              StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("\"input\"")));
}

}  // namespace
}  // namespace dovetail::nn
