// Hostile files in the inner loop: bytes of good files changed at random. The libFuzzer targets in
// tests/fuzz look deeper.
#include <filesystem>

#include "common/base/rng.h"
#include "gtest/gtest.h"
#include "services/worker/nn/atomic_file.h"
#include "services/worker/nn/network.h"
#include "services/worker/nn/npz.h"
#include "services/worker/nn/onnx_reader.h"
#include "tests/support/networks.h"

namespace dovetail::nn {
namespace {

// Flips, overwrites, cuts and repeats a few places.
std::string Mutated(std::string bytes, Rng& rng) {
  for (uint64_t k = 1 + rng.Below(6); k > 0 && !bytes.empty(); --k) {
    const size_t at = rng.Below(bytes.size());
    switch (rng.Below(5)) {
      case 0:
        bytes[at] = static_cast<char>(rng.Next());
        break;
      case 1:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << rng.Below(8)));
        break;
      case 2:
        bytes[at] = rng.Below(2) == 0 ? '\xff' : '\x00';
        break;
      case 3:
        bytes.erase(at, rng.Below(8));
        break;
      default:
        bytes.insert(at, bytes.substr(rng.Below(bytes.size()), rng.Below(16)));
    }
  }
  return bytes;
}

std::string Example(const std::string& name) {
  const std::string file = std::string(DOVETAIL_SOURCE_DIR) + "/deploy/examples/jets/" + name;
  return ReadWholeFile(file).value_or("");
}

TEST(MutationTest, OnnxReaderGivesANetworkOrAnError) {
  const std::string original = Example("jet_dnn.onnx");
  ASSERT_TRUE(ReadOnnx(original).ok());
  Rng rng(1);
  int errors = 0;
  for (int i = 0; i < 2000; ++i) {
    const absl::StatusOr<Network> network = ReadOnnx(Mutated(original, rng));
    errors += network.ok() ? 0 : 1;
    if (network.ok()) {
      EXPECT_TRUE(Check(*network).ok()) << "mutation " << i;
    }
  }
  EXPECT_GT(errors, 100);
}

TEST(MutationTest, OnnxReaderSurvivesMutationsOfItsStructure) {
  // Without the weights nearly every mutation hits the structure.
  const std::string directory = std::string(DOVETAIL_SOURCE_DIR) + "/../shared/models";
  if (!std::filesystem::exists(directory)) GTEST_SKIP() << directory << " is not on this machine";
  Rng rng(2);
  for (const char* name : {"conv1d_small_keras.onnx", "separable_conv_model_ch_last.onnx",
                           "qonnx_jet_tagger_6bit.onnx"}) {
    const std::string original = ReadWholeFile(directory + "/" + name).value();
    for (int i = 0; i < 500; ++i) (void)ReadOnnx(Mutated(original, rng));
  }
}

TEST(MutationTest, NetworkFilesGiveANetworkOrAnError) {
  const std::string original = SerializeNetwork(testing::DenseNetwork({4, 8, 3}, 1));
  Rng rng(3);
  for (int i = 0; i < 3000; ++i) {
    const absl::StatusOr<Network> network = ParseNetwork(Mutated(original, rng));
    if (network.ok()) (void)Summarize(*network);
  }
}

TEST(MutationTest, NpzReaderGivesArraysOrAnError) {
  std::map<std::string, NpyArray> arrays;
  arrays["x"] = {{3, 4}, "<f4", std::string(48, '\x01')};
  arrays["names"] = {{2}, "|S5", std::string("ab\0\0\0cd\0\0\0", 10)};
  const std::string original = WriteNpz(arrays);
  ASSERT_TRUE(ParseNpz(original).ok());
  EXPECT_EQ(ParseNpz(original)->at("names").ToStrings().value(),
            (std::vector<std::string>{"ab", "cd"}));
  Rng rng(4);
  for (int i = 0; i < 20000; ++i) (void)ParseNpz(Mutated(original, rng), int64_t{1} << 24);
}

}  // namespace
}  // namespace dovetail::nn
