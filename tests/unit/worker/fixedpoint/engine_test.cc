#include "services/worker/fixedpoint/engine.h"

#include <cmath>
#include <cstdlib>

#include "services/worker/fixedpoint/fast/fast_engine.h"
#include "services/worker/fixedpoint/fast/kernels.h"
#include "services/worker/fixedpoint/fixed_value.h"
#include "services/worker/fixedpoint/reference_engine.h"
#include "tests/support/networks.h"
#include "tests/support/random_network.h"
#include "tests/support/status_matchers.h"

namespace dovetail::fixedpoint {
namespace {

using ::dovetail::testing::DenseNetwork;
using ::dovetail::testing::Quantized;
using ::dovetail::testing::RandomNetwork;
using ::dovetail::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// y = relu(2 x0 - x1 + 0.5) in quarters, with a cast to halves.
nn::Network Tiny() {
  nn::Network network;
  network.layers.push_back({.name = "x", .op = nn::Op::kInput, .output_shape = {2}});
  network.layers[0].types["result"] = {FixedType{8, 6}, {}};  // quarters
  nn::Layer dense{.name = "fc", .op = nn::Op::kDense, .inputs = {"x"}, .output_shape = {1}};
  dense.parameters["kernel"] = {{2, 1}, {2, -1}};
  dense.parameters["bias"] = {{1}, {0.5}};
  dense.types["kernel"] = {FixedType{4, 4}, {}};
  dense.types["bias"] = {FixedType{4, 2}, {}};
  dense.types["result"] = {FixedType{8, 7, true, Quantization::kRnd, Overflow::kSat}, {}};
  network.layers.push_back(dense);
  network.outputs = {"fc"};
  return network;
}

TEST(EngineTest, DenseByHand) {
  ASSERT_OK_AND_ASSIGN(const auto engine, Engine::Make(Tiny()));
  // 2 * 1.25 - 0.75 + 0.5 = 2.25 -> 2.5 in halves, half up: raw 5.
  // 1.3 is cast to 1.25 first; 40 is beyond 31.75 and wraps to -24: -48.
  EXPECT_THAT(*engine->RunRaw({1.25f, 0.75f, 1.3f, 0.75f, 40.0f, -0.5f}, 3),
              ElementsAre(5, 5, -94));
  EXPECT_THAT(*engine->QuantizeInputs({1.3f, -0.1f}, 1), ElementsAre(5, -1));
  EXPECT_EQ(engine->logits_type().type.fraction_bits(), 1);
  EXPECT_EQ(engine->output_count(), 1);
}

TEST(EngineTest, NarrowAccumulatorTruncatesEveryProduct) {
  nn::Network network = Tiny();
  // Halves: 2 * 1.25 = 2.5; -0.75 -> -1; 0.5. The exact sum would be 2.25.
  network.layers[1].types["accumulator"] = {FixedType{8, 7}, {}};
  ASSERT_OK_AND_ASSIGN(const auto engine, Engine::Make(network));
  EXPECT_THAT(*engine->RunRaw({1.25f, 0.75f}, 1), ElementsAre(4));
}

TEST(EngineTest, ExactAccumulatorHoldsEveryPartialSum) {
  // Inputs of 8 bits [-128, 127] in quarters, weights 2 and -1, bias 0.5 = 2 quarters.
  const nn::Network network = Tiny();
  const FixedType type =
      ExactAccumulatorType(network.layers[1], network.layers[0].types.at("result"));
  EXPECT_EQ(type.fraction_bits(), 2);
  EXPECT_EQ(type.width_bits, 10);  // 2 * 127 + 128 + 2 = 384, -2 * 128 - 127 = -383
  EXPECT_TRUE(type.is_signed);
}

TEST(EngineTest, LayerWithoutTypesIsNamed) {
  nn::Network network = Tiny();
  network.layers[1].types.erase("bias");
  EXPECT_THAT(Engine::Make(network), StatusIs(absl::StatusCode::kInvalidArgument,
                                              HasSubstr("\"fc\" has no type for its bias")));
}

TEST(EngineTest, WeightOffItsGridIsNamed) {
  nn::Network network = Tiny();
  network.layers[1].parameters["kernel"].values[0] = 1.5f;
  EXPECT_THAT(Engine::Make(network),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("1.5, is not a value of")));
}

TEST(EngineTest, WrongFeatureCountIsRefused) {
  ASSERT_OK_AND_ASSIGN(const auto engine, Engine::Make(Tiny()));
  EXPECT_THAT(engine->RunRaw({1.0f}, 1),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("1 features")));
}

TEST(EngineTest, AveragePoolTruncatesTowardsZeroAtTheInputsFraction) {
  nn::Network network;
  network.layers.push_back({.name = "x", .op = nn::Op::kInput, .output_shape = {3, 1}});
  network.layers[0].types["result"] = {FixedType{8, 8}, {}};
  nn::Layer pool{
      .name = "pool", .op = nn::Op::kGlobalAveragePool, .inputs = {"x"}, .output_shape = {1}};
  pool.types["result"] = {FixedType{16, 8}, {}};
  network.layers.push_back(pool);
  network.outputs = {"pool"};
  for (const char* isa : {"", "reference"}) {
    EngineOptions options;
    options.instruction_set = isa;
    ASSERT_OK_AND_ASSIGN(const auto engine, Engine::Make(network, options));
    // 5 / 3 -> 1, -5 / 3 -> -1, in steps of 1/256.
    EXPECT_THAT(*engine->RunRaw({1, 2, 2, -1, -2, -2}, 2), ElementsAre(256, -256)) << isa;
  }
}

// Seeds of a property test: DOVETAIL_PROPERTY_SEEDS widens the search.
uint64_t SeedCount(uint64_t usual) {
  const char* wanted = std::getenv("DOVETAIL_PROPERTY_SEEDS");
  return wanted == nullptr ? usual : std::strtoull(wanted, nullptr, 10);
}

// Every instruction set this machine has, against the reference, bit for bit.
void ExpectAgreement(const nn::Network& network, const std::vector<float>& features, int64_t count,
                     uint64_t seed, int64_t& fast_runs) {
  ASSERT_OK_AND_ASSIGN(const auto reference, MakeReferenceEngine(network));
  ASSERT_OK_AND_ASSIGN(const auto expected, reference->RunRaw(features, count));
  ASSERT_OK_AND_ASSIGN(const auto expected_inputs, reference->QuantizeInputs(features, count));
  for (const char* isa : {"baseline", "avx2", "avx512", "avx512_vnni"}) {
    if (fast::ChooseKernels(isa) == nullptr) continue;
    EngineOptions options;
    options.instruction_set = isa;
    options.thread_count = 1 + static_cast<int>(seed % 2);
    const auto engine = MakeFastEngine(network, options);
    if (absl::IsUnimplemented(engine.status())) return;
    ASSERT_OK(engine);
    ++fast_runs;
    ASSERT_EQ(*(*engine)->QuantizeInputs(features, count), expected_inputs)
        << isa << ", seed " << seed;
    ASSERT_EQ(*(*engine)->RunRaw(features, count), expected) << isa << ", seed " << seed;
  }
}

TEST(FastEngineTest, RandomDenseNetworksAgreeWithTheReference) {
  int64_t fast_runs = 0;
  for (uint64_t seed = 1; seed <= SeedCount(150); ++seed) {
    RandomNetwork random(seed, seed % 3 == 0 ? 30 : 16);
    const nn::Network network = random.Dense();
    ASSERT_OK(nn::Check(network));
    const int64_t count = 1 + random.Below(100);
    ExpectAgreement(network, random.Features(network, count), count, seed, fast_runs);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(fast_runs, 300);
}

TEST(FastEngineTest, RandomConvolutionalNetworksAgreeWithTheReference) {
  int64_t fast_runs = 0;
  for (uint64_t seed = 1; seed <= SeedCount(60); ++seed) {
    RandomNetwork random(1000 + seed, seed % 3 == 0 ? 24 : 12);
    const nn::Network network = random.Convolutional();
    ASSERT_OK(nn::Check(network));
    const int64_t count = 1 + random.Below(70);
    ExpectAgreement(network, random.Features(network, count), count, seed, fast_runs);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(fast_runs, 100);
}

TEST(FastEngineTest, JetNetworkRunsFastAtTheUsualWidths) {
  const nn::Network jets = DenseNetwork({16, 64, 32, 32, 5}, 1);
  RandomNetwork random(5);
  for (const auto& [width, integer] : {std::pair{6, 2}, {16, 6}, {18, 8}}) {
    for (const Overflow overflow : {Overflow::kSat, Overflow::kWrap}) {
      const nn::Network network = Quantized(jets, width, integer, Quantization::kTrn, overflow);
      EXPECT_OK(MakeFastEngine(network));
      int64_t fast_runs = 0;
      ExpectAgreement(network, random.Features(network, 130), 130, 1, fast_runs);
      EXPECT_GT(fast_runs, 0);
    }
  }
}

TEST(FastEngineTest, UnknownInstructionSetIsRefused) {
  EngineOptions options;
  options.instruction_set = "mmx";
  EXPECT_THAT(Engine::Make(Tiny(), options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("mmx")));
}

TEST(FloatEngineTest, AgreesWithWideFixedPoint) {
  const nn::Network jets = DenseNetwork({16, 64, 32, 32, 5}, 1);
  const nn::Network network = Quantized(jets, 30, 8);
  std::vector<float> features;
  Rng rng(3);
  for (int i = 0; i < 16 * 20; ++i) features.push_back(static_cast<float>(rng.Normal()));
  ASSERT_OK_AND_ASSIGN(const auto engine, Engine::Make(network));
  ASSERT_OK_AND_ASSIGN(const auto raws, engine->RunRaw(features, 20));
  ASSERT_OK_AND_ASSIGN(const auto floats, RunFloat(jets, features, 20));
  for (size_t i = 0; i < raws.size(); ++i) {
    EXPECT_NEAR(ToDouble(raws[i], engine->logits_type().type), floats[i], 1e-4);
  }
}

}  // namespace
}  // namespace dovetail::fixedpoint
