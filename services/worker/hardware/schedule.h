// Pipelining: puts every node of a layer into a clock cycle so that each cycle's logic meets the
// clock by the stated delay model. Called by the lowering; the printer places the registers.
#ifndef DOVETAIL_SERVICES_WORKER_HARDWARE_SCHEDULE_H_
#define DOVETAIL_SERVICES_WORKER_HARDWARE_SCHEDULE_H_

#include <cstdint>
#include <vector>

#include "common/hardware/delay_model.h"
#include "services/worker/hardware/graph.h"

namespace dovetail::hardware {

// Registers inside a DSP multiplier; the P register is always there.
struct DspRegisters {
  bool input = false;    // AREG
  bool product = false;  // MREG
  int Cycles() const { return 1 + (input ? 1 : 0) + (product ? 1 : 0); }
  friend bool operator==(const DspRegisters&, const DspRegisters&) = default;
};

struct ScheduleOptions {
  double period_ps = 5000;  // what a cycle's logic may take, uncertainty taken off already
  DelayModel delays;
};

// stage[n]: the cycle in which node n's value settles (DSP products: in which P holds it); inputs
// are there in cycle 0. A value used in a later cycle goes through registers.
struct Schedule {
  std::vector<int> stage;
  std::vector<double> ready_ps;  // after the start of that cycle
  // Outputs are registered: they are there `latency_cycles` cycles after the inputs.
  int latency_cycles = 0;
  double critical_path_ps = 0;  // may be above the period where a single operation is too slow
  DspRegisters dsp_registers;
};

// Bits of the carry chain or LUT row that the node's adder needs: low bits that do not overlap are
// left out. 0 for nodes that are no adders.
int CarryBits(const Graph& graph, const Node& node);

// As soon as possible with chaining; deterministic. `outputs`: nodes that leave the layer.
Schedule MakeSchedule(const Graph& graph, const std::vector<int>& outputs,
                      const ScheduleOptions& options);

// Registers the schedule needs, in bits.
int64_t RegisterBits(const Graph& graph, const std::vector<int>& outputs, const Schedule& schedule);

// For every node the last cycle in which its value is read (-1: never); outputs are read in
// `latency_cycles`.
std::vector<int> LastUse(const Graph& graph, const std::vector<int>& outputs,
                         const Schedule& schedule);

}  // namespace dovetail::hardware

#endif  // DOVETAIL_SERVICES_WORKER_HARDWARE_SCHEDULE_H_
