#include "services/worker/tasks/simulate_task.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/worker/backends/verilator/verilator_backend.h"
#include "services/worker/fixedpoint/engine.h"
#include "services/worker/hardware/design_json.h"
#include "services/worker/nn/atomic_file.h"
#include "services/worker/nn/dataset.h"
#include "services/worker/nn/network.h"
#include "services/worker/rtl/verilog_printer.h"

namespace dovetail {
namespace {

// Inputs of `count` validation samples as hardware receives them, and the engine's logits.
absl::Status FillVectors(const nn::Network& network, const TaskContext& context,
                         backends::SimulationRequest& request) {
  ASSIGN_OR_RETURN(const auto dataset, nn::Dataset::Map(context.InputFile("dataset")));
  ASSIGN_OR_RETURN(const nn::Split split, dataset->Get("validation"));
  const int64_t wanted = static_cast<int64_t>(context.parameters["vectors"].AsNumber());
  const int64_t count = std::min(wanted, split.count);
  if (count < 1) return absl::InvalidArgumentError("simulate needs at least one vector");
  const int64_t elements = nn::ElementCount(split.sample_shape);
  if (elements != static_cast<int64_t>(request.inputs.size())) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a sample has ", elements, " features, the design ", request.inputs.size(), " inputs"));
  }
  ASSIGN_OR_RETURN(const auto engine, fixedpoint::Engine::Make(network));
  const auto features = split.features.subspan(0, count * elements);
  ASSIGN_OR_RETURN(request.vectors, engine->QuantizeInputs(features, count));
  ASSIGN_OR_RETURN(request.expected, engine->RunRaw(features, count));
  return absl::OkStatus();
}

class SimulateTask : public Task {
 public:
  absl::StatusOr<Measurement> Run(const TaskContext& context) override {
    ASSIGN_OR_RETURN(const std::string json, nn::ReadWholeFile(context.InputFile("design")));
    ASSIGN_OR_RETURN(const hardware::DesignSummary design, hardware::ParseDesignSummary(json));
    ASSIGN_OR_RETURN(const nn::Network network, nn::ReadNetworkFile(context.InputFile("network")));
    backends::SimulationRequest request{.top = design.name,
                                        .defines = {rtl::kBehaviouralMacro},
                                        .latency_cycles = design.latency_cycles,
                                        .interval_cycles = design.initiation_interval_cycles};
    ASSIGN_OR_RETURN(request.verilog, nn::ReadWholeFile(context.InputFile("rtl")));
    for (const FixedType& type : design.input_types) {
      request.inputs.push_back({type.width_bits, type.is_signed});
    }
    for (const FixedType& type : design.output_types) {
      request.outputs.push_back({type.width_bits, type.is_signed});
    }
    RETURN_IF_ERROR(FillVectors(network, context, request));
    ASSIGN_OR_RETURN(
        const backends::SimulationResult result,
        backends::SimulateWithVerilator(request, {.scratch_directory = context.scratch_directory,
                                                  .process_count = context.thread_count}));
    Measurement measurement;
    measurement.Put("mismatched_vectors", static_cast<double>(result.mismatched_vectors), "count",
                    result.version);
    measurement.Put("simulated_latency_cycles", static_cast<double>(result.latency_cycles),
                    "cycles", result.version);
    measurement.Put("simulated_interval_cycles", static_cast<double>(result.interval_cycles),
                    "cycles", result.version);
    measurement.log.Set("vectors", result.vector_count);
    measurement.log.Set("first_mismatch", result.first_mismatch);
    measurement.log.Set("compile_seconds", result.compile_seconds);
    measurement.log.Set("run_seconds", result.run_seconds);
    return measurement;
  }
};

}  // namespace

std::unique_ptr<Task> MakeSimulateTask() { return std::make_unique<SimulateTask>(); }

}  // namespace dovetail
