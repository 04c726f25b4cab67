// Text and names of the shared operator modules: adders, subtracters, DSP multipliers.
// Used by the Verilog printer alone. A name says all there is to know of a module.
#ifndef DOVETAIL_SERVICES_WORKER_RTL_OPERATOR_MODULES_H_
#define DOVETAIL_SERVICES_WORKER_RTL_OPERATOR_MODULES_H_

#include <string>

#include "common/hardware/device_catalogue.h"
#include "services/worker/hardware/schedule.h"

namespace dovetail::rtl {

// y = a + b or a - b, modulo 2^y_bits.
struct AdderShape {
  bool subtract = false;
  int a_bits = 1;
  bool a_signed = false;
  int b_bits = 1;
  bool b_signed = false;
  int y_bits = 1;

  std::string Name() const;  // "add_s7_u5_8"
  std::string Text() const;
};

// y = a * b after registers.Cycles() cycles, in one DSP block.
struct MultiplierShape {
  hardware::Family family = hardware::Family::kUltraScalePlus;
  int a_bits = 1;
  bool a_signed = false;
  int b_bits = 1;
  bool b_signed = false;
  int y_bits = 1;
  hardware::DspRegisters registers;

  std::string Name() const;  // "dsp48e2_s18_u17_35_p", with "a", "m", "p" per register
  std::string Text() const;  // the primitive, and a behavioural twin for simulation
};

}  // namespace dovetail::rtl

#endif  // DOVETAIL_SERVICES_WORKER_RTL_OPERATOR_MODULES_H_
