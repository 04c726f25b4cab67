#include "services/worker/hardware/design_json.h"

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace dovetail::hardware {
namespace {

constexpr char kFormat[] = "dovetail design 1";

Value TypesToValue(const std::vector<FixedType>& types) {
  Value list{Value::List()};
  for (const FixedType& type : types) list.Append(FixedTypeToText(type));
  return list;
}

absl::StatusOr<std::vector<FixedType>> TypesFromValue(const Value& list) {
  std::vector<FixedType> types;
  for (const Value& text : list.AsList()) {
    ASSIGN_OR_RETURN(types.emplace_back(), ParseFixedType(text.AsString()));
  }
  return types;
}

Value LayerToValue(const LayerDesign& layer) {
  Value names{Value::List()};
  for (const std::string& name : layer.layers) names.Append(name);
  Value value;
  value.Set("name", layer.name).Set("layers", std::move(names)).Set("module", layer.module);
  value.Set("input_ports", static_cast<int64_t>(layer.input_ports.size()));
  value.Set("output_ports", static_cast<int64_t>(layer.output_ports.size()));
  value.Set("latency_cycles", layer.schedule.latency_cycles);
  value.Set("critical_path_ps", layer.schedule.critical_path_ps);
  value.Set("dsp", layer.dsp_count).Set("adders", layer.adder_count);
  value.Set("adder_bits", layer.adder_bits).Set("register_bits", layer.register_bits);
  value.Set("lut_estimate", layer.lut_estimate);
  return value;
}

Value DeviceToValue(const Device& device) {
  Value value;
  value.Set("name", device.name).Set("family", FamilyName(device.family));
  value.Set("lut", device.lut).Set("ff", device.ff).Set("dsp", device.dsp);
  value.Set("bram", device.bram).Set("uram", device.uram);
  return value;
}

}  // namespace

Value DesignToValue(const Design& design) {
  Value layers{Value::List()};
  for (const LayerDesign& layer : design.layers) layers.Append(LayerToValue(layer));
  Value warnings{Value::List()};
  for (const std::string& warning : design.warnings) warnings.Append(warning);
  Value value;
  value.Set("format", kFormat).Set("name", design.name).Set("part", design.part);
  value.Set("device", DeviceToValue(design.device));
  value.Set("clock_period_ns", design.clock_period_ns);
  value.Set("clock_uncertainty_fraction", design.clock_uncertainty_fraction);
  value.Set("latency_cycles", design.latency_cycles);
  value.Set("initiation_interval_cycles", design.initiation_interval_cycles);
  value.Set("critical_path_ps", design.critical_path_ps).Set("dsp", design.DspCount());
  value.Set("adders", design.AdderCount()).Set("adder_bits", design.AdderBits());
  value.Set("register_bits", design.RegisterBits());
  value.Set("timing", DelayModelSource());
  value.Set("input_types", TypesToValue(design.input_types));
  value.Set("output_types", TypesToValue(design.output_types));
  value.Set("layers", std::move(layers)).Set("warnings", std::move(warnings));
  return value;
}

absl::StatusOr<DesignSummary> ParseDesignSummary(absl::string_view json) {
  ASSIGN_OR_RETURN_WITH(const Value value, Value::FromJson(json), "the design artifact");
  if (value["format"].AsString() != kFormat) {
    return absl::InvalidArgumentError("the design artifact is of no known format");
  }
  const auto integer = [&](const char* key) { return static_cast<int64_t>(value[key].AsNumber()); };
  DesignSummary summary{.name = value["name"].AsString(),
                        .part = value["part"].AsString(),
                        .latency_cycles = integer("latency_cycles"),
                        .initiation_interval_cycles = integer("initiation_interval_cycles"),
                        .dsp = integer("dsp")};
  ASSIGN_OR_RETURN(summary.input_types, TypesFromValue(value["input_types"]));
  ASSIGN_OR_RETURN(summary.output_types, TypesFromValue(value["output_types"]));
  if (summary.input_types.empty() || summary.output_types.empty()) {
    return absl::InvalidArgumentError("the design artifact has no inputs or outputs");
  }
  return summary;
}

}  // namespace dovetail::hardware
