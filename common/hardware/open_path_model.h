// The analytic model of the open path: LUT, FF, DSP and latency of a network from its summary and
// the knobs alone, in microseconds. The surrogate's prior mean: it need not be right, only close
// and smooth. Called by the search and by `dovetail validate`. Pure; thread-safe.
#ifndef DOVETAIL_COMMON_HARDWARE_OPEN_PATH_MODEL_H_
#define DOVETAIL_COMMON_HARDWARE_OPEN_PATH_MODEL_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/domain/network_summary.h"

namespace dovetail::hardware {

// Vectors hold one value for all layers with weights, or one for each.
struct OpenPathKnobs {
  std::vector<double> kept_fraction = {1};    // of weights, the largest ones
  std::vector<double> weight_bits = {6};      // of weights and biases
  std::vector<double> activation_bits = {6};  // of layer results
  double input_bits = 0;                      // of the network's input; 0: as activation_bits
  double clock_period_ns = 5;
  double clock_uncertainty_fraction = 0.125;
};

// Expected values, so fractions occur.
struct OpenPathEstimate {
  double lut = 0;
  double ff = 0;
  double dsp = 0;
  double latency_cycles = 0;
  double initiation_interval_cycles = 1;
};

// Dense layers in strategy latency, reuse factor 1, on `part`.
// Errors: NotFound: the part; InvalidArgument: a vector of the wrong length; Unimplemented: a layer
// with weights that is not dense.
absl::StatusOr<OpenPathEstimate> EstimateOpenPath(const NetworkSummary& network,
                                                  absl::string_view part,
                                                  const OpenPathKnobs& knobs);

// What the fitted coefficients multiply, for one layer. Exposed for the calibration.
struct OpenPathLayer {
  double inputs = 0;   // that are no constants
  double outputs = 0;  // that are read and no constants
  double input_bits = 0;
  double product_adders = 0;
  double product_adder_bits = 0;
  double multipliers = 0;
  double tree_adders = 0;
  double terms = 0;     // per output
  double sum_bits = 0;  // width of an output's sum
};
// One per layer with weights. Errors: as EstimateOpenPath.
absl::StatusOr<std::vector<OpenPathLayer>> DescribeOpenPath(const NetworkSummary& network,
                                                            const OpenPathKnobs& knobs);

}  // namespace dovetail::hardware

#endif  // DOVETAIL_COMMON_HARDWARE_OPEN_PATH_MODEL_H_
