#include "services/worker/tasks/synthesize_task.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/hardware/device_catalogue.h"
#include "services/worker/backends/yosys/yosys_backend.h"
#include "services/worker/hardware/design_json.h"
#include "services/worker/nn/atomic_file.h"
#include "services/worker/rtl/verilog_printer.h"

namespace dovetail {
namespace {

constexpr int64_t kTimeoutMs = 1'800'000;  // of one layer

Value UsageToValue(const reports::XilinxUsage& usage) {
  Value value;
  value.Set("lut", usage.Lut()).Set("lut_logic", usage.lut_logic);
  value.Set("inverters", usage.inverters).Set("lut_ram", usage.lut_ram);
  value.Set("lut_shift", usage.lut_shift).Set("wide_mux", usage.wide_mux);
  value.Set("carry4", usage.carry4).Set("ff", usage.ff).Set("bram", usage.bram);
  value.Set("uram", usage.uram).Set("dsp", usage.dsp);
  return value;
}

Value ReportOf(const backends::YosysResult& result, const std::string& part) {
  Value layers{Value::List()};
  for (const backends::LayerUsage& layer : result.layers) {
    Value one = UsageToValue(layer.total);
    one.Set("module", layer.module).Set("glue_lut", layer.glue.Lut());
    one.Set("operator_instances", layer.operator_instances);
    layers.Append(std::move(one));
  }
  Value report;
  report.Set("tool", result.version).Set("script", backends::YosysScriptDigest());
  report.Set("part", part).Set("total", UsageToValue(result.total));
  report.Set("layers", std::move(layers)).Set("operator_modules", result.shape_count);
  return report;
}

// Counts, and the share of the device they take.
void PutUsage(const reports::XilinxUsage& usage, const hardware::Device& device,
              const std::string& source, Measurement& measurement) {
  const std::pair<const char*, std::pair<double, int64_t>> rows[] = {
      {"lut", {static_cast<double>(usage.Lut()), device.lut}},
      {"ff", {static_cast<double>(usage.ff), device.ff}},
      {"bram", {usage.bram, device.bram}},
      {"dsp", {static_cast<double>(usage.dsp), device.dsp}},
  };
  double largest = 0;
  for (const auto& [name, row] : rows) {
    const auto [used, there] = row;
    measurement.Put(name, used, "count", source);
    const double share = there > 0 ? used / static_cast<double>(there) : (used > 0 ? 1e9 : 0);
    measurement.Put(absl::StrCat(name, "_utilization_fraction"), share, "fraction", source);
    largest = std::max(largest, share);
  }
  measurement.Put("max_utilization_fraction", largest, "fraction", source);
}

class SynthesizeTask : public Task {
 public:
  absl::StatusOr<Measurement> Run(const TaskContext& context) override {
    const std::string backend = context.parameters["Backend"].AsString();
    if (backend != "yosys") {
      return absl::InvalidArgumentError(
          absl::StrCat("Backend \"", backend, "\" is unknown; known: yosys"));
    }
    const std::string part = context.parameters["Part"].AsString();
    const absl::StatusOr<const hardware::Device*> device = hardware::FindDevice(part);
    if (!device.ok()) return absl::InvalidArgumentError(device.status().message());
    ASSIGN_OR_RETURN(const std::string verilog, nn::ReadWholeFile(context.InputFile("rtl")));
    ASSIGN_OR_RETURN(const std::string json, nn::ReadWholeFile(context.InputFile("design")));
    ASSIGN_OR_RETURN(const hardware::DesignSummary design, hardware::ParseDesignSummary(json));

    backends::YosysOptions options{.scratch_directory = context.scratch_directory,
                                   .process_count = context.thread_count,
                                   .timeout_ms = kTimeoutMs};
    if (!context.cache_directory.empty()) {
      options.cache_directory = context.cache_directory + "/yosys";
    }
    ASSIGN_OR_RETURN(
        const backends::YosysResult result,
        backends::SynthesizeWithYosys(rtl::SplitModules(verilog), (*device)->family, options));
    if (result.total.dsp != design.dsp) {
      return absl::InternalError(absl::StrCat("the netlist has ", result.total.dsp,
                                              " DSP blocks, the design ", design.dsp));
    }
    RETURN_IF_ERROR(
        nn::WriteFileAtomically(context.OutputFile("report"), {ReportOf(result, part).ToJson()}));
    Measurement measurement;
    PutUsage(result.total, **device, result.version, measurement);
    measurement.log.Set("synthesis_seconds", result.wall_seconds);
    measurement.log.Set("tool_seconds", result.tool_seconds);
    measurement.log.Set("operator_modules", result.shape_count);
    measurement.log.Set("operator_modules_cached", result.shapes_cached);
    int64_t cached = 0;
    for (const backends::LayerUsage& layer : result.layers) cached += layer.cached ? 1 : 0;
    measurement.log.Set("layers_cached", cached);
    return measurement;
  }
};

}  // namespace

std::unique_ptr<Task> MakeSynthesizeTask() { return std::make_unique<SynthesizeTask>(); }

}  // namespace dovetail
