// Pooling, and reductions that are global pooling.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/worker/nn/layer_shapes.h"
#include "services/worker/nn/onnx/import_context.h"
#include "services/worker/nn/onnx/window_attributes.h"

namespace dovetail::nn::onnx_file {
namespace {

constexpr int64_t kMaxExtent = int64_t{1} << 24;

absl::Status Pool(ImportContext& context, const Node& node) {
  ASSIGN_OR_RETURN(const ImportedValue value, context.TensorInput(node, 0));
  const std::vector<int64_t> window = node.Integers("kernel_shape");
  if (value.axes.size() < 3 || window.size() != value.axes.size() - 2 || window.size() > 2) {
    return Refuse(node, "only 1-D and 2-D pooling is supported");
  }
  for (int64_t dilation : node.Integers("dilations")) {
    if (dilation != 1) return Refuse(node, "dilated pooling is not supported");
  }
  const bool last = node.domain == "qonnx.custom_op.channels_last";
  ASSIGN_OR_RETURN(const int input,
                   last ? context.RowMajor(node, value) : context.ChannelsLast(node, value));
  Layer pool{.op = node.op == "MaxPool" ? Op::kMaxPool : Op::kAveragePool,
             .inputs = {context.layer(input).name}};
  const Shape shape = context.layer(input).output_shape;
  ASSIGN_OR_RETURN(pool.attributes, WindowAttributes(node, window, shape));
  pool.attributes.Set("pool", IntegerListValue(window));
  if (node.Integer("count_include_pad", 0) != 0) pool.attributes.Set("count_padding", true);
  if (node.Integer("ceil_mode", 0) != 0) {
    const std::vector<int64_t> strides = IntegerList(pool.attributes["strides"]);
    const std::vector<int64_t> padding = IntegerList(pool.attributes["padding"]);
    for (size_t d = 0; d < window.size(); ++d) {
      if ((shape[d] + padding[d] + padding[d + window.size()] - window[d]) % strides[d] != 0) {
        return Refuse(node, "ceil_mode with windows that do not fit evenly is not supported");
      }
    }
  }
  ASSIGN_OR_RETURN(const int index, context.AddLayer(node, std::move(pool)));
  const size_t rank = value.axes.size();
  context.Bind(
      node,
      {index, last ? ImportContext::RowMajorAxes(rank) : ImportContext::ChannelsLastAxes(rank),
       nullptr});
  return absl::OkStatus();
}

// Binds a global pool of all dimensions but `channel`; the result has the channels alone, the other
// dimensions are extents of 1 (kept) or gone.
absl::Status BindGlobalPool(ImportContext& context, const Node& node, const ImportedValue& value,
                            size_t channel, Op op, bool keep) {
  std::vector<int> order;
  for (size_t d = 1; d < value.axes.size(); ++d) {
    if (d != channel) order.push_back(static_cast<int>(d));
  }
  order.push_back(static_cast<int>(channel));
  ASSIGN_OR_RETURN(const int input, context.InOrder(node, value, order));
  ASSIGN_OR_RETURN(const int index,
                   context.AddLayer(node, {.op = op, .inputs = {context.layer(input).name}}));
  std::vector<int> axes = {kBatchAxis};
  for (size_t d = 1; d < value.axes.size(); ++d) {
    if (d == channel) {
      axes.push_back(0);
    } else if (keep) {
      axes.push_back(kOneAxis);
    }
  }
  context.Bind(node, {index, std::move(axes), nullptr});
  return absl::OkStatus();
}

absl::Status GlobalPool(ImportContext& context, const Node& node) {
  ASSIGN_OR_RETURN(const ImportedValue value, context.TensorInput(node, 0));
  if (value.axes.size() < 3) return Refuse(node, "its input has no spatial dimension");
  const Op op = node.op == "GlobalMaxPool" ? Op::kGlobalMaxPool : Op::kGlobalAveragePool;
  return BindGlobalPool(context, node, value, 1, op, true);
}

absl::Status Reduce(ImportContext& context, const Node& node) {
  ASSIGN_OR_RETURN(const ImportedValue value, context.TensorInput(node, 0));
  const size_t rank = value.axes.size();
  ASSIGN_OR_RETURN(const std::vector<int64_t> given, context.Integers(node, 1, "axes"));
  std::vector<bool> reduced(rank, given.empty());
  for (int64_t axis : given) {
    ASSIGN_OR_RETURN(const size_t normal, NormalAxis(node, axis, rank));
    reduced[normal] = true;
  }
  std::vector<size_t> kept;
  for (size_t d = 1; d < rank; ++d) {
    if (!reduced[d]) kept.push_back(d);
  }
  if (reduced[0] || kept.size() != 1 || rank < 3) {
    return Refuse(node, "only a reduction over all spatial dimensions is supported");
  }
  const Op op = node.op == "ReduceMax" ? Op::kGlobalMaxPool : Op::kGlobalAveragePool;
  return BindGlobalPool(context, node, value, kept[0], op, node.Integer("keepdims", 1) != 0);
}

}  // namespace

absl::StatusOr<Value> WindowAttributes(const Node& node, const std::vector<int64_t>& window,
                                       const Shape& input) {
  const size_t rank = window.size();
  std::vector<int64_t> strides = node.Integers("strides");
  std::vector<int64_t> dilations = node.Integers("dilations");
  std::vector<int64_t> padding = node.Integers("pads");
  if (strides.empty()) strides.assign(rank, 1);
  if (dilations.empty()) dilations.assign(rank, 1);
  if (padding.empty()) padding.assign(2 * rank, 0);
  if (strides.size() != rank || dilations.size() != rank || padding.size() != 2 * rank ||
      input.size() != rank + 1) {
    return Refuse(node, "its strides, pads or dilations have the wrong length");
  }
  for (size_t d = 0; d < rank; ++d) {
    for (int64_t number : {window[d], strides[d], dilations[d]}) {
      if (number < 1 || number > kMaxExtent) {
        return Refuse(node, "its window, strides and dilations are not all positive");
      }
    }
  }
  const std::string automatic = node.Text("auto_pad", "NOTSET");
  if (automatic == "SAME_UPPER" || automatic == "SAME_LOWER") {
    for (size_t d = 0; d < rank; ++d) {
      const int64_t positions = (input[d] + strides[d] - 1) / strides[d];
      const int64_t reach = dilations[d] * (window[d] - 1) + 1;
      const int64_t total = std::max<int64_t>(0, (positions - 1) * strides[d] + reach - input[d]);
      const int64_t smaller = total / 2;
      padding[d] = automatic == "SAME_UPPER" ? smaller : total - smaller;
      padding[d + rank] = total - padding[d];
    }
  } else if (automatic == "VALID") {
    padding.assign(2 * rank, 0);
  } else if (automatic != "NOTSET" && !automatic.empty()) {
    return Refuse(node, absl::StrCat("its auto_pad \"", automatic, "\" is unknown"));
  }
  Value attributes;
  attributes.Set("strides", IntegerListValue(strides));
  attributes.Set("padding", IntegerListValue(padding));
  if (std::any_of(dilations.begin(), dilations.end(), [](int64_t d) { return d != 1; })) {
    attributes.Set("dilations", IntegerListValue(dilations));
  }
  return attributes;
}

void RegisterPoolOps(HandlerTable& table) {
  table["MaxPool"] = Pool;
  table["AveragePool"] = Pool;
  table["GlobalMaxPool"] = GlobalPool;
  table["GlobalAveragePool"] = GlobalPool;
  table["ReduceMean"] = Reduce;
  table["ReduceMax"] = Reduce;
}

}  // namespace dovetail::nn::onnx_file
