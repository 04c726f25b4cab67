#include "services/worker/nn/network.h"

#include <limits>

#include "tests/support/networks.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace dovetail::nn {
namespace {

using ::dovetail::testing::DenseNetwork;
using ::dovetail::testing::StatusIs;
using ::testing::HasSubstr;

Network Jets() { return DenseNetwork({16, 64, 32, 32, 5}, 1); }

TEST(NetworkTest, DenseNetworkPassesCheck) { EXPECT_OK(Check(Jets())); }

TEST(NetworkTest, LogitsAreTheInputOfTheLastSoftmax) {
  const Network network = Jets();
  EXPECT_EQ(network.layers[network.LogitsIndex()].name, "fc4");
}

TEST(NetworkTest, IsQuantizedNeedsAResultTypeUpToTheLogits) {
  Network network = Jets();
  EXPECT_FALSE(network.IsQuantized());
  for (Layer& layer : network.layers) {
    if (layer.op != Op::kSoftmax) layer.types["result"] = {FixedType{}, {}};
  }
  EXPECT_TRUE(network.IsQuantized());
}

TEST(NetworkTest, KernelThatDoesNotFitNamesTheLayer) {
  Network network = Jets();
  network.Find("fc2")->parameters["kernel"].shape = {63, 32};
  network.Find("fc2")->parameters["kernel"].values.resize(63 * 32);
  EXPECT_THAT(Check(network), StatusIs(absl::StatusCode::kInvalidArgument,
                                       HasSubstr("dense layer \"fc2\": its kernel [63, 32]")));
}

TEST(NetworkTest, NanWeightIsRefusedWithItsPlace) {
  Network network = Jets();
  network.Find("fc1")->parameters["bias"].values[3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(Check(network),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("NaN at element 3")));
}

TEST(NetworkTest, LaterInputIsRefused) {
  Network network = Jets();
  network.Find("fc1")->inputs[0] = "relu2";
  EXPECT_THAT(Check(network),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("is no earlier layer")));
}

TEST(NetworkTest, MaskOfAnotherShapeIsRefused) {
  Network network = Jets();
  network.Find("fc1")->masks["kernel"] = Tensor{{2}, {0, 1}};
  EXPECT_THAT(Check(network), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("mask")));
}

TEST(NetworkTest, SerializationRoundTripsEveryField) {
  Network network = Jets();
  Layer& layer = *network.Find("fc1");
  layer.masks["kernel"] = {{16, 64}, std::vector<float>(16 * 64, 1.0f)};
  TensorType types{FixedType{6, 2, true, Quantization::kRnd, Overflow::kSat}, {}};
  for (int i = 0; i < 64; ++i) types.elements.push_back(FixedType{3 + i % 5, 1});
  layer.types["result"] = types;
  layer.attributes.Set("note", "kept");
  network.provenance.Set("task", "test");
  const std::string bytes = SerializeNetwork(network);
  ASSERT_OK_AND_ASSIGN(const Network read, ParseNetwork(bytes));
  EXPECT_EQ(SerializeNetwork(read), bytes);
  EXPECT_EQ(read.Find("fc1")->types.at("result"), types);
  EXPECT_EQ(read.Find("fc1")->parameters.at("kernel").values, layer.parameters["kernel"].values);
  EXPECT_EQ(read.provenance, network.provenance);
}

TEST(NetworkTest, GarbageIsNoNetwork) {
  EXPECT_THAT(ParseNetwork("garbage"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not a network file")));
  EXPECT_THAT(ParseNetwork(""),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not a network file")));
}

TEST(NetworkTest, MissingFileIsNotFound) {
  EXPECT_THAT(ReadNetworkFile("/nonexistent/network"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/nonexistent/network")));
}

TEST(NetworkTest, FileRoundTrips) {
  const std::string file = ::dovetail::testing::ScratchDirectory() + "/network_test.network";
  ASSERT_OK(WriteNetworkFile(Jets(), file));
  ASSERT_OK_AND_ASSIGN(const Network read, ReadNetworkFile(file));
  EXPECT_EQ(SerializeNetwork(read), SerializeNetwork(Jets()));
}

TEST(NetworkTest, SummaryCountsTheJetNetwork) {
  const NetworkSummary summary = Summarize(Jets());
  EXPECT_EQ(summary.input_shape, (Shape{16}));
  EXPECT_EQ(summary.output_shape, (Shape{5}));
  EXPECT_EQ(summary.WeightLayerNames(), (std::vector<std::string>{"fc1", "fc2", "fc3", "fc4"}));
  int64_t macs = 0, parameters = 0;
  for (const LayerSummary& layer : summary.layers) {
    macs += layer.mac_count;
    parameters += layer.parameter_count;
  }
  EXPECT_EQ(macs, 16 * 64 + 64 * 32 + 32 * 32 + 32 * 5);
  EXPECT_EQ(parameters, macs + 64 + 32 + 32 + 5);
  const LayerSummary& first = summary.layers[1];
  EXPECT_EQ(first.n_in, 16);
  EXPECT_EQ(first.n_out, 64);
  EXPECT_EQ(first.csd_by_bits.size(), 17u);
  EXPECT_EQ(first.csd_by_bits.at(2).distinct_multipliers, 0);
  EXPECT_GT(first.csd_by_bits.at(18).distinct_multipliers, 1000);
  ASSERT_OK_AND_ASSIGN(const NetworkSummary read, NetworkSummary::FromValue(summary.ToValue()));
  EXPECT_EQ(read, summary);
}

TEST(NetworkTest, ConvolutionMacsCountEveryPosition) {
  Network network;
  network.layers.push_back({.name = "input", .op = Op::kInput, .output_shape = {8, 8, 3}});
  Layer conv{.name = "conv", .op = Op::kConv2D, .inputs = {"input"}, .output_shape = {4, 4, 6}};
  conv.parameters["kernel"] = {{3, 3, 3, 6}, std::vector<float>(162, 0.5f)};
  conv.attributes.Set("strides", Value(Value::List{2, 2}));
  conv.attributes.Set("padding", Value(Value::List{0, 0, 1, 1}));
  network.layers.push_back(conv);
  network.outputs = {"conv"};
  ASSERT_OK(Check(network));
  const NetworkSummary summary = Summarize(network);
  EXPECT_EQ(summary.layers[1].mac_count, 162 * 16);
  EXPECT_EQ(summary.layers[1].n_in, 27);
}

}  // namespace
}  // namespace dovetail::nn
