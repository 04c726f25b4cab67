#include "services/worker/reports/yosys_stat.h"

#include <array>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace dovetail::reports {
namespace {

struct RamCell {
  const char* prefix;
  int64_t luts;
};

// Of UG474 and UG574: LUTs one RAM cell fills.
constexpr std::array<RamCell, 11> kLutRams = {{{"RAM32X1S", 1},
                                               {"RAM32X1D", 2},
                                               {"RAM64X1S", 1},
                                               {"RAM64X1D", 2},
                                               {"RAM128X1S", 2},
                                               {"RAM128X1D", 4},
                                               {"RAM256X1", 4},
                                               {"RAM512X1", 8},
                                               {"RAM32M16", 8},
                                               {"RAM64M8", 8},
                                               {"RAM", 4}}};  // RAM32M, RAM64M

}  // namespace

absl::StatusOr<std::map<std::string, CellCounts>> ParseYosysStat(absl::string_view text) {
  std::map<std::string, CellCounts> modules;
  CellCounts* module = nullptr;
  bool in_cells = false;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (absl::StartsWith(line, "=== ")) {
      const absl::string_view name = absl::StripSuffix(line.substr(4), " ===");
      module = name == "design hierarchy" ? nullptr : &modules[std::string(name)];
      in_cells = false;
      continue;
    }
    if (module == nullptr) continue;
    if (absl::StrContains(line, "Number of cells:")) {
      in_cells = true;
      continue;
    }
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (!in_cells || words.size() != 2) continue;
    int64_t count = 0;
    if (!absl::SimpleAtoi(words[1], &count)) {
      return absl::DataLossError(absl::StrCat("not a line of Yosys's stat: \"", line, "\""));
    }
    (*module)[std::string(words[0])] = count;
  }
  if (modules.empty()) return absl::DataLossError("Yosys's stat report names no module");
  return modules;
}

void XilinxUsage::Add(const XilinxUsage& other, int64_t times) {
  lut_logic += times * other.lut_logic;
  inverters += times * other.inverters;
  lut_ram += times * other.lut_ram;
  lut_shift += times * other.lut_shift;
  wide_mux += times * other.wide_mux;
  carry4 += times * other.carry4;
  ff += times * other.ff;
  bram += static_cast<double>(times) * other.bram;
  uram += times * other.uram;
  dsp += times * other.dsp;
}

XilinxUsage UsageOf(const CellCounts& cells, CellCounts* instances) {
  XilinxUsage usage;
  for (const auto& [type, count] : cells) {
    if (type.size() == 4 && absl::StartsWith(type, "LUT")) {
      usage.lut_logic += count;
    } else if (type == "INV") {
      usage.inverters += count;
    } else if (absl::StartsWith(type, "SRL")) {
      usage.lut_shift += count;
    } else if (absl::StartsWith(type, "MUXF")) {
      usage.wide_mux += count;
    } else if (type == "CARRY4") {
      usage.carry4 += count;
    } else if (type == "FDRE" || type == "FDSE" || type == "FDCE" || type == "FDPE") {
      usage.ff += count;
    } else if (absl::StartsWith(type, "RAMB18")) {
      usage.bram += 0.5 * static_cast<double>(count);
    } else if (absl::StartsWith(type, "RAMB36")) {
      usage.bram += static_cast<double>(count);
    } else if (absl::StartsWith(type, "URAM")) {
      usage.uram += count;
    } else if (absl::StartsWith(type, "DSP48")) {
      usage.dsp += count;
    } else if (absl::StartsWith(type, "RAM")) {
      for (const RamCell& ram : kLutRams) {
        if (!absl::StartsWith(type, ram.prefix)) continue;
        usage.lut_ram += ram.luts * count;
        break;
      }
    } else if (instances != nullptr) {
      (*instances)[type] += count;
    }
  }
  return usage;
}

}  // namespace dovetail::reports
