#include "services/worker/backends/verilator/verilator_backend.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/worker/backends/run_tool.h"
#include "services/worker/backends/script_templates.h"
#include "services/worker/sandbox/run_caged.h"

namespace dovetail::backends {
namespace {

constexpr int64_t kSpareCycles = 16;  // a design later than it says is still measured

int TotalBits(const std::vector<PortElement>& elements) {
  int bits = 0;
  for (const PortElement& element : elements) bits += element.width_bits;
  return bits;
}

// Whole words; at least three, so that Verilator's port is an array of words.
int PaddedBits(const std::vector<PortElement>& elements) {
  return std::max(96, (TotalBits(elements) + 31) / 32 * 32);
}

// One vector as little-endian 32-bit words.
std::vector<uint32_t> Pack(const int64_t* values, const std::vector<PortElement>& elements) {
  std::vector<uint32_t> words(PaddedBits(elements) / 32, 0);
  int at = 0;
  for (const PortElement& element : elements) {
    for (int bit = 0; bit < element.width_bits; ++bit, ++at) {
      if ((*values >> std::min(bit, 63)) & 1) words[at / 32] |= uint32_t{1} << (at % 32);
    }
    ++values;
  }
  return words;
}

absl::Status WriteBytes(const std::string& file, const void* data, size_t size) {
  std::ofstream out(file, std::ios::binary);
  out.write(static_cast<const char*>(data), static_cast<std::streamsize>(size));
  out.flush();
  if (!out) return absl::ResourceExhaustedError(absl::StrCat("cannot write ", file));
  return absl::OkStatus();
}

absl::StatusOr<double> Compile(const SimulationRequest& request, const SimulationOptions& options) {
  const std::string directory = std::filesystem::absolute(options.scratch_directory).string();
  std::map<std::string, std::string> values;
  values["TOP"] = request.top;
  values["X_BITS"] = absl::StrCat(TotalBits(request.inputs));
  values["X_PADDED"] = absl::StrCat(PaddedBits(request.inputs));
  values["Y_BITS"] = absl::StrCat(TotalBits(request.outputs));
  values["Y_PADDED"] = absl::StrCat(PaddedBits(request.outputs));
  for (const char* name : {"harness.v", "harness.cc"}) {
    ASSIGN_OR_RETURN(const std::string text,
                     FillTemplate(absl::StrCat("verilator/", name, ".in"), values));
    RETURN_IF_ERROR(WriteBytes(absl::StrCat(directory, "/", name), text.data(), text.size()));
  }
  RETURN_IF_ERROR(
      WriteBytes(directory + "/design.v", request.verilog.data(), request.verilog.size()));
  sandbox::CommandSpec spec{.argv = {options.program,
                                     "--cc",
                                     "--exe",
                                     "--build",
                                     "-Wno-fatal",
                                     "-Wno-lint",
                                     "-Wno-style",
                                     "--x-assign",
                                     "fast",
                                     "--x-initial",
                                     "fast",
                                     "--noassert",
                                     "--top-module",
                                     "dovetail_harness",
                                     "-Mdir",
                                     "obj",
                                     "-MAKEFLAGS",
                                     "OPT_FAST=-O1 OPT_SLOW=-O0 OPT_GLOBAL=-O0",
                                     "-j",
                                     absl::StrCat(std::max(1, options.process_count))},
                            .working_directory = directory,
                            .writable = {directory},
                            .timeout_ms = options.timeout_ms};
  for (const std::string& macro : request.defines) spec.argv.push_back("-D" + macro);
  for (const char* file : {"design.v", "harness.v", "harness.cc"}) spec.argv.push_back(file);
  ASSIGN_OR_RETURN(const sandbox::CommandResult result, RunTool("verilator", spec));
  return result.wall_seconds;
}

struct Traces {
  std::vector<uint32_t> words;
  size_t words_per_cycle = 0;
  double run_seconds = 0;
  const uint32_t* Cycle(int64_t t) const { return words.data() + t * words_per_cycle; }
  int64_t cycles() const { return static_cast<int64_t>(words.size() / words_per_cycle); }
};

absl::StatusOr<Traces> Run(const SimulationRequest& request, const SimulationOptions& options,
                           int64_t count, int64_t drain) {
  const std::string directory = std::filesystem::absolute(options.scratch_directory).string();
  std::vector<uint32_t> inputs;
  for (int64_t k = 0; k < count; ++k) {
    const std::vector<uint32_t> words =
        Pack(request.vectors.data() + k * request.inputs.size(), request.inputs);
    inputs.insert(inputs.end(), words.begin(), words.end());
  }
  RETURN_IF_ERROR(WriteBytes(directory + "/inputs.bin", inputs.data(), inputs.size() * 4));
  const sandbox::CommandSpec spec{
      .argv = {directory + "/obj/Vdovetail_harness", "inputs.bin", "outputs.bin",
               absl::StrCat(count), absl::StrCat(request.interval_cycles), absl::StrCat(drain)},
      .working_directory = directory,
      .writable = {directory},
      .timeout_ms = options.timeout_ms};
  ASSIGN_OR_RETURN(const sandbox::CommandResult result, RunTool("simulation", spec));
  Traces traces{.words_per_cycle = static_cast<size_t>(PaddedBits(request.outputs) / 32),
                .run_seconds = result.wall_seconds};
  std::ifstream in(directory + "/outputs.bin", std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(in), {});
  traces.words.resize(bytes.size() / 4);
  std::memcpy(traces.words.data(), bytes.data(), traces.words.size() * 4);
  if (traces.cycles() != count * request.interval_cycles + drain) {
    return absl::InternalError("the simulation wrote too few cycles");
  }
  return traces;
}

void Compare(const SimulationRequest& request, const Traces& traces, SimulationResult& result) {
  const size_t bytes = traces.words_per_cycle * 4;
  const auto expected = [&](int64_t k) {
    return Pack(request.expected.data() + k * request.outputs.size(), request.outputs);
  };
  // The first vector that must look different from vector 0, and when the outputs first do.
  const std::vector<uint32_t> first = expected(0);
  result.latency_cycles = request.latency_cycles;
  for (int64_t k = 1; k < result.vector_count; ++k) {
    if (expected(k) == first) continue;
    int64_t t = 0;
    while (t < traces.cycles() && std::memcmp(traces.Cycle(t), first.data(), bytes) == 0) ++t;
    result.latency_cycles = t + 1 - k * request.interval_cycles;
    break;
  }
  for (int64_t k = 0; k < result.vector_count; ++k) {
    const int64_t t = k * request.interval_cycles + std::max<int64_t>(1, result.latency_cycles) - 1;
    const std::vector<uint32_t> words = expected(k);
    if (t >= 0 && t < traces.cycles() && std::memcmp(traces.Cycle(t), words.data(), bytes) == 0) {
      continue;
    }
    if (result.first_mismatch < 0) result.first_mismatch = k;
    ++result.mismatched_vectors;
  }
  if (result.mismatched_vectors == 0) result.interval_cycles = request.interval_cycles;
}

}  // namespace

absl::StatusOr<SimulationResult> SimulateWithVerilator(const SimulationRequest& request,
                                                       const SimulationOptions& options) {
  if (request.inputs.empty() || request.outputs.empty() || request.vectors.empty() ||
      request.vectors.size() % request.inputs.size() != 0 ||
      request.expected.size() !=
          request.vectors.size() / request.inputs.size() * request.outputs.size()) {
    return absl::InvalidArgumentError("the vectors to simulate do not fit the ports");
  }
  SimulationResult result;
  result.vector_count = static_cast<int64_t>(request.vectors.size() / request.inputs.size());
  ASSIGN_OR_RETURN(result.version,
                   ToolVersion(options.program, "--version", "Verilator 5.006 or newer"));
  ASSIGN_OR_RETURN(result.compile_seconds, Compile(request, options));
  ASSIGN_OR_RETURN(const Traces traces, Run(request, options, result.vector_count,
                                            request.latency_cycles + kSpareCycles));
  result.run_seconds = traces.run_seconds;
  Compare(request, traces, result);
  return result;
}

}  // namespace dovetail::backends
