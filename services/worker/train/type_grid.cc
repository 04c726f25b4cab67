#include "services/worker/train/type_grid.h"

#include "services/worker/fixedpoint/engine.h"
#include "services/worker/train/quantizer.h"

namespace dovetail::train {
namespace {

// Every value of `inner` is a value of `outer`.
bool Holds(const FixedType& outer, const FixedType& inner) {
  const int outer_magnitude_bits = outer.integer_bits - (outer.is_signed ? 1 : 0);
  const int inner_magnitude_bits = inner.integer_bits - (inner.is_signed ? 1 : 0);
  return outer.fraction_bits() >= inner.fraction_bits() &&
         outer_magnitude_bits >= inner_magnitude_bits && (outer.is_signed || !inner.is_signed);
}

// One type for the tensor, one per element, or one per channel (the last dimension).
const FixedType& TypeOfElement(const nn::TensorType& type, size_t element) {
  if (type.elements.empty()) return type.type;
  return type.elements[element % type.elements.size()];
}

FixedType AccumulatorOnGrid(const nn::Layer& layer, const nn::Layer& source) {
  nn::Layer on_grid = layer;
  CastParameters(on_grid);
  return fixedpoint::ExactAccumulatorType(on_grid, source.types.at("result"));
}

}  // namespace

void CastParameters(nn::Layer& layer) {
  for (auto& [role, tensor] : layer.parameters) {
    const auto type = layer.types.find(role);
    const auto mask = layer.masks.find(role);
    for (size_t i = 0; i < tensor.values.size(); ++i) {
      float& value = tensor.values[i];
      if (type != layer.types.end()) {
        value = static_cast<float>(CastToGrid(value, TypeOfElement(type->second, i)));
      }
      if (mask != layer.masks.end() && mask->second.values[i] == 0.0f) value = 0.0f;
      if (value == 0.0f) value = 0.0f;  // never -0: equal networks have equal bytes
    }
  }
}

bool HasExactResult(const nn::Layer& layer, const nn::Layer& source) {
  const auto result = layer.types.find("result");
  if (result == layer.types.end() || !source.types.contains("result")) return false;
  if (!layer.types.contains("kernel") || !result->second.elements.empty()) return false;
  return Holds(result->second.type, AccumulatorOnGrid(layer, source));
}

void SetExactResult(nn::Layer& layer, const nn::Layer& source) {
  layer.types["result"] = {AccumulatorOnGrid(layer, source), {}};
}

}  // namespace dovetail::train
