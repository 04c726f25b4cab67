// Samples per second of the fixed-point engine on the reference networks, per instruction set and
// thread count, with the share of the machine's multiply-accumulate peak and the mismatches against
// the reference engine. One thread is timed by its processor time. Prints JSON. Networks have
// random weights: speed does not depend on them.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <string>
#include <utility>
#include <vector>

#include "common/base/rng.h"
#include "common/domain/value.h"
#include "services/worker/fixedpoint/engine.h"
#include "services/worker/fixedpoint/fast/kernels.h"
#include "services/worker/nn/network.h"
#include "tests/support/networks.h"
#include "tests/support/reference_networks.h"

namespace dovetail {
namespace {

using fixedpoint::Engine;
using fixedpoint::EngineOptions;

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Seconds of processor time of this process: a busy machine does not count.
double CpuSeconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// Samples per second of the best of five runs of at least a fifth of a second each.
double Rate(const Engine& engine, const std::vector<float>& features, int64_t count,
            double (*clock)() = CpuSeconds) {
  double best = 0;
  for (int run = 0; run < 5; ++run) {
    const double start = clock();
    int64_t done = 0;
    while (clock() - start < 0.2) {
      if (!engine.RunRaw(features, count).ok()) return 0;
      done += count;
    }
    best = std::max(best, static_cast<double>(done) / (clock() - start));
  }
  return best;
}

int64_t Mismatches(const nn::Network& network, const std::vector<float>& features, int64_t count) {
  EngineOptions options;
  options.instruction_set = "reference";
  const int64_t few = std::min<int64_t>(count, 200);
  const std::vector<float> some(
      features.begin(), features.begin() + few * static_cast<int64_t>(features.size()) / count);
  const auto expected = (*Engine::Make(network, options))->RunRaw(some, few);
  const auto got = (*Engine::Make(network))->RunRaw(some, few);
  int64_t mismatches = 0;
  for (size_t i = 0; i < expected->size(); ++i) mismatches += (*expected)[i] != (*got)[i];
  return mismatches;
}

// Multiply-accumulates per second of the 16-bit product kernel alone, data in the first cache.
double KernelPeak(const fixedpoint::fast::Kernels& kernels) {
  constexpr int kPairs = 32;
  std::vector<int32_t> pairs(kPairs * fixedpoint::fast::kTile, 3);
  std::vector<int32_t> weights(kPairs * fixedpoint::fast::kBlockOutputs, 5);
  std::vector<int32_t> bias(fixedpoint::fast::kBlockOutputs, 0);
  std::vector<int32_t> sums(fixedpoint::fast::kTile * fixedpoint::fast::kBlockOutputs);
  double best = 0;
  for (int run = 0; run < 5; ++run) {
    const double start = CpuSeconds();
    for (int i = 0; i < 20000; ++i) {
      kernels.matrix16(pairs.data(), kPairs, weights.data(), bias.data(),
                       fixedpoint::fast::kBlockOutputs, sums.data());
    }
    const double macs =
        20000.0 * 2 * kPairs * fixedpoint::fast::kTile * fixedpoint::fast::kBlockOutputs;
    best = std::max(best, macs / (CpuSeconds() - start));
  }
  return best;
}

Value Measure(const std::string& name, const nn::Network& network, int64_t count) {
  Rng rng(1);
  const int64_t width = nn::ElementCount(network.layers[0].output_shape);
  std::vector<float> features;
  for (int64_t i = 0; i < count * width; ++i) {
    features.push_back(static_cast<float>(rng.Normal()));
  }
  int64_t macs = 0;
  for (const LayerSummary& layer : nn::Summarize(network).layers) macs += layer.mac_count;
  Value result;
  result.Set("network", name).Set("macs", macs).Set("samples", count);
  Value rates{Value::Map()};
  for (const char* isa : {"baseline", "avx2", "avx512", "avx512_vnni"}) {
    const fixedpoint::fast::Kernels* kernels = fixedpoint::fast::ChooseKernels(isa);
    if (kernels == nullptr) continue;
    EngineOptions options;
    options.instruction_set = isa;
    const auto engine = Engine::Make(network, options);
    if (!engine.ok()) {
      std::fprintf(stderr, "%s: %s\n", name.c_str(), engine.status().ToString().c_str());
      continue;
    }
    const double rate = Rate(**engine, features, count);
    rates.Set(isa, rate);
    std::fprintf(stderr, "%-12s %-12s %12.0f samples/s %8.2f GMAC/s\n", name.c_str(), isa, rate,
                 rate * static_cast<double>(macs) * 1e-9);
    if (kernels == fixedpoint::fast::ChooseKernels("")) {
      result.Set("mac_peak_fraction", rate * static_cast<double>(macs) / KernelPeak(*kernels));
      options.thread_count = 2;
      const double one = Rate(**engine, features, count, Seconds);
      const double two = Rate(**Engine::Make(network, options), features, count, Seconds);
      result.Set("speedup_2_cores", two / one);
    }
  }
  result.Set("samples_per_second", std::move(rates));
  result.Set("mismatches", Mismatches(network, features, count));
  return result;
}

}  // namespace
}  // namespace dovetail

int main(int argc, char** argv) {
  using dovetail::Value;
  const std::string only = argc > 1 ? argv[1] : "";
  Value results{Value::List()};
  const auto add = [&](const std::string& name, const dovetail::nn::Network& network,
                       int64_t count) {
    if (only.empty() || only == name) {
      results.Append(dovetail::Measure(name, dovetail::testing::Quantized(network, 16, 6), count));
    }
  };
  add("jet_dnn", dovetail::testing::DenseNetwork({16, 64, 32, 32, 5}, 1), 65536);
  add("vgg7", dovetail::testing::Vgg7(1), 128);
  add("resnet9", dovetail::testing::ResNet9(1), 128);
  std::printf("%s\n", results.ToJson().c_str());
  return 0;
}
