// Compiles printed Verilog with Verilator and runs vectors through it, back to back.
// Called by the simulate task and tests. Knows packed ports and cycles, no networks.
#ifndef DOVETAIL_SERVICES_WORKER_BACKENDS_VERILATOR_VERILATOR_BACKEND_H_
#define DOVETAIL_SERVICES_WORKER_BACKENDS_VERILATOR_VERILATOR_BACKEND_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace dovetail::backends {

struct PortElement {
  int width_bits = 1;
  bool is_signed = false;
};

struct SimulationRequest {
  std::string verilog;
  std::string top = "myproject";
  std::vector<std::string> defines;  // macros set for the compilation
  std::vector<PortElement> inputs;   // of port x, element 0 lowest
  std::vector<PortElement> outputs;  // of port y
  int64_t latency_cycles = 0;        // as designed; the measured one is in the result
  int64_t interval_cycles = 1;
  // Raw integers, [vectors x inputs] and [vectors x outputs].
  std::vector<int64_t> vectors;
  std::vector<int64_t> expected;
};

struct SimulationOptions {
  std::string program = "verilator";
  std::string scratch_directory;
  int process_count = 1;
  int64_t timeout_ms = 600'000;  // of the compilation and of the run, each
};

struct SimulationResult {
  std::string version;
  int64_t vector_count = 0;
  int64_t mismatched_vectors = 0;
  int64_t first_mismatch = -1;  // index of a vector, -1: none
  int64_t latency_cycles = 0;   // measured: edges from a vector's arrival to its result
  int64_t interval_cycles = 0;  // measured: cycles between vectors at which every result is right
  double compile_seconds = 0;
  double run_seconds = 0;
};

// Errors: FailedPrecondition: no Verilator; InvalidArgument: sizes; DeadlineExceeded,
// ResourceExhausted; Internal with the tool's last words.
absl::StatusOr<SimulationResult> SimulateWithVerilator(const SimulationRequest& request,
                                                       const SimulationOptions& options);

}  // namespace dovetail::backends

#endif  // DOVETAIL_SERVICES_WORKER_BACKENDS_VERILATOR_VERILATOR_BACKEND_H_
