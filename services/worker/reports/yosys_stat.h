// Reads the text of Yosys's `stat`: cells by type, module by module.
// Called by the Yosys backend. Pure. (`stat -json` of Yosys 0.23 writes broken JSON for more than
// one module.)
#ifndef DOVETAIL_SERVICES_WORKER_REPORTS_YOSYS_STAT_H_
#define DOVETAIL_SERVICES_WORKER_REPORTS_YOSYS_STAT_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace dovetail::reports {

// Cell type -> instances.
using CellCounts = std::map<std::string, int64_t>;

// Module -> cells. "design hierarchy" is left out.
// Errors: DataLoss: no module, or a count that is no number.
absl::StatusOr<std::map<std::string, CellCounts>> ParseYosysStat(absl::string_view text);

// What the cells of AMD's families use. LUT means LUT1 to LUT6, inverters left over, LUT RAM and
// shift registers; wide multiplexers stand apart.
struct XilinxUsage {
  int64_t lut_logic = 0;
  int64_t inverters = 0;
  int64_t lut_ram = 0;    // in LUTs
  int64_t lut_shift = 0;  // in LUTs
  int64_t wide_mux = 0;   // MUXF7, MUXF8, MUXF9
  int64_t carry4 = 0;
  int64_t ff = 0;
  double bram = 0;  // blocks of 36 kbit
  int64_t uram = 0;
  int64_t dsp = 0;

  int64_t Lut() const { return lut_logic + inverters + lut_ram + lut_shift; }
  void Add(const XilinxUsage& other, int64_t times = 1);
  friend bool operator==(const XilinxUsage&, const XilinxUsage&) = default;
};

// Cells that are no primitives are counted into `instances`.
XilinxUsage UsageOf(const CellCounts& cells, CellCounts* instances);

}  // namespace dovetail::reports

#endif  // DOVETAIL_SERVICES_WORKER_REPORTS_YOSYS_STAT_H_
