// Logic synthesis with Yosys: layer by layer, out of context, everything cached by content.
// Called by the synthesize task and benchmarks. Knows the printer's modules, no networks.
#ifndef DOVETAIL_SERVICES_WORKER_BACKENDS_YOSYS_YOSYS_BACKEND_H_
#define DOVETAIL_SERVICES_WORKER_BACKENDS_YOSYS_YOSYS_BACKEND_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/hardware/device_catalogue.h"
#include "services/worker/reports/yosys_stat.h"

namespace dovetail::backends {

struct YosysOptions {
  std::string program = "yosys";
  std::string scratch_directory;  // exists, writable, empty enough
  std::string cache_directory;    // "": nothing is kept
  int process_count = 1;          // Yosys processes at a time
  int64_t timeout_ms = 600'000;   // of each process
  bool keep_netlists = false;     // netlists of shapes and layers, for the evaluator; no cache
};

struct LayerUsage {
  std::string module;
  reports::XilinxUsage total;
  reports::XilinxUsage glue;  // without the operator modules
  int64_t operator_instances = 0;
  bool cached = false;
};

struct YosysResult {
  std::string version;  // "Yosys 0.23 (git sha1 7ce5011c24b)"
  reports::XilinxUsage total;
  std::vector<LayerUsage> layers;
  int64_t shape_count = 0;
  int64_t shapes_cached = 0;
  double wall_seconds = 0;
  double tool_seconds = 0;                 // CPU time of Yosys and its children
  std::vector<std::string> netlist_files;  // Yosys JSON, where kept
};

// `modules`: name -> Verilog as SplitModules gives it. Every module called "layer..." is a layer;
// "add_", "sub_" and "dsp48" are operator modules; the rest (the top) holds only wires.
// Errors: Unimplemented: a family Yosys has no script for; NotFound turned FailedPrecondition: no
// Yosys; DeadlineExceeded, ResourceExhausted; Internal with the tool's last words.
absl::StatusOr<YosysResult> SynthesizeWithYosys(const std::map<std::string, std::string>& modules,
                                                hardware::Family family,
                                                const YosysOptions& options);

// SHA-256 over all script templates: part of every cache key, and of the action key by way of the
// task's version.
std::string YosysScriptDigest();

// The first line `yosys -V` prints. Errors: FailedPrecondition: it cannot be run.
absl::StatusOr<std::string> YosysVersion(const std::string& program);

}  // namespace dovetail::backends

#endif  // DOVETAIL_SERVICES_WORKER_BACKENDS_YOSYS_YOSYS_BACKEND_H_
