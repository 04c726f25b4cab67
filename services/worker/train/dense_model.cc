#include "services/worker/train/dense_model.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/worker/train/type_grid.h"

namespace dovetail::train {
namespace {

absl::Status NotInChain(const nn::Layer& layer, absl::string_view why) {
  return absl::UnimplementedError(absl::StrCat("layer \"", layer.name, "\" (", nn::OpName(layer.op),
                                               ") is outside the dense chain: ", why));
}

absl::Status AddStage(const nn::Network& network, int index, DenseModel& model) {
  const nn::Layer& layer = network.layers[index];
  const nn::Shape& shape = layer.parameters.at("kernel").shape;
  if (shape.size() != 2 || layer.output_shape.size() != 1) {
    return NotInChain(layer, "it does not act on a vector");
  }
  DenseStage stage;
  stage.n_in = static_cast<int>(shape[0]);
  stage.n_out = static_cast<int>(shape[1]);
  for (const char* role : {"kernel", "bias"}) {
    ASSIGN_OR_RETURN(model.blocks.emplace_back(), ReadParameterBlock(network, index, role));
  }
  // An exact result is no cast: leave the quantiser out.
  if (!HasExactResult(layer, network.layers[index - 1])) {
    ASSIGN_OR_RETURN(stage.result_type, QuantizerSet::Read(layer, "result"));
  }
  model.stages.push_back(std::move(stage));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<DenseModel> ReadDenseModel(const nn::Network& network) {
  DenseModel model;
  const int logits = network.LogitsIndex();
  std::string previous;
  bool may_take_relu = false;
  for (int i = 0; i < static_cast<int>(network.layers.size()); ++i) {
    const nn::Layer& layer = network.layers[i];
    if (layer.op == nn::Op::kInput) {
      if (i != 0) return NotInChain(layer, "it is a second input");
      if (layer.output_shape.size() != 1) return NotInChain(layer, "it is not a vector");
      model.input_count = static_cast<int>(layer.output_shape[0]);
      ASSIGN_OR_RETURN(model.input_type, QuantizerSet::Read(layer, "result"));
    } else if (layer.inputs.size() != 1 || layer.inputs[0] != previous) {
      return NotInChain(layer, "its input is not the layer before it");
    } else if (layer.op == nn::Op::kDense && layer.HasWeights()) {
      RETURN_IF_ERROR(AddStage(network, i, model));
      may_take_relu = true;
    } else if (layer.op == nn::Op::kRelu && may_take_relu && i <= logits) {
      model.stages.back().has_relu = true;
      ASSIGN_OR_RETURN(model.stages.back().activation_type, QuantizerSet::Read(layer, "result"));
      may_take_relu = false;
    } else if (layer.op != nn::Op::kSoftmax || i <= logits) {
      return NotInChain(layer, "only dense, relu and a last softmax are");
    }
    previous = layer.name;
  }
  if (model.stages.empty()) return absl::UnimplementedError("the network has no dense layer");
  return model;
}

int ExactMantissaBits(const DenseModel& model) {
  if (model.input_type.empty()) return 0;
  double magnitude = model.input_type.LargestMagnitude();
  double step = model.input_type.SmallestStep();
  int bits = 0;
  for (size_t s = 0; s < model.stages.size(); ++s) {
    const DenseStage& stage = model.stages[s];
    const QuantizerSet& kernel = model.kernel(s).type;
    const QuantizerSet& bias = model.bias(s).type;
    if (kernel.empty() || bias.empty()) return 0;
    const double sum = magnitude * kernel.LargestMagnitude() * stage.n_in + bias.LargestMagnitude();
    const double sum_step = std::min(step * kernel.SmallestStep(), bias.SmallestStep());
    // One more bit than the sum, for the half that rounding adds.
    bits = std::max(bits, static_cast<int>(std::ceil(std::log2(sum / sum_step))) + 1);
    const QuantizerSet& out =
        stage.activation_type.empty() ? stage.result_type : stage.activation_type;
    if (out.empty()) {
      if (s + 1 < model.stages.size()) return 0;
      break;
    }
    magnitude = out.LargestMagnitude();
    step = out.SmallestStep();
  }
  return bits;
}

}  // namespace dovetail::train
