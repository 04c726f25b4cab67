// All that coordinator and analytic model see of a network: shapes, multiply-accumulates and weight
// statistics. Made by the worker's `describe` task, as JSON; hostile ONNX never reaches the
// coordinator.
#ifndef DOVETAIL_COMMON_DOMAIN_NETWORK_SUMMARY_H_
#define DOVETAIL_COMMON_DOMAIN_NETWORK_SUMMARY_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/domain/value.h"

namespace dovetail {

struct LayerSummary {
  std::string name;
  std::string kind;                  // "dense", "conv2d", "relu", ...
  std::vector<int64_t> input_shape;  // without the batch dimension, channels last
  std::vector<int64_t> output_shape;
  int64_t parameter_count = 0;
  int64_t mac_count = 0;
  int64_t n_in = 0;  // of the layer's matrix: inputs of one output; 0 for layers without weights
  int64_t n_out = 0;
  double zero_fraction = 0;  // of the weights
  // Weight width in bits (per-tensor AP_RND type fitted to the range) -> statistics of the
  // canonical-signed-digit form of the quantised weights.
  struct CsdStatistics {
    double mean_nonzero_digits = 0;    // per weight, zero weights included
    int64_t distinct_multipliers = 0;  // sum over inputs of distinct weights with >= 3 digits
    int64_t nonzero_weights = 0;
    friend bool operator==(const CsdStatistics&, const CsdStatistics&) = default;
  };
  std::map<int, CsdStatistics> csd_by_bits;
  friend bool operator==(const LayerSummary&, const LayerSummary&) = default;
};

struct NetworkSummary {
  std::string name;
  std::vector<int64_t> input_shape;
  std::vector<int64_t> output_shape;
  std::vector<LayerSummary> layers;  // topological order

  // Names of layers with weights, in order: what "length_of: layers" counts.
  std::vector<std::string> WeightLayerNames() const;

  Value ToValue() const;
  // Errors: InvalidArgument.
  static absl::StatusOr<NetworkSummary> FromValue(const Value& value);
  friend bool operator==(const NetworkSummary&, const NetworkSummary&) = default;
};

}  // namespace dovetail

#endif  // DOVETAIL_COMMON_DOMAIN_NETWORK_SUMMARY_H_
