// Layers beyond dense chains: the libtorch module against the float reference and the fixed-point
// engine.
#include <gtest/gtest.h>

#include <cmath>

#include "services/worker/fixedpoint/engine.h"
#include "services/worker/nn/layer_shapes.h"
#include "services/worker/train/trainer.h"
#include "services/worker/train/type_choice.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/worker/train/training_fixture.h"

namespace dovetail::train {
namespace {

using ::dovetail::testing::StatusIs;
using ::testing::HasSubstr;

nn::Tensor RandomTensor(const nn::Shape& shape, double sigma, Rng& rng) {
  nn::Tensor tensor{shape, {}};
  for (int64_t i = 0; i < nn::ElementCount(shape); ++i) {
    tensor.values.push_back(static_cast<float>(sigma * rng.Normal()));
  }
  return tensor;
}

class NetworkBuilder {
 public:
  explicit NetworkBuilder(const nn::Shape& input) {
    network_.name = "graph";
    nn::Layer layer;
    layer.name = "x";
    layer.op = nn::Op::kInput;
    layer.output_shape = input;
    network_.layers.push_back(layer);
  }
  // Appends a layer behind `inputs` (empty: the last one).
  nn::Layer& Add(const std::string& name, nn::Op op, std::vector<std::string> inputs = {}) {
    if (inputs.empty()) inputs = {network_.layers.back().name};
    nn::Layer layer;
    layer.name = name;
    layer.op = op;
    layer.inputs = std::move(inputs);
    network_.layers.push_back(layer);
    return network_.layers.back();
  }
  nn::Layer& Conv(const std::string& name, const nn::Shape& kernel, const char* attributes) {
    const bool is_1d = kernel.size() == 3;
    nn::Layer& layer = Add(name, is_1d ? nn::Op::kConv1D : nn::Op::kConv2D);
    layer.attributes = Value::FromJson(attributes).value();
    layer.parameters["kernel"] = RandomTensor(kernel, 0.4, rng_);
    layer.parameters["bias"] = RandomTensor({kernel.back()}, 0.1, rng_);
    return Shaped(layer);
  }
  nn::Layer& Dense(const std::string& name, int64_t n_in, int64_t n_out) {
    nn::Layer& layer = Add(name, nn::Op::kDense);
    layer.parameters["kernel"] = RandomTensor({n_in, n_out}, std::sqrt(2.0 / n_in), rng_);
    layer.parameters["bias"] = RandomTensor({n_out}, 0.1, rng_);
    return Shaped(layer);
  }
  nn::Layer& Plain(const std::string& name, nn::Op op, const char* attributes = "{}",
                   std::vector<std::string> inputs = {}) {
    nn::Layer& layer = Add(name, op, std::move(inputs));
    layer.attributes = Value::FromJson(attributes).value();
    return Shaped(layer);
  }
  nn::Layer& Channels(const std::string& name, nn::Op op, std::vector<std::string> roles) {
    nn::Layer& layer = Add(name, op);
    const int64_t channels = network_.Find(layer.inputs[0])->output_shape.back();
    for (const std::string& role : roles) {
      layer.parameters[role] = RandomTensor({channels}, 0.7, rng_);
    }
    return Shaped(layer);
  }
  nn::Layer& Shaped(nn::Layer& layer) {
    std::vector<nn::Shape> shapes;
    for (const std::string& input : layer.inputs) {
      shapes.push_back(network_.Find(input)->output_shape);
    }
    layer.output_shape = nn::InferShape(layer, shapes).value();
    return layer;
  }
  nn::Network Build() {
    network_.outputs = {network_.layers.back().name};
    return network_;
  }

 private:
  nn::Network network_;
  Rng rng_{5};
};

// Every op on an image of [6, 5, 2], two branches.
nn::Network EveryOp() {
  NetworkBuilder b({6, 5, 2});
  b.Conv("c1", {3, 2, 2, 4}, R"({"strides": [1, 2], "padding": [1, 0, 1, 1]})");
  b.Channels("bn", nn::Op::kBatchNormalization, {"scale", "offset"});
  b.Plain("leaky", nn::Op::kLeakyRelu, R"({"alpha": 0.1})");
  b.Conv("c2", {1, 1, 2, 4}, R"({"groups": 2})");
  b.Channels("prelu", nn::Op::kPRelu, {"alpha"});
  b.Plain("sum", nn::Op::kAdd, "{}", {"leaky", "prelu"});
  b.Plain("pad", nn::Op::kZeroPad, R"({"padding": [1, 0, 0, 1]})");
  b.Plain("max", nn::Op::kMaxPool,
          R"({"pool": [2, 2], "strides": [2, 1], "padding": [1, 0, 0, 1]})");
  b.Plain("mean", nn::Op::kAveragePool,
          R"({"pool": [2, 2], "strides": [1, 1], "padding": [0, 1, 1, 0]})");
  b.Plain("up", nn::Op::kUpSample, R"({"factors": [1, 2]})");
  b.Plain("turn", nn::Op::kTranspose, R"({"permutation": [1, 0, 2]})");
  b.Plain("tanh", nn::Op::kTanh);
  b.Plain("sigmoid", nn::Op::kSigmoid, "{}", {"turn"});
  b.Plain("cat", nn::Op::kConcat, R"({"axis": 2})", {"tanh", "sigmoid"});
  b.Channels("scaled", nn::Op::kMultiply, {"scale"});
  b.Plain("elu", nn::Op::kElu, R"({"alpha": 1})");
  b.Plain("hs", nn::Op::kHardSigmoid, R"({"alpha": 0.2, "beta": 0.5})");
  b.Plain("ht", nn::Op::kHardTanh, R"({"minimum": 0.3, "maximum": 0.7})");
  b.Plain("gap", nn::Op::kGlobalAveragePool, "{}", {"cat"});
  b.Plain("gmp", nn::Op::kGlobalMaxPool, "{}", {"ht"});
  b.Plain("both", nn::Op::kConcat, R"({"axis": 0})", {"gap", "gmp"});
  b.Dense("out", 16, 4);
  return b.Build();
}

nn::Network SmallConvNet() {
  NetworkBuilder b({8, 1});
  b.Conv("c1", {3, 1, 6}, R"({"padding": [1, 1]})");
  b.Plain("r1", nn::Op::kRelu);
  b.Plain("p1", nn::Op::kMaxPool, R"({"pool": [2], "strides": [2]})");
  b.Plain("flat", nn::Op::kFlatten);
  b.Dense("d1", 24, 8);
  b.Plain("r2", nn::Op::kRelu);
  b.Dense("d2", 8, 4);
  return b.Build();
}

nn::Split Reshaped(const Samples& samples, const nn::Shape& shape) {
  nn::Split split = samples.split();
  split.sample_shape = shape;
  return split;
}

double MeanLoss(const std::vector<double>& logits, const std::vector<int32_t>& labels) {
  const size_t classes = logits.size() / labels.size();
  double loss = 0;
  for (size_t r = 0; r < labels.size(); ++r) {
    double sum = 0;
    for (size_t j = 0; j < classes; ++j) sum += std::exp(logits[r * classes + j]);
    loss += std::log(sum) - logits[r * classes + labels[r]];
  }
  return loss / static_cast<double>(labels.size());
}

TEST(GraphTrainerTest, ForwardPassOfEveryOpIsTheFloatReference) {
  nn::Network network = EveryOp();
  ASSERT_OK(nn::Check(network));
  const Samples samples = Clouds(50, 60, 4, 1);
  const nn::Split split = Reshaped(samples, {6, 5, 2});
  ASSERT_OK_AND_ASSIGN(const std::vector<float> reference,
                       fixedpoint::RunFloat(network, samples.features, 50));
  TrainOptions options;
  options.epochs = 0;
  ASSERT_OK_AND_ASSIGN(const auto trainer, MakeTrainer(network));
  EXPECT_EQ(trainer->name(), "torch");
  ASSERT_OK_AND_ASSIGN(const TrainResult result, trainer->Fit(split, split, options, network));
  const std::vector<double> logits(reference.begin(), reference.end());
  EXPECT_NEAR(result.validation_loss, MeanLoss(logits, samples.labels), 1e-5);
}

TEST(GraphTrainerTest, ConvolutionsTrainPruneAndQuantizeBitExactly) {
  nn::Network network = SmallConvNet();
  const Samples train_samples = Clouds(2000, 8, 4, 1);
  const Samples validation_samples = Clouds(500, 8, 4, 2);
  const nn::Split train = Reshaped(train_samples, {8, 1});
  const nn::Split validation = Reshaped(validation_samples, {8, 1});
  TrainOptions options;
  options.epochs = 4;
  options.batch_size = 64;
  options.learning_rate = 0.01;
  options.pruning = PruneSchedule{{0.5}};
  ASSERT_OK_AND_ASSIGN(const auto trainer, MakeTrainer(network));
  ASSERT_OK_AND_ASSIGN(const TrainResult pruned, trainer->Fit(train, validation, options, network));
  EXPECT_GT(pruned.validation_accuracy, 0.85);
  EXPECT_EQ(ZeroCount(network), (18 + 24 * 8 + 32) / 2);

  ASSERT_OK(ChooseTypes(train, {.weight_bits = 6, .activation_bits = 6}, network));
  options.pruning.reset();
  options.epochs = 2;
  ASSERT_OK_AND_ASSIGN(const TrainResult result, trainer->Fit(train, validation, options, network));
  ASSERT_TRUE(network.IsQuantized());
  EXPECT_GE(ZeroCount(network), (18 + 24 * 8 + 32) / 2);
  ASSERT_OK_AND_ASSIGN(const auto engine, fixedpoint::Engine::Make(network));
  ASSERT_OK_AND_ASSIGN(const std::vector<int64_t> raw, engine->RunRaw(validation.features, 500));
  std::vector<double> logits;
  for (const int64_t value : raw) {
    logits.push_back(
        std::ldexp(static_cast<double>(value), -engine->logits_type().type.fraction_bits()));
  }
  EXPECT_NEAR(result.validation_loss, MeanLoss(logits, validation_samples.labels), 2e-6);
  int hits = 0;
  for (int r = 0; r < 500; ++r) {
    const auto row = logits.begin() + r * 4;
    hits += std::max_element(row, row + 4) - row == validation_samples.labels[r];
  }
  EXPECT_EQ(result.validation_accuracy, hits / 500.0);
}

TEST(GraphTrainerTest, RecurrentLayersAreNamedAsNotOffered) {
  nn::Network network = SmallConvNet();
  network.layers[1].op = nn::Op::kGru;
  EXPECT_THAT(MakeTrainer(network).status(),
              StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("\"c1\" (gru)")));
}

}  // namespace
}  // namespace dovetail::train
