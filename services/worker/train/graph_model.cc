#include "services/worker/train/graph_model.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/worker/nn/layer_shapes.h"
#include "services/worker/train/type_grid.h"

namespace dovetail::train {
namespace {

bool IsSliding(nn::Op op) {
  return op == nn::Op::kConv1D || op == nn::Op::kConv2D || op == nn::Op::kMaxPool ||
         op == nn::Op::kAveragePool;
}

std::vector<PlanCast> CastsOf(const QuantizerSet& set) {
  std::vector<PlanCast> casts;
  for (const Quantizer& item : set.items) {
    casts.push_back({item.scale, item.raw_low, item.raw_high, item.type.quantization,
                     item.type.overflow == Overflow::kWrap});
  }
  return casts;
}

absl::Status ReadAttributes(const nn::Layer& layer, PlanNode& node) {
  if (IsSliding(layer.op)) {
    ASSIGN_OR_RETURN_WITH(const nn::Window window, nn::WindowOf(layer), layer.name);
    node.size = window.size;
    node.stride = window.stride;
    node.pad_begin = window.pad_begin;
    node.pad_end = window.pad_end;
    node.dilation = window.dilation;
    node.groups = window.groups;
  } else if (layer.op == nn::Op::kZeroPad) {
    const std::vector<int64_t> padding = nn::IntegerList(layer.attributes["padding"]);
    node.pad_begin.assign(padding.begin(), padding.begin() + padding.size() / 2);
    node.pad_end.assign(padding.begin() + padding.size() / 2, padding.end());
  }
  node.counts_padding = layer.attributes["count_padding"].AsBool();
  node.axis = static_cast<int64_t>(layer.attributes["axis"].AsNumber());
  node.permutation = nn::IntegerList(layer.attributes["permutation"]);
  node.factors = nn::IntegerList(layer.attributes["factors"]);
  node.alpha = layer.attributes["alpha"].AsNumber();
  node.beta = layer.attributes["beta"].AsNumber();
  node.minimum = layer.attributes["minimum"].AsNumber();
  node.maximum = layer.attributes["maximum"].AsNumber();
  return absl::OkStatus();
}

// Mantissa bits that hold every sum of the layer exactly; 0 for layers that do not sum.
int SumBits(const nn::Layer& layer, const ParameterBlock& kernel, const ParameterBlock& bias,
            const QuantizerSet& input) {
  if (kernel.type.empty() || bias.type.empty() || input.empty()) return 0;
  const double terms =
      static_cast<double>(kernel.values.size()) / static_cast<double>(layer.output_shape.back());
  const double sum = input.LargestMagnitude() * kernel.type.LargestMagnitude() * terms +
                     bias.type.LargestMagnitude();
  const double step =
      std::min(input.SmallestStep() * kernel.type.SmallestStep(), bias.type.SmallestStep());
  return static_cast<int>(std::ceil(std::log2(sum / step))) + 1;
}

class GraphReader {
 public:
  explicit GraphReader(const nn::Network& network) : network_(network) {}

  absl::StatusOr<GraphModel> Read() {
    const int logits = network_.LogitsIndex();
    for (int i = 0; i <= logits; ++i) RETURN_IF_ERROR(ReadLayer(i));
    if (mantissa_bits_ > 53) {
      return absl::UnimplementedError(
          absl::StrCat("a sum of this network's types needs ", mantissa_bits_,
                       " bits, retraining holds 53: use narrower types, or epochs: 0"));
    }
    model_.plan.is_double = mantissa_bits_ > 24;
    return std::move(model_);
  }

 private:
  absl::Status ReadLayer(int index) {
    const nn::Layer& layer = network_.layers[index];
    if (layer.op == nn::Op::kLstm || layer.op == nn::Op::kGru) {
      return absl::UnimplementedError(absl::StrCat("layer \"", layer.name, "\" (",
                                                   nn::OpName(layer.op),
                                                   "): training of it is not offered"));
    }
    if (layer.op == nn::Op::kInput && index != 0) {
      return absl::UnimplementedError(
          absl::StrCat("layer \"", layer.name, "\": training knows networks with one input only"));
    }
    PlanNode node;
    node.op = layer.op;
    node.shape = layer.output_shape;
    for (const std::string& input : layer.inputs) node.inputs.push_back(network_.IndexOf(input));
    RETURN_IF_ERROR(ReadAttributes(layer, node));
    RETURN_IF_ERROR(ReadBlocks(index, node));
    ASSIGN_OR_RETURN(QuantizerSet type, QuantizerSet::Read(layer, "result"));
    if (layer.op == nn::Op::kInput) {
      model_.input_type = type;  // cast when the rows are read
    } else if (!HasExactResult(layer, network_.layers[node.inputs[0]])) {
      node.casts = CastsOf(type);
    }
    result_types_.push_back(std::move(type));
    model_.plan.nodes.push_back(std::move(node));
    return absl::OkStatus();
  }

  absl::Status ReadBlocks(int index, PlanNode& node) {
    const nn::Layer& layer = network_.layers[index];
    for (const auto& [role, tensor] : layer.parameters) {
      node.blocks[role] = static_cast<int>(model_.blocks.size());
      model_.plan.block_shapes.push_back(tensor.shape);
      ASSIGN_OR_RETURN(model_.blocks.emplace_back(), ReadParameterBlock(network_, index, role));
    }
    if (!layer.HasWeights() || !node.blocks.contains("bias")) return absl::OkStatus();
    mantissa_bits_ = std::max(
        mantissa_bits_, SumBits(layer, model_.blocks[node.blocks["kernel"]],
                                model_.blocks[node.blocks["bias"]], result_types_[node.inputs[0]]));
    return absl::OkStatus();
  }

  const nn::Network& network_;
  GraphModel model_;
  std::vector<QuantizerSet> result_types_;
  int mantissa_bits_ = 0;
};

}  // namespace

absl::StatusOr<GraphModel> ReadGraphModel(const nn::Network& network) {
  return GraphReader(network).Read();
}

}  // namespace dovetail::train
