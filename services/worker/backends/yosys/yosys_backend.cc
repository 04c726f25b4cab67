#include "services/worker/backends/yosys/yosys_backend.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/digest.h"
#include "common/base/status_macros.h"
#include "services/worker/backends/content_cache.h"
#include "services/worker/backends/run_tool.h"
#include "services/worker/backends/script_templates.h"
#include "services/worker/sandbox/run_caged.h"

namespace dovetail::backends {
namespace {

using reports::CellCounts;
using reports::XilinxUsage;
using Modules = std::map<std::string, std::string>;

bool IsLayer(const std::string& name) { return absl::StartsWith(name, "layer"); }
bool IsMultiplier(const std::string& name) { return absl::StartsWith(name, "dsp48"); }
bool IsAdder(const std::string& name) {
  return absl::StartsWith(name, "add_") || absl::StartsWith(name, "sub_");
}

absl::Status WriteFile(const std::string& file, const std::string& text) {
  std::ofstream out(file, std::ios::binary);
  out << text;
  out.flush();
  if (!out) return absl::ResourceExhaustedError(absl::StrCat("cannot write ", file));
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadFile(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return absl::InternalError(absl::StrCat("Yosys wrote no ", file));
  return std::string(std::istreambuf_iterator<char>(in), {});
}

std::string CellsToText(const CellCounts& cells) {
  std::string text;
  for (const auto& [type, count] : cells) absl::StrAppend(&text, type, " ", count, "\n");
  return text;
}

std::optional<CellCounts> CellsFromText(const std::string& text) {
  CellCounts cells;
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(line, ' ');
    int64_t count = 0;
    if (!absl::SimpleAtoi(parts.second, &count)) return std::nullopt;
    cells[std::string(parts.first)] = count;
  }
  return cells;
}

// The declaration alone, for black boxes. The printer keeps it on one line.
std::string StubOf(const std::string& text) {
  return absl::StrCat(text.substr(0, text.find(";\n") + 1), "\nendmodule\n");
}

// One Yosys process and what it gave.
struct Job {
  std::string name;  // of files in the scratch directory
  std::string template_file;
  std::map<std::string, std::string> values;  // of the template, beside REPORT and netlist
  std::map<std::string, CellCounts> cells;
  double cpu_seconds = 0;
  absl::Status status;
};

class Runner {
 public:
  Runner(const YosysOptions& options, std::string version)
      : options_(options),
        directory_(std::filesystem::absolute(options.scratch_directory).string()),
        version_(std::move(version)),
        cache_(options.cache_directory) {}

  std::string KeyOf(const std::string& text) const {
    return Sha256Hex(
        absl::StrCat("yosys cells 1\n", version_, "\n", YosysScriptDigest(), "\n", text));
  }
  std::optional<CellCounts> Cached(const std::string& text) const {
    if (options_.keep_netlists) return std::nullopt;
    const std::optional<std::string> cells = cache_.Get(KeyOf(text));
    return cells ? CellsFromText(*cells) : std::nullopt;
  }
  void Keep(const std::string& text, const CellCounts& cells) const {
    cache_.Put(KeyOf(text), CellsToText(cells));
  }

  bool keeps_netlists() const { return options_.keep_netlists; }
  std::string File(const std::string& name) const { return absl::StrCat(directory_, "/", name); }
  std::string NetlistFile(const Job& job) const { return File(job.name + ".json"); }

  // Runs all jobs, at most process_count at a time; the first error by order of `jobs`.
  absl::Status RunAll(std::vector<Job>& jobs) const {
    std::atomic<size_t> next = 0;
    const auto work = [&] {
      for (size_t i = next++; i < jobs.size(); i = next++) jobs[i].status = Run(jobs[i]);
    };
    std::vector<std::thread> threads;
    const size_t count = std::min<size_t>(std::max(1, options_.process_count), jobs.size());
    for (size_t i = 1; i < count; ++i) threads.emplace_back(work);
    work();
    for (std::thread& thread : threads) thread.join();
    for (const Job& job : jobs) RETURN_IF_ERROR_WITH(job.status, absl::StrCat("module ", job.name));
    return absl::OkStatus();
  }

 private:
  absl::Status Run(Job& job) const {
    std::map<std::string, std::string> values = job.values;
    values["REPORT"] = File(job.name + ".stat");
    values["WRITE_NETLIST"] =
        options_.keep_netlists ? absl::StrCat("write_json ", NetlistFile(job)) : "";
    ASSIGN_OR_RETURN(const std::string script, FillTemplate(job.template_file, values));
    const std::string script_file = File(job.name + ".ys");
    RETURN_IF_ERROR(WriteFile(script_file, script));
    const sandbox::CommandSpec spec{.argv = {options_.program, "-q", script_file},
                                    .working_directory = directory_,
                                    .writable = {directory_},
                                    .timeout_ms = options_.timeout_ms};
    ASSIGN_OR_RETURN(const sandbox::CommandResult result, RunTool("yosys", spec));
    job.cpu_seconds = result.cpu_seconds;
    ASSIGN_OR_RETURN(const std::string report, ReadFile(values["REPORT"]));
    ASSIGN_OR_RETURN(job.cells, reports::ParseYosysStat(report));
    return absl::OkStatus();
  }

  const YosysOptions& options_;
  std::string directory_;
  std::string version_;
  ContentCache cache_;
};

// Cells of every operator module and layer, from the cache or from Yosys.
struct MappedModules {
  std::map<std::string, CellCounts> cells;
  std::map<std::string, bool> cached;
  double tool_seconds = 0;
  std::vector<std::string> netlist_files;
};

// The top holds only wires between layers: mapped for its netlist alone.
absl::Status AddTopJob(const Modules& modules, const Runner& runner, std::vector<Job>& jobs) {
  std::string stubs;
  std::string top;
  for (const auto& [name, text] : modules) {
    if (IsLayer(name)) {
      stubs += StubOf(text);
    } else if (!IsAdder(name) && !IsMultiplier(name)) {
      top = name;
    }
  }
  if (top.empty()) return absl::InvalidArgumentError("the Verilog has no top module");
  RETURN_IF_ERROR(WriteFile(runner.File("top_stubs.v"), stubs));
  RETURN_IF_ERROR(WriteFile(runner.File("top.v"), modules.at(top)));
  jobs.push_back(
      {.name = "top",
       .template_file = "yosys/layer.ys.in",
       .values = {
           {"STUBS", runner.File("top_stubs.v")}, {"INPUT", runner.File("top.v")}, {"TOP", top}}});
  return absl::OkStatus();
}

absl::StatusOr<MappedModules> MapModules(const Modules& modules, const Runner& runner) {
  MappedModules mapped;
  std::string stubs;
  std::string new_shapes;
  std::vector<std::string> new_layers;
  for (const auto& [name, text] : modules) {
    if (IsMultiplier(name)) {
      stubs += StubOf(text);
      continue;
    }
    if (IsAdder(name)) stubs += StubOf(text);
    if (!IsAdder(name) && !IsLayer(name)) continue;
    if (const auto cells = runner.Cached(text)) {
      mapped.cells[name] = *cells;
      mapped.cached[name] = true;
    } else if (IsAdder(name)) {
      new_shapes += text;
    } else {
      new_layers.push_back(name);
    }
  }
  // The largest layers first, so that processes end together.
  std::stable_sort(new_layers.begin(), new_layers.end(), [&](const auto& a, const auto& b) {
    return modules.at(a).size() > modules.at(b).size();
  });
  std::vector<Job> jobs;
  if (!new_layers.empty()) RETURN_IF_ERROR(WriteFile(runner.File("stubs.v"), stubs));
  for (const std::string& name : new_layers) {
    RETURN_IF_ERROR(WriteFile(runner.File(name + ".v"), modules.at(name)));
    jobs.push_back({.name = name,
                    .template_file = "yosys/layer.ys.in",
                    .values = {{"STUBS", runner.File("stubs.v")},
                               {"INPUT", runner.File(name + ".v")},
                               {"TOP", name}}});
  }
  if (!new_shapes.empty()) {
    RETURN_IF_ERROR(WriteFile(runner.File("shapes.v"), new_shapes));
    RETURN_IF_ERROR(
        WriteFile(runner.File("adder_map.v"), ScriptTemplates().at("yosys/adder_map.v")));
    jobs.push_back({.name = "shapes",
                    .template_file = "yosys/shapes.ys.in",
                    .values = {{"INPUT", runner.File("shapes.v")},
                               {"ADDER_MAP", runner.File("adder_map.v")}}});
  }
  if (runner.keeps_netlists()) RETURN_IF_ERROR(AddTopJob(modules, runner, jobs));
  RETURN_IF_ERROR(runner.RunAll(jobs));
  for (const Job& job : jobs) {
    mapped.tool_seconds += job.cpu_seconds;
    mapped.netlist_files.push_back(runner.NetlistFile(job));
    for (const auto& [name, cells] : job.cells) {
      const auto module = modules.find(name);
      if (module == modules.end() || mapped.cells.contains(name)) continue;
      mapped.cells[name] = cells;
      runner.Keep(module->second, cells);
    }
  }
  return mapped;
}

}  // namespace

std::string YosysScriptDigest() {
  static const std::string digest = [] {
    std::string all;
    for (const auto& [file, text] : ScriptTemplates()) {
      if (absl::StartsWith(file, "yosys/")) absl::StrAppend(&all, file, "\n", text, "\n");
    }
    return Sha256Hex(all);
  }();
  return digest;
}

absl::StatusOr<std::string> YosysVersion(const std::string& program) {
  return ToolVersion(program, "-V", "Yosys 0.23 or newer");
}

absl::StatusOr<YosysResult> SynthesizeWithYosys(const Modules& modules, hardware::Family family,
                                                const YosysOptions& options) {
  if (family == hardware::Family::kEcp5 || family == hardware::Family::kIce40) {
    return absl::UnimplementedError(
        absl::StrCat("no synthesis for the family ", hardware::FamilyName(family), " yet"));
  }
  const auto start = std::chrono::steady_clock::now();
  YosysResult result;
  ASSIGN_OR_RETURN(result.version, YosysVersion(options.program));
  const Runner runner(options, result.version);
  ASSIGN_OR_RETURN(MappedModules mapped, MapModules(modules, runner));
  result.tool_seconds = mapped.tool_seconds;
  if (options.keep_netlists) result.netlist_files = std::move(mapped.netlist_files);

  std::map<std::string, XilinxUsage> shapes;
  for (const auto& [name, text] : modules) {
    if (IsMultiplier(name)) shapes[name] = {.dsp = 1};
    if (!IsAdder(name)) continue;
    const auto cells = mapped.cells.find(name);
    if (cells == mapped.cells.end()) {
      return absl::InternalError(absl::StrCat("Yosys reported nothing of module ", name));
    }
    shapes[name] = reports::UsageOf(cells->second, nullptr);
    ++result.shape_count;
    if (mapped.cached[name]) ++result.shapes_cached;
  }
  for (const auto& [name, text] : modules) {
    if (!IsLayer(name)) continue;
    LayerUsage layer{.module = name, .cached = mapped.cached[name]};
    CellCounts instances;
    layer.glue = reports::UsageOf(mapped.cells[name], &instances);
    layer.total = layer.glue;
    for (const auto& [type, count] : instances) {
      const auto shape = shapes.find(type);
      if (shape == shapes.end()) {
        return absl::InternalError(
            absl::StrCat("module ", name, " maps to cells of unknown type ", type));
      }
      layer.total.Add(shape->second, count);
      layer.operator_instances += count;
    }
    result.total.Add(layer.total);
    result.layers.push_back(std::move(layer));
  }
  result.wall_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace dovetail::backends
