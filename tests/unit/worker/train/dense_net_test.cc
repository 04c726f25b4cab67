#include "services/worker/train/dense_net.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/worker/train/training_fixture.h"

namespace dovetail::train {
namespace {

std::vector<const float*> Rows(const Samples& samples) {
  std::vector<const float*> rows;
  for (size_t i = 0; i < samples.labels.size(); ++i) {
    rows.push_back(samples.features.data() + i * samples.width);
  }
  return rows;
}

std::vector<float> LoadAll(const DenseModel& model, GradientNet& net) {
  std::vector<absl::Span<const uint8_t>> is_kept;
  for (const ParameterBlock& block : model.blocks) is_kept.push_back(block.is_kept);
  std::vector<float> values;
  for (const ParameterRef& ref : net.Renumber(is_kept)) {
    values.push_back(model.blocks[ref.block].values[ref.element]);
  }
  net.Load(values);
  return values;
}

TEST(DenseNetTest, LogitsAreThoseOfAPlainLoop) {
  const nn::Network network = DenseChain({6, 9, 4}, 3);
  DenseModel model = ReadDenseModel(network).value();
  model.kernel(0).is_kept[5] = 0;
  const Samples samples = Clouds(10, 6, 4, 1);
  DenseNet<float> net(model);
  LoadAll(model, net);
  const std::vector<float> logits = net.Logits(Rows(samples));
  for (int r = 0; r < 10; ++r) {
    std::vector<double> hidden(9);
    for (int j = 0; j < 9; ++j) {
      double sum = model.bias(0).values[j];
      for (int i = 0; i < 6; ++i) {
        if (i * 9 + j == 5) continue;
        sum += double{samples.features[r * 6 + i]} * model.kernel(0).values[i * 9 + j];
      }
      hidden[j] = std::max(sum, 0.0);
    }
    for (int j = 0; j < 4; ++j) {
      double sum = model.bias(1).values[j];
      for (int i = 0; i < 9; ++i) sum += hidden[i] * model.kernel(1).values[i * 4 + j];
      EXPECT_NEAR(logits[r * 4 + j], sum, 1e-5);
    }
  }
}

TEST(DenseNetTest, GradientIsThatOfFiniteDifferences) {
  const nn::Network network = DenseChain({5, 70, 3, 4}, 4);
  DenseModel model = ReadDenseModel(network).value();
  for (size_t k = 0; k < model.kernel(0).is_kept.size(); k += 3) model.kernel(0).is_kept[k] = 0;
  const Samples samples = Clouds(150, 5, 4, 2);  // two tiles and a part of one
  DenseNet<double> net(model);
  const std::vector<float> parameters = LoadAll(model, net);
  net.Train(Rows(samples), samples.labels);
  std::vector<float> gradient;
  net.TakeGradient(gradient);
  ASSERT_EQ(gradient.size(), parameters.size());
  const auto loss_at = [&](const std::vector<float>& at) {
    net.Load(at);
    return net.Evaluate(Rows(samples), samples.labels).loss / 150;
  };
  for (size_t k = 0; k < parameters.size(); k += 7) {
    const float step = 1.0f / 4096;
    std::vector<float> up = parameters;
    std::vector<float> down = parameters;
    up[k] += step;
    down[k] -= step;
    const double difference = (loss_at(up) - loss_at(down)) / (double{up[k]} - down[k]);
    EXPECT_NEAR(gradient[k], difference, 1e-3) << k;
  }
}

TEST(DenseNetTest, FloatAndDoubleAgree) {
  const nn::Network network = DenseChain({8, 16, 5}, 5);
  const DenseModel model = ReadDenseModel(network).value();
  const Samples samples = Clouds(64, 8, 5, 3);
  DenseNet<float> narrow(model);
  DenseNet<double> wide(model);
  LoadAll(model, narrow);
  LoadAll(model, wide);
  const LossSum a = narrow.Evaluate(Rows(samples), samples.labels);
  const LossSum b = wide.Evaluate(Rows(samples), samples.labels);
  EXPECT_NEAR(a.loss, b.loss, 1e-4 * b.loss);
  EXPECT_EQ(a.hits, b.hits);
}

TEST(DenseModelTest, LayersOutsideTheChainAreNamed) {
  nn::Network network = DenseChain({4, 4, 2}, 1);
  network.layers[2].op = nn::Op::kTanh;
  const absl::Status status = ReadDenseModel(network).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_NE(status.message().find("relu1"), absl::string_view::npos);
}

}  // namespace
}  // namespace dovetail::train
