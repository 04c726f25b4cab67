// Prints a hardware design as Verilog-2001: shared operator modules, one module per layer, one top.
// Called by lower_rtl. Deterministic; the text never holds a bare "*" outside the behavioural
// twins.
#ifndef DOVETAIL_SERVICES_WORKER_RTL_VERILOG_PRINTER_H_
#define DOVETAIL_SERVICES_WORKER_RTL_VERILOG_PRINTER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "services/worker/hardware/design.h"

namespace dovetail::rtl {

struct PrintedLayer {
  std::string module;
  std::string text;
  std::map<std::string, int64_t> shapes;  // operator module -> instances
};

struct PrintedDesign {
  // Operator modules by name: adders keyed by operator, operand widths and signs, and result width;
  // DSP multipliers also by registers. Defined once, instantiated by layers.
  std::map<std::string, std::string> shapes;
  std::vector<PrintedLayer> layers;
  std::string top;  // module <design name>: ports clk, x (all inputs, element 0 lowest), y

  std::string Text() const;
};

// Where defined, DSP modules are plain registers and a product: what simulators read.
inline constexpr char kBehaviouralMacro[] = "DOVETAIL_BEHAVIOURAL";

PrintedDesign PrintVerilog(const hardware::Design& design);

// The modules of a text this printer wrote: name -> text from "module" to "endmodule".
std::map<std::string, std::string> SplitModules(const std::string& verilog);

}  // namespace dovetail::rtl

#endif  // DOVETAIL_SERVICES_WORKER_RTL_VERILOG_PRINTER_H_
