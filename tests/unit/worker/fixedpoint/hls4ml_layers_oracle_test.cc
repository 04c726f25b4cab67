// Whole layers against hls4ml's own C++ templates: dense (exact and narrow accumulators), relu,
// leaky relu, sigmoid, tanh and average pooling, on random values.
// tests/support/fetch_ap_types puts the headers where this finds them.
#if __has_include("nnet_utils/nnet_dense.h")
#define HAS_NNET_UTILS 1
#include "ap_fixed.h"
#include "nnet_utils/nnet_activation.h"
#include "nnet_utils/nnet_dense.h"
#include "nnet_utils/nnet_pooling.h"
#endif

#include <cmath>

#include "common/base/rng.h"
#include "gtest/gtest.h"
#include "services/worker/fixedpoint/engine.h"
#include "services/worker/fixedpoint/fixed_value.h"

namespace dovetail::fixedpoint {
namespace {

#ifdef HAS_NNET_UTILS

constexpr int kIn = 7;
constexpr int kOut = 4;

using Input = ap_fixed<12, 5>;
using Weight = ap_fixed<9, 3>;
using Wide = ap_fixed<40, 20>;
using Narrow = ap_fixed<10, 5>;
using NarrowRounding = ap_fixed<11, 4, AP_RND_CONV, AP_SAT>;
using Result = ap_fixed<10, 4, AP_RND, AP_SAT>;

const FixedType kInputType{12, 5};
const FixedType kWeightType{9, 3};
const FixedType kResultType{10, 4, true, Quantization::kRnd, Overflow::kSat};

template <typename Accumulator>
struct DenseConfig : nnet::dense_config {
  static const unsigned n_in = kIn;
  static const unsigned n_out = kOut;
  static const unsigned reuse_factor = 1;
  static const unsigned strategy = nnet::latency;
  static const unsigned multiplier_limit = kIn * kOut;
  static const unsigned n_zeros = 0;
  typedef Accumulator accum_t;
  typedef Weight bias_t;
  typedef Weight weight_t;
  template <class x_T, class y_T>
  using product = nnet::product::mult<x_T, y_T>;
  template <class data_T, class res_T, class CONFIG_T>
  using kernel = nnet::DenseLatency<data_T, res_T, CONFIG_T>;
};

// A network of the input and one more layer.
nn::Network Of(nn::Layer layer, const nn::Shape& input) {
  nn::Network network;
  network.layers.push_back({.name = "x", .op = nn::Op::kInput, .output_shape = input});
  network.layers[0].types["result"] = {kInputType, {}};
  layer.name = "y";
  layer.inputs = {"x"};
  network.layers.push_back(std::move(layer));
  // A cast after it keeps a final sigmoid from being taken for a change of scale only.
  nn::Layer last{.name = "z", .op = nn::Op::kQuantize, .inputs = {"y"}};
  last.output_shape = network.layers[1].output_shape;
  last.types["result"] = network.layers[1].types.at("result");
  network.layers.push_back(std::move(last));
  network.outputs = {"z"};
  return network;
}

std::vector<float> Draw(Rng& rng, int64_t count, const FixedType& type) {
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t raw = static_cast<int64_t>(rng.Below(uint64_t{1} << type.width_bits)) -
                        (int64_t{1} << (type.width_bits - 1));
    values.push_back(static_cast<float>(ToDouble(raw, type)));
  }
  return values;
}

template <typename Accumulator>
void CheckDense(const FixedType* accumulator, uint64_t seed) {
  Rng rng(seed);
  for (int round = 0; round < 200; ++round) {
    nn::Layer layer{.op = nn::Op::kDense, .output_shape = {kOut}};
    layer.parameters["kernel"] = {{kIn, kOut}, Draw(rng, kIn * kOut, kWeightType)};
    layer.parameters["bias"] = {{kOut}, Draw(rng, kOut, kWeightType)};
    layer.types["kernel"] = layer.types["bias"] = {kWeightType, {}};
    layer.types["result"] = {kResultType, {}};
    if (accumulator != nullptr) layer.types["accumulator"] = {*accumulator, {}};
    const std::vector<float> x = Draw(rng, kIn, kInputType);
    Input data[kIn];
    Weight weights[kIn * kOut];
    Weight biases[kOut];
    Result result[kOut];
    for (int i = 0; i < kIn; ++i) data[i] = x[i];
    for (int i = 0; i < kIn * kOut; ++i) weights[i] = layer.parameters["kernel"].values[i];
    for (int i = 0; i < kOut; ++i) biases[i] = layer.parameters["bias"].values[i];
    nnet::dense<Input, Result, DenseConfig<Accumulator>>(data, result, weights, biases);
    const auto raws = Engine::Make(Of(layer, {kIn})).value()->RunRaw(x, 1).value();
    for (int o = 0; o < kOut; ++o) {
      ASSERT_EQ(raws[o], static_cast<int64_t>(result[o].range().to_int64() << 54) >> 54)
          << "round " << round << ", output " << o;
    }
  }
}

TEST(Hls4mlLayersOracleTest, DenseWithExactAccumulator) { CheckDense<Wide>(nullptr, 1); }

TEST(Hls4mlLayersOracleTest, DenseWithNarrowAccumulators) {
  const FixedType narrow{10, 5};
  CheckDense<Narrow>(&narrow, 2);
  const FixedType rounding{11, 4, true, Quantization::kRndConv, Overflow::kSat};
  CheckDense<NarrowRounding>(&rounding, 3);
}

struct ActivationConfig : nnet::activ_config {
  static const unsigned n_in = 1;
  static const unsigned table_size = 1024;
  static const unsigned io_type = nnet::io_parallel;
  static const unsigned reuse_factor = 1;
  typedef ap_fixed<18, 8> table_t;
};

// All values of the input type.
template <typename Function>
void CheckActivation(nn::Layer layer, Function function) {
  layer.output_shape = {1};
  layer.types["result"] = {kResultType, {}};
  const auto engine = Engine::Make(Of(layer, {1})).value();
  std::vector<float> x;
  for (int64_t raw = -2048; raw < 2048; ++raw) {
    x.push_back(static_cast<float>(ToDouble(raw, kInputType)));
  }
  const auto raws = engine->RunRaw(x, 4096).value();
  for (size_t i = 0; i < x.size(); ++i) {
    Input data[1] = {x[i]};
    Result result[1];
    function(data, result);
    ASSERT_EQ(raws[i], static_cast<int64_t>(result[0].range().to_int64() << 54) >> 54) << x[i];
  }
}

TEST(Hls4mlLayersOracleTest, ActivationsOnEveryInput) {
  CheckActivation({.op = nn::Op::kRelu},
                  [](Input* x, Result* y) { nnet::relu<Input, Result, ActivationConfig>(x, y); });
  nn::Layer leaky{.op = nn::Op::kLeakyRelu};
  leaky.attributes.Set("alpha", 0.375);
  CheckActivation(leaky, [](Input* x, Result* y) {
    nnet::leaky_relu<Input, ap_fixed<16, 6>, Result, ActivationConfig>(x, 0.375, y);
  });
  CheckActivation({.op = nn::Op::kSigmoid}, [](Input* x, Result* y) {
    nnet::sigmoid<Input, Result, ActivationConfig>(x, y);
  });
  CheckActivation({.op = nn::Op::kTanh},
                  [](Input* x, Result* y) { nnet::tanh<Input, Result, ActivationConfig>(x, y); });
}

TEST(Hls4mlLayersOracleTest, AverageOfThree) {
  nn::Layer layer{.op = nn::Op::kGlobalAveragePool, .output_shape = {1}};
  layer.types["result"] = {kResultType, {}};
  const auto engine = Engine::Make(Of(layer, {3, 1})).value();
  Rng rng(4);
  for (int round = 0; round < 2000; ++round) {
    const std::vector<float> x = Draw(rng, 3, kInputType);
    Input data[3] = {x[0], x[1], x[2]};
    const Result result = nnet::avg<Input, 3, ap_fixed<16, 9>>(data, 3);
    ASSERT_EQ(engine->RunRaw(x, 1).value()[0],
              static_cast<int64_t>(result.range().to_int64() << 54) >> 54);
  }
}

#else

TEST(Hls4mlLayersOracleTest, Skipped) {
  GTEST_SKIP() << "no nnet_utils; run tests/support/fetch_ap_types and build again";
}

#endif

}  // namespace
}  // namespace dovetail::fixedpoint
