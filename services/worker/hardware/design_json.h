// The design artifact: what synthesis, simulation and reports need of a design beside its Verilog.
// Written by lower_rtl; read by synthesize and simulate.
#ifndef DOVETAIL_SERVICES_WORKER_HARDWARE_DESIGN_JSON_H_
#define DOVETAIL_SERVICES_WORKER_HARDWARE_DESIGN_JSON_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/domain/fixed_type.h"
#include "common/domain/value.h"
#include "services/worker/hardware/design.h"

namespace dovetail::hardware {

Value DesignToValue(const Design& design);

// What is read back of it.
struct DesignSummary {
  std::string name;
  std::string part;
  int64_t latency_cycles = 0;
  int64_t initiation_interval_cycles = 1;
  int64_t dsp = 0;
  std::vector<FixedType> input_types;
  std::vector<FixedType> output_types;
};

// Errors: InvalidArgument: not a design artifact.
absl::StatusOr<DesignSummary> ParseDesignSummary(absl::string_view json);

}  // namespace dovetail::hardware

#endif  // DOVETAIL_SERVICES_WORKER_HARDWARE_DESIGN_JSON_H_
