#include "common/domain/network_summary.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace dovetail {
namespace {

Value ShapeToValue(const std::vector<int64_t>& shape) {
  Value value{Value::List()};
  for (int64_t extent : shape) value.Append(extent);
  return value;
}

std::vector<int64_t> ShapeFromValue(const Value& value) {
  std::vector<int64_t> shape;
  for (const Value& extent : value.AsList())
    shape.push_back(static_cast<int64_t>(extent.AsNumber()));
  return shape;
}

int64_t ToInt(const Value& value) { return static_cast<int64_t>(value.AsNumber()); }

}  // namespace

std::vector<std::string> NetworkSummary::WeightLayerNames() const {
  std::vector<std::string> names;
  for (const LayerSummary& layer : layers) {
    if (layer.n_in > 0) names.push_back(layer.name);
  }
  return names;
}

Value NetworkSummary::ToValue() const {
  Value list{Value::List()};
  for (const LayerSummary& layer : layers) {
    Value one;
    one.Set("name", layer.name).Set("kind", layer.kind);
    one.Set("input_shape", ShapeToValue(layer.input_shape));
    one.Set("output_shape", ShapeToValue(layer.output_shape));
    one.Set("parameter_count", layer.parameter_count).Set("mac_count", layer.mac_count);
    one.Set("n_in", layer.n_in).Set("n_out", layer.n_out);
    one.Set("zero_fraction", layer.zero_fraction);
    Value by_bits{Value::Map()};
    for (const auto& [bits, csd] : layer.csd_by_bits) {
      Value statistics;
      statistics.Set("mean_nonzero_digits", csd.mean_nonzero_digits);
      statistics.Set("distinct_multipliers", csd.distinct_multipliers);
      statistics.Set("nonzero_weights", csd.nonzero_weights);
      by_bits.Set(absl::StrCat(bits), std::move(statistics));
    }
    one.Set("csd_by_bits", std::move(by_bits));
    list.Append(std::move(one));
  }
  Value value;
  value.Set("name", name).Set("input_shape", ShapeToValue(input_shape));
  value.Set("output_shape", ShapeToValue(output_shape)).Set("layers", std::move(list));
  return value;
}

absl::StatusOr<NetworkSummary> NetworkSummary::FromValue(const Value& value) {
  if (!value["layers"].is_list()) {
    return absl::InvalidArgumentError("a network summary has a list \"layers\"");
  }
  NetworkSummary summary;
  summary.name = value["name"].AsString();
  summary.input_shape = ShapeFromValue(value["input_shape"]);
  summary.output_shape = ShapeFromValue(value["output_shape"]);
  for (const Value& one : value["layers"].AsList()) {
    LayerSummary layer;
    layer.name = one["name"].AsString();
    layer.kind = one["kind"].AsString();
    layer.input_shape = ShapeFromValue(one["input_shape"]);
    layer.output_shape = ShapeFromValue(one["output_shape"]);
    layer.parameter_count = ToInt(one["parameter_count"]);
    layer.mac_count = ToInt(one["mac_count"]);
    layer.n_in = ToInt(one["n_in"]);
    layer.n_out = ToInt(one["n_out"]);
    layer.zero_fraction = one["zero_fraction"].AsNumber();
    for (const auto& [bits_text, statistics] : one["csd_by_bits"].AsMap()) {
      int bits = 0;
      if (!absl::SimpleAtoi(bits_text, &bits)) {
        return absl::InvalidArgumentError(absl::StrCat(
            "layer \"", layer.name, "\": csd_by_bits has the key \"", bits_text, "\""));
      }
      layer.csd_by_bits[bits] = {statistics["mean_nonzero_digits"].AsNumber(),
                                 ToInt(statistics["distinct_multipliers"]),
                                 ToInt(statistics["nonzero_weights"])};
    }
    summary.layers.push_back(std::move(layer));
  }
  return summary;
}

}  // namespace dovetail
