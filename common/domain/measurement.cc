#include "common/domain/measurement.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace dovetail {

double Measurement::Get(const std::string& name) const {
  const auto it = metrics.find(name);
  return it == metrics.end() ? 0.0 : it->second.value;
}

void Measurement::Put(const std::string& name, double value, std::string unit, std::string source,
                      double standard_error) {
  metrics[name] = Metric{value, std::move(unit), std::move(source), standard_error};
}

Value Measurement::ToValue() const {
  Value all{Value::Map()};
  for (const auto& [name, metric] : metrics) {
    Value one;
    one.Set("value", metric.value).Set("unit", metric.unit).Set("source", metric.source);
    if (metric.standard_error != 0) one.Set("standard_error", metric.standard_error);
    all.Set(name, std::move(one));
  }
  Value value;
  value.Set("metrics", std::move(all));
  if (!log.is_null()) value.Set("log", log);
  return value;
}

absl::StatusOr<Measurement> Measurement::FromValue(const Value& value) {
  if (!value["metrics"].is_map()) {
    return absl::InvalidArgumentError("a measurement has a map \"metrics\"");
  }
  Measurement measurement;
  for (const auto& [name, one] : value["metrics"].AsMap()) {
    if (!one["value"].is_number()) {
      return absl::InvalidArgumentError(absl::StrCat("metric \"", name, "\" has no number"));
    }
    measurement.metrics[name] = Metric{one["value"].AsNumber(), one["unit"].AsString(),
                                       one["source"].AsString(), one["standard_error"].AsNumber()};
  }
  measurement.log = value["log"];
  return measurement;
}

}  // namespace dovetail
