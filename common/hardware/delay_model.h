// The stated delay model: what pipelining cuts by and estimated_critical_path_ns is made of.
// Called from the hardware lowering and the analytic model. Pure. It is no promise: only place and
// route knows the nets, so nothing is called met on these numbers.
#ifndef DOVETAIL_COMMON_HARDWARE_DELAY_MODEL_H_
#define DOVETAIL_COMMON_HARDWARE_DELAY_MODEL_H_

#include "common/hardware/device_catalogue.h"

namespace dovetail::hardware {

// All in picoseconds, slow corner, mid speed grade.
struct DelayModel {
  double clock_to_q_ps = 0;
  double setup_ps = 0;
  double lut_ps = 0;
  double net_ps = 0;               // a routed net of fan-out 1
  double net_per_doubling_ps = 0;  // more for each doubling of the fan-out
  double carry_entry_ps = 0;       // LUT output into the chain and out through the last XOR
  double carry_per_bit_ps = 0;
  // DSP block: operand to P register without and with the M register, M to P, P to output.
  double dsp_input_to_p_ps = 0;
  double dsp_input_to_m_ps = 0;
  double dsp_m_to_p_ps = 0;
  double dsp_input_setup_ps = 0;  // into the A and B registers
  double dsp_clock_to_q_ps = 0;

  double NetPs(int fanout) const;
  // One LUT and the net to it.
  double LutLevelPs(int fanout) const { return NetPs(fanout) + lut_ps; }
  // An adder whose carry chain has `carry_bits` bits, and the net to it.
  double AdderPs(int carry_bits, int fanout) const;
};

DelayModel DelayModelOf(Family family);

// Text for reports: where the numbers come from.
const char* DelayModelSource();

}  // namespace dovetail::hardware

#endif  // DOVETAIL_COMMON_HARDWARE_DELAY_MODEL_H_
