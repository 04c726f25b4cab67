// Prints one scheduled layer as a Verilog module. Used by the Verilog printer alone.
#ifndef DOVETAIL_SERVICES_WORKER_RTL_LAYER_PRINTER_H_
#define DOVETAIL_SERVICES_WORKER_RTL_LAYER_PRINTER_H_

#include <map>
#include <string>
#include <vector>

#include "services/worker/hardware/design.h"
#include "services/worker/rtl/operand.h"
#include "services/worker/rtl/operator_modules.h"
#include "services/worker/rtl/verilog_printer.h"

namespace dovetail::rtl {

// One use per layer. Ports: clk, x and y, packed, first port lowest.
class LayerPrinter {
 public:
  // `shapes` collects operator modules.
  LayerPrinter(const hardware::Design& design, const hardware::LayerDesign& layer,
               std::map<std::string, std::string>& shapes);

  PrintedLayer Print();

 private:
  // Node `index` as seen in cycle `stage`.
  Operand At(int index, int stage) const;
  void PrintInputs();
  void PrintNode(int index);
  void PrintAdder(int index);
  void PrintMultiplier(int index);
  void PrintRound(int index);
  void PrintClamp(int index);
  void PrintMaximum(int index);
  // Declares all registers; their moves go to the end of the module.
  void PrintRegisters();
  void PrintOutputs();
  void Assign(int index, const std::string& expression);
  void Instance(int index, const std::string& module, const std::string& text,
                const std::string& ports);

  const hardware::Design& design_;
  const hardware::LayerDesign& layer_;
  const hardware::Graph& graph_;
  std::map<std::string, std::string>& shapes_;
  std::vector<int> last_use_;
  int input_bits_ = 0;
  int output_bits_ = 0;
  PrintedLayer printed_;
  std::string body_;
  std::string moves_;
};

}  // namespace dovetail::rtl

#endif  // DOVETAIL_SERVICES_WORKER_RTL_LAYER_PRINTER_H_
