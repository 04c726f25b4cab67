// A hardware design: the layers of a quantised network as scheduled graphs, in the order data
// passes through them. Made by LowerNetwork, read by both printers, reports and simulation.
#ifndef DOVETAIL_SERVICES_WORKER_HARDWARE_DESIGN_H_
#define DOVETAIL_SERVICES_WORKER_HARDWARE_DESIGN_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/domain/fixed_type.h"
#include "common/hardware/device_catalogue.h"
#include "services/worker/hardware/adder_tree.h"
#include "services/worker/hardware/graph.h"
#include "services/worker/hardware/schedule.h"
#include "services/worker/nn/network.h"

namespace dovetail::hardware {

// One layer with weights and the element-wise layers behind it: one Verilog module.
struct LayerDesign {
  std::string name;                 // of the layer with weights
  std::vector<std::string> layers;  // all network layers in it
  std::string module;               // Verilog name
  Graph graph;
  // Elements of the input and output tensors that have a port, in port order: those that are read
  // and not constant.
  std::vector<int> input_ports;
  std::vector<int> output_ports;
  std::vector<int> input_nodes;   // per element of the input tensor; -1: not read
  std::vector<int> output_nodes;  // per element of the output tensor; -1: not read
  Schedule schedule;
  int64_t dsp_count = 0;
  int64_t adder_count = 0;
  int64_t adder_bits = 0;  // carry bits of all adders
  int64_t register_bits = 0;
  int64_t lut_estimate = 0;  // CountLuts
};

struct Design {
  std::string name = "myproject";
  Device device;
  std::string part;
  double clock_period_ns = 5;
  double clock_uncertainty_fraction = 0;
  std::vector<LayerDesign> layers;
  std::vector<FixedType> input_types;   // per element of the network's input
  std::vector<FixedType> output_types;  // per logit
  int64_t latency_cycles = 0;
  int64_t initiation_interval_cycles = 1;
  double critical_path_ps = 0;
  std::vector<std::string> warnings;

  int64_t DspCount() const;
  int64_t AdderCount() const;
  int64_t AdderBits() const;
  int64_t RegisterBits() const;
  int64_t LutEstimate() const;
  // Raw logits for raw inputs: the IR's own semantics, cycle-free.
  std::vector<int64_t> Evaluate(absl::Span<const int64_t> raw_inputs) const;
};

struct LowerOptions {
  std::string part = "xcu250-figd2104-2L-e";
  double clock_period_ns = 5;
  double clock_uncertainty_fraction = 0.125;
  std::string strategy = "latency";  // or distributed_arithmetic
  int reuse_factor = 1;
  std::string io_type = "io_parallel";
};

// From the network's input to its logits.
// Errors: NotFound: the part; Unimplemented naming layer and op, strategy or reuse factor;
// InvalidArgument: a layer without types or with weights off their grid.
absl::StatusOr<Design> LowerNetwork(const nn::Network& network, const LowerOptions& options);

}  // namespace dovetail::hardware

#endif  // DOVETAIL_SERVICES_WORKER_HARDWARE_DESIGN_H_
