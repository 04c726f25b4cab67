// Synthesis times and resources of the jet network's shapes, one line of JSON. Weights are normal,
// seed 7. Arguments: none; Yosys in PATH.
#include <filesystem>
#include <iostream>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/domain/value.h"
#include "services/worker/backends/yosys/yosys_backend.h"
#include "services/worker/hardware/design.h"
#include "services/worker/rtl/verilog_printer.h"
#include "tests/support/quantized_networks.h"
#include "tests/support/temp_dir.h"

namespace dovetail {
namespace {

const std::vector<int64_t> kJetWidths = {16, 64, 32, 32, 5};
constexpr uint64_t kSeed = 7;

struct Point {
  std::string name;
  int bits = 6;
  double kept_fraction = 1;
  std::string strategy = "latency";
};

nn::Network NetworkOf(const Point& point) {
  return testing::QuantizedDenseNetwork(kJetWidths, kSeed,
                                        {.weight_bits = point.bits,
                                         .activation_bits = point.bits,
                                         .kept_fraction = point.kept_fraction});
}

absl::StatusOr<backends::YosysResult> Synthesize(const hardware::Design& design,
                                                 const std::string& cache) {
  testing::TempDir scratch;
  return backends::SynthesizeWithYosys(
      rtl::SplitModules(rtl::PrintVerilog(design).Text()), design.device.family,
      {.scratch_directory = scratch.path(), .cache_directory = cache});
}

// Adder bits without any sharing: every product apart, digit by digit.
double UnsharedAdders(const nn::Network& network) {
  double adders = 0;
  for (const nn::Layer& layer : network.layers) {
    if (!layer.HasWeights()) continue;
    const int fraction = layer.types.at("kernel").type.fraction_bits();
    for (float value : layer.parameters.at("kernel").values) {
      const auto raw = static_cast<int64_t>(std::ldexp(value, fraction));
      adders += static_cast<double>(hardware::CsdDigits(raw).size());
    }
  }
  return adders;
}

absl::Status RunPoint(const Point& point, const std::string& cache, Value& result) {
  const nn::Network network = NetworkOf(point);
  const auto design = hardware::LowerNetwork(network, {.strategy = point.strategy});
  if (!design.ok()) return design.status();
  const auto synthesis = Synthesize(*design, cache);
  if (!synthesis.ok()) return synthesis.status();
  Value one;
  one.Set("lut", synthesis->total.Lut()).Set("lut_estimate", design->LutEstimate());
  one.Set("ff", synthesis->total.ff).Set("dsp", synthesis->total.dsp);
  one.Set("adders", design->AdderCount()).Set("adder_bits", design->AdderBits());
  one.Set("adders_unshared", UnsharedAdders(network));
  one.Set("latency_cycles", design->latency_cycles);
  one.Set("critical_path_ns", design->critical_path_ps / 1000);
  one.Set("wall_s", synthesis->wall_seconds).Set("tool_s", synthesis->tool_seconds);
  result.Set(absl::StrCat(point.name, "_", point.strategy), std::move(one));
  std::cerr << point.name << " " << point.strategy << ": " << synthesis->total.Lut() << " LUT, "
            << synthesis->total.dsp << " DSP, " << synthesis->wall_seconds << " s\n";
  return absl::OkStatus();
}

absl::Status RunAll(Value& result) {
  testing::TempDir cache;
  // The pruned 6-bit network first: its shapes are not in the cache yet.
  const Point cold{"bits6_kept30", 6, 0.3};
  if (const absl::Status status = RunPoint(cold, cache.path(), result); !status.ok()) return status;
  result.Set("synth_cold_s", result["bits6_kept30_latency"]["wall_s"]);
  nn::Network network = NetworkOf(cold);
  auto design = hardware::LowerNetwork(network, {});
  auto again = Synthesize(*design, cache.path());
  if (!again.ok()) return again.status();
  result.Set("synth_cached_s", again->wall_seconds);
  for (float& value : network.Find("fc3")->parameters["kernel"].values) value = -value;
  design = hardware::LowerNetwork(network, {});
  again = Synthesize(*design, cache.path());
  if (!again.ok()) return again.status();
  result.Set("synth_one_layer_changed_s", again->wall_seconds);

  {
    testing::TempDir empty;
    const Point baseline{"bits18", 18};
    if (const absl::Status s = RunPoint(baseline, empty.path(), result); !s.ok()) return s;
    result.Set("baseline18_s", result["bits18_latency"]["wall_s"]);
  }
  for (const Point& point : std::vector<Point>{{"bits6_kept30", 6, 0.3, "distributed_arithmetic"},
                                               {"bits6_kept8", 6, 0.08},
                                               {"bits6_kept8", 6, 0.08, "distributed_arithmetic"},
                                               {"bits8", 8},
                                               {"bits8", 8, 1, "distributed_arithmetic"}}) {
    if (const absl::Status s = RunPoint(point, cache.path(), result); !s.ok()) return s;
  }
  const auto saving = [&](const std::string& name, const char* what) {
    return 1 - result[name + "_distributed_arithmetic"][what].AsNumber() /
                   result[name + "_latency"][what].AsNumber();
  };
  result.Set("cse_saving_dense8", saving("bits8", "lut"));
  result.Set("cse_saving_6bit_30", saving("bits6_kept30", "lut"));
  result.Set("cse_saving_6bit_8", saving("bits6_kept8", "lut"));
  result.Set("seed", static_cast<int64_t>(kSeed));
  return absl::OkStatus();
}

}  // namespace
}  // namespace dovetail

int main() {
  dovetail::Value result;
  const absl::Status status = dovetail::RunAll(result);
  if (!status.ok()) {
    std::cerr << "bench_hardware: " << status.message() << "\n";
    return 1;
  }
  std::cout << result.ToJson() << "\n";
  return 0;
}
