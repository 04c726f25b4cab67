// Sources: 7 series: Project X-Ray's artix7 SDF figures as carried in Yosys's cells_sim.v (LUT
// 127-642, CARRY4 S to O 223, CI to CO 114 for 4 bits, clock to Q 303) and DS181's DSP48E1
// figures; UltraScale+: DS923's switching characteristics (-2), CARRY8. Nets are the usual half of
// a path; nextpnr-ice40 checks the method on iCE40 (docs/decisions).
#include "common/hardware/delay_model.h"

#include <algorithm>
#include <cmath>

namespace dovetail::hardware {

double DelayModel::NetPs(int fanout) const {
  return net_ps + net_per_doubling_ps * std::log2(static_cast<double>(std::max(1, fanout)));
}

double DelayModel::AdderPs(int carry_bits, int fanout) const {
  if (carry_bits <= 2) return LutLevelPs(fanout);
  return LutLevelPs(fanout) + carry_entry_ps + carry_per_bit_ps * carry_bits;
}

DelayModel DelayModelOf(Family family) {
  switch (family) {
    case Family::kUltraScalePlus:
    case Family::kVersal:
      return {.clock_to_q_ps = 80,
              .setup_ps = 30,
              .lut_ps = 120,
              .net_ps = 320,
              .net_per_doubling_ps = 40,
              .carry_entry_ps = 150,
              .carry_per_bit_ps = 12,
              .dsp_input_to_p_ps = 2900,
              .dsp_input_to_m_ps = 1500,
              .dsp_m_to_p_ps = 1300,
              .dsp_input_setup_ps = 250,
              .dsp_clock_to_q_ps = 250};
    case Family::kUltraScale:
      return {.clock_to_q_ps = 110,
              .setup_ps = 40,
              .lut_ps = 150,
              .net_ps = 400,
              .net_per_doubling_ps = 50,
              .carry_entry_ps = 200,
              .carry_per_bit_ps = 16,
              .dsp_input_to_p_ps = 3300,
              .dsp_input_to_m_ps = 1800,
              .dsp_m_to_p_ps = 1500,
              .dsp_input_setup_ps = 300,
              .dsp_clock_to_q_ps = 300};
    case Family::kSeries7:
      return {.clock_to_q_ps = 303,
              .setup_ps = 60,
              .lut_ps = 240,
              .net_ps = 550,
              .net_per_doubling_ps = 70,
              .carry_entry_ps = 450,
              .carry_per_bit_ps = 28,
              .dsp_input_to_p_ps = 3700,
              .dsp_input_to_m_ps = 2100,
              .dsp_m_to_p_ps = 1700,
              .dsp_input_setup_ps = 350,
              .dsp_clock_to_q_ps = 430};
    case Family::kEcp5:
      return {.clock_to_q_ps = 520,
              .setup_ps = 100,
              .lut_ps = 240,
              .net_ps = 700,
              .net_per_doubling_ps = 100,
              .carry_entry_ps = 450,
              .carry_per_bit_ps = 35,
              .dsp_input_to_p_ps = 4200,
              .dsp_input_to_m_ps = 2700,
              .dsp_m_to_p_ps = 2200,
              .dsp_input_setup_ps = 500,
              .dsp_clock_to_q_ps = 900};
    case Family::kIce40:
      return {.clock_to_q_ps = 1400,
              .setup_ps = 1200,
              .lut_ps = 1200,
              .net_ps = 1900,
              .net_per_doubling_ps = 250,
              .carry_entry_ps = 1300,
              .carry_per_bit_ps = 280,
              .dsp_input_to_p_ps = 12000,
              .dsp_input_to_m_ps = 7000,
              .dsp_m_to_p_ps = 6000,
              .dsp_input_setup_ps = 1200,
              .dsp_clock_to_q_ps = 1500};
  }
  return {};
}

const char* DelayModelSource() { return "dovetail delay model 1 (estimated)"; }

}  // namespace dovetail::hardware
