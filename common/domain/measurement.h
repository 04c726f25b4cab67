// What a task measured: numbers with units and sources. Objectives and constraints read metrics by
// name. Plain values.
#ifndef DOVETAIL_COMMON_DOMAIN_MEASUREMENT_H_
#define DOVETAIL_COMMON_DOMAIN_MEASUREMENT_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "common/domain/value.h"

namespace dovetail {

struct Metric {
  double value = 0;
  std::string unit;           // "fraction", "count", "cycles", "ns", "s", ...
  std::string source;         // the tool and its version, or the model, that gave the number
  double standard_error = 0;  // 0 where the number is exact
  friend bool operator==(const Metric&, const Metric&) = default;
};

// Names are lower case with underscores: accuracy, dsp, lut, ff, bram, latency_cycles,
// initiation_interval_cycles, estimated_critical_path_ns, latency_ns_at_target, ...
struct Measurement {
  std::map<std::string, Metric> metrics;
  Value log;  // null, or what the task has to say of how it came to them (tables, traces)

  bool Has(const std::string& name) const { return metrics.contains(name); }
  // 0 where absent; check with Has.
  double Get(const std::string& name) const;
  void Put(const std::string& name, double value, std::string unit, std::string source,
           double standard_error = 0);

  Value ToValue() const;
  // Errors: InvalidArgument.
  static absl::StatusOr<Measurement> FromValue(const Value& value);
  friend bool operator==(const Measurement&, const Measurement&) = default;
};

}  // namespace dovetail

#endif  // DOVETAIL_COMMON_DOMAIN_MEASUREMENT_H_
