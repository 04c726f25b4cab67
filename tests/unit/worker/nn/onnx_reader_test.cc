#include "services/worker/nn/onnx_reader.h"

#include <filesystem>
#include <map>

#include "services/worker/nn/atomic_file.h"
#include "tests/support/status_matchers.h"

namespace dovetail::nn {
namespace {

using ::dovetail::testing::StatusIs;
using ::testing::HasSubstr;

std::vector<std::string> OpsOf(const Network& network) {
  std::vector<std::string> ops;
  for (const Layer& layer : network.layers) ops.emplace_back(OpName(layer.op));
  return ops;
}

// Networks that others trained and exported.
class SharedModelTest : public ::testing::Test {
 protected:
  Network Read(const std::string& name) {
    const std::string file = std::string(DOVETAIL_SOURCE_DIR) + "/../shared/models/" + name;
    if (!std::filesystem::exists(file)) {
      skipped_ = true;
      return {};
    }
    absl::StatusOr<Network> network = ReadOnnxFile(file);
    EXPECT_OK(network);
    return network.ok() ? *std::move(network) : Network();
  }
  bool skipped_ = false;
};

#define READ_OR_SKIP(network, name)   \
  const Network network = Read(name); \
  if (skipped_) GTEST_SKIP() << name << " is not on this machine"

TEST_F(SharedModelTest, KerasThreeLayers) {
  READ_OR_SKIP(network, "three_layer_keras.onnx");
  EXPECT_EQ(OpsOf(network), (std::vector<std::string>{"input", "dense", "relu", "dense", "relu",
                                                      "dense", "relu", "dense", "softmax"}));
  EXPECT_EQ(network.layers[1].parameters.at("kernel").shape, (Shape{16, 64}));
  EXPECT_FLOAT_EQ(network.layers[1].parameters.at("kernel").values[0], 0.27313474f);
  EXPECT_FLOAT_EQ(network.layers[1].parameters.at("bias").values[0], -0.65034235f);
}

TEST_F(SharedModelTest, PyTorchGemmIsTransposed) {
  READ_OR_SKIP(network, "two_layer_pytorch.onnx");
  EXPECT_EQ(OpsOf(network),
            (std::vector<std::string>{"input", "dense", "relu", "dense", "sigmoid"}));
  const Tensor& kernel = network.layers[1].parameters.at("kernel");
  EXPECT_EQ(kernel.shape, (Shape{10, 32}));
  EXPECT_FLOAT_EQ(kernel.values[0], -0.24121095f);
  EXPECT_FLOAT_EQ(kernel.values[32], 0.0608384f);
}

TEST_F(SharedModelTest, PyTorchBatchNormalizationBetweenSqueezes) {
  READ_OR_SKIP(network, "three_layer_bn_pytorch.onnx");
  EXPECT_EQ(OpsOf(network),
            (std::vector<std::string>{"input", "dense", "batch_normalization", "relu", "dense",
                                      "batch_normalization", "relu", "dense", "batch_normalization",
                                      "relu", "dense", "batch_normalization", "softmax"}));
}

TEST_F(SharedModelTest, KerasConv1DNeedsNoTranspose) {
  READ_OR_SKIP(network, "conv1d_small_keras.onnx");
  EXPECT_EQ(OpsOf(network),
            (std::vector<std::string>{"input", "conv1d", "relu", "conv1d", "relu", "conv1d", "relu",
                                      "flatten", "dense", "relu", "dense", "softmax"}));
  EXPECT_EQ(network.layers[0].output_shape, (Shape{10, 4}));
  EXPECT_EQ(network.layers[1].output_shape, (Shape{10, 3}));
  EXPECT_EQ(network.layers[1].parameters.at("kernel").shape, (Shape{4, 4, 3}));
}

TEST_F(SharedModelTest, KerasConv2DNeedsNoTranspose) {
  READ_OR_SKIP(network, "conv2d_small_keras.onnx");
  EXPECT_EQ(OpsOf(network),
            (std::vector<std::string>{"input", "conv2d", "relu", "flatten", "dense", "softmax"}));
}

TEST_F(SharedModelTest, QonnxScalesBecomeTypes) {
  READ_OR_SKIP(network, "qonnx_jet_tagger_6bit.onnx");
  EXPECT_EQ(OpsOf(network), (std::vector<std::string>{"input", "dense", "relu", "dense", "relu",
                                                      "dense", "relu", "dense", "softmax"}));
  EXPECT_EQ(FixedTypeToText(network.layers[1].types.at("kernel").type),
            "ap_fixed<6,1,AP_RND_CONV,AP_SAT>");
  EXPECT_EQ(FixedTypeToText(network.layers[1].types.at("bias").type),
            "ap_fixed<6,1,AP_RND_CONV,AP_SAT>");
  EXPECT_EQ(FixedTypeToText(network.layers[2].types.at("result").type),
            "ap_ufixed<6,0,AP_RND_CONV,AP_SAT>");
  for (float weight : network.layers[1].parameters.at("kernel").values) {
    EXPECT_EQ(weight * 32, std::round(weight * 32));
    EXPECT_LE(std::abs(weight), 1.0f);
  }
}

TEST_F(SharedModelTest, ChannelsLastDepthwiseConvolutions) {
  READ_OR_SKIP(network, "separable_conv_model_ch_last.onnx");
  EXPECT_EQ(OpsOf(network), (std::vector<std::string>{"input", "conv2d", "conv2d", "leaky_relu",
                                                      "conv2d", "conv2d"}));
  EXPECT_EQ(network.layers[1].parameters.at("kernel").shape, (Shape{3, 3, 1, 3}));
  EXPECT_EQ(network.layers[1].attributes["groups"].AsNumber(), 3);
  EXPECT_EQ(network.layers.back().output_shape, (Shape{512, 512, 16}));
}

TEST(OnnxReaderTest, GarbageIsRefused) {
  EXPECT_THAT(ReadOnnx("garbage"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not an ONNX file")));
  EXPECT_THAT(ReadOnnx(""), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("empty")));
  EXPECT_THAT(ReadOnnxFile("/nonexistent.onnx"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/nonexistent.onnx")));
}

}  // namespace
}  // namespace dovetail::nn
