#include "services/worker/tasks/lower_rtl_task.h"

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/hardware/delay_model.h"
#include "services/worker/hardware/design.h"
#include "services/worker/hardware/design_json.h"
#include "services/worker/nn/atomic_file.h"
#include "services/worker/nn/network.h"
#include "services/worker/rtl/verilog_printer.h"

namespace dovetail {
namespace {

constexpr char kSource[] = "dovetail hardware IR";

hardware::LowerOptions OptionsOf(const Value& parameters) {
  return {.part = parameters["Part"].AsString(),
          .clock_period_ns = parameters["ClockPeriod"].AsNumber(),
          .clock_uncertainty_fraction = parameters["ClockUncertainty"].AsNumber() / 100,
          .strategy = parameters["Strategy"].AsString(),
          .reuse_factor = static_cast<int>(parameters["ReuseFactor"].AsNumber()),
          .io_type = parameters["IOType"].AsString()};
}

class LowerRtlTask : public Task {
 public:
  absl::StatusOr<Measurement> Run(const TaskContext& context) override {
    ASSIGN_OR_RETURN(const nn::Network network, nn::ReadNetworkFile(context.InputFile("network")));
    absl::StatusOr<hardware::Design> lowered =
        hardware::LowerNetwork(network, OptionsOf(context.parameters));
    // An unknown part is a configuration that cannot be.
    if (absl::IsNotFound(lowered.status())) {
      return absl::InvalidArgumentError(lowered.status().message());
    }
    RETURN_IF_ERROR(lowered.status());
    const hardware::Design& design = *lowered;
    const Value artifact = hardware::DesignToValue(design);
    RETURN_IF_ERROR(
        nn::WriteFileAtomically(context.OutputFile("rtl"), {rtl::PrintVerilog(design).Text()}));
    RETURN_IF_ERROR(nn::WriteFileAtomically(context.OutputFile("design"), {artifact.ToJson()}));

    const double latency = static_cast<double>(design.latency_cycles);
    const std::string timing = hardware::DelayModelSource();
    Measurement measurement;
    measurement.Put("dsp", static_cast<double>(design.DspCount()), "count", kSource);
    measurement.Put("latency_cycles", latency, "cycles", kSource);
    measurement.Put("initiation_interval_cycles",
                    static_cast<double>(design.initiation_interval_cycles), "cycles", kSource);
    measurement.Put("estimated_critical_path_ns", design.critical_path_ps / 1000, "ns", timing);
    measurement.Put("latency_ns_at_target", latency * design.clock_period_ns, "ns", timing);
    measurement.Put("adder_bits", static_cast<double>(design.AdderBits()), "bits", kSource);
    measurement.Put("lut_estimate", static_cast<double>(design.LutEstimate()), "count", kSource);
    measurement.log.Set("layers", artifact["layers"]).Set("warnings", artifact["warnings"]);
    return measurement;
  }
};

}  // namespace

std::unique_ptr<Task> MakeLowerRtlTask() { return std::make_unique<LowerRtlTask>(); }

}  // namespace dovetail
