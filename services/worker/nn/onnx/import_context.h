// What the handlers of ONNX operators share while a graph becomes a network.
//
// ONNX is channels-first, the IR channels-last, and exporters scatter Transpose, Unsqueeze and
// Squeeze around. So every ONNX value is a layer plus a map from its dimensions to the layer's:
// those operators only change the map, and a layer that needs an order the value does not have gets
// an explicit reshape or transpose.
#ifndef DOVETAIL_SERVICES_WORKER_NN_ONNX_IMPORT_CONTEXT_H_
#define DOVETAIL_SERVICES_WORKER_NN_ONNX_IMPORT_CONTEXT_H_

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/worker/nn/network.h"
#include "services/worker/nn/onnx/graph.h"

namespace dovetail::nn::onnx_file {

constexpr int kBatchAxis = -2;          // the batch dimension
constexpr int kOneAxis = -1;            // a dimension of extent 1 that the layer does not have
constexpr double kBatchMark = -0x1p60;  // the batch extent in the value of a Shape operator

struct ImportedValue {
  int layer = -1;         // index into the network's layers; -1: a constant
  std::vector<int> axes;  // per ONNX dimension: kBatchAxis, kOneAxis or a dimension of the layer
  ConstantPtr constant;

  bool is_constant() const { return layer < 0; }
};

class ImportContext {
 public:
  explicit ImportContext(const Graph& graph);

  // Values.
  bool HasInput(const Node& node, size_t index) const;
  absl::StatusOr<ImportedValue> Input(const Node& node, size_t index) const;
  // A layer's result. Errors: InvalidArgument where it is a constant or missing.
  absl::StatusOr<ImportedValue> TensorInput(const Node& node, size_t index) const;
  // Errors: InvalidArgument where it is not known at import.
  absl::StatusOr<ConstantPtr> ConstantInput(const Node& node, size_t index) const;
  // A constant list of integers, of an input or, in older opsets, of an attribute.
  absl::StatusOr<std::vector<int64_t>> Integers(const Node& node, size_t index,
                                                const std::string& attribute) const;
  void Bind(const Node& node, ImportedValue value) { BindOutput(node, 0, std::move(value)); }
  void BindOutput(const Node& node, size_t index, ImportedValue value);
  void BindConstant(const Node& node, Constant constant);
  // True when this value is the only name of its layer's result and read in one place: then the
  // layer may still be changed (given a bias, a type).
  bool IsExclusive(const std::string& value_name) const;

  // Layers. The shape is inferred, the name made unique.
  // Errors: InvalidArgument naming the node.
  absl::StatusOr<int> AddLayer(const Node& node, Layer layer);
  Layer& layer(int index) { return network_.layers[index]; }
  // A layer of this op over one input, which keeps the input's map; bound to the node's output.
  absl::Status BindUnary(const Node& node, Op op, Value attributes = {},
                         std::map<std::string, Tensor> parameters = {});

  // Extents in ONNX's order; the batch is kUnknownExtent.
  std::vector<int64_t> OnnxShape(const ImportedValue& value) const;
  // A layer whose dimensions are the value's, without the batch, in this order of ONNX dimensions.
  absl::StatusOr<int> InOrder(const Node& node, const ImportedValue& value,
                              const std::vector<int>& order);
  absl::StatusOr<int> RowMajor(const Node& node, const ImportedValue& value);
  absl::StatusOr<int> ChannelsLast(const Node& node, const ImportedValue& value);
  // Maps of values in those orders, for `rank` ONNX dimensions with the batch.
  static std::vector<int> RowMajorAxes(size_t rank);
  static std::vector<int> ChannelsLastAxes(size_t rank);

  // `constant` broadcast over the value, as a parameter of the layer: [1], [channels] or full.
  absl::StatusOr<Tensor> BroadcastParameter(const Node& node, const ImportedValue& value,
                                            const Constant& constant) const;

  // Where the batch extent is fixed in the file, that number; else kUnknownExtent.
  int64_t fixed_batch() const { return fixed_batch_; }
  int64_t opset() const { return graph_.opset; }
  absl::Status AddInputs();
  absl::StatusOr<Network> Finish();
  // An identifier no layer has yet: letters, digits and underscores.
  std::string UniqueName(const std::string& wish, Op op);

 private:
  std::string NameOf(const Node& node, Op op) const;

  const Graph& graph_;
  Network network_;
  std::map<std::string, ImportedValue> values_;
  std::map<std::string, int> use_count_;
  std::map<int, int> names_of_layer_;
  std::set<std::string> names_;
  int64_t fixed_batch_ = kUnknownExtent;
  int64_t constant_elements_ = 0;
};

// "node "x" (Conv): why".
absl::Status Refuse(const Node& node, absl::string_view why);

// `axis` counted from the back where negative. Errors: InvalidArgument.
absl::StatusOr<size_t> NormalAxis(const Node& node, int64_t axis, size_t rank);

using Handler = std::function<absl::Status(ImportContext&, const Node&)>;
using HandlerTable = std::map<std::string, Handler>;
void RegisterLinearOps(HandlerTable& table);
void RegisterShapeOps(HandlerTable& table);
void RegisterActivationOps(HandlerTable& table);
void RegisterPoolOps(HandlerTable& table);
void RegisterQuantOps(HandlerTable& table);

Tensor ToTensor(const Constant& constant);

}  // namespace dovetail::nn::onnx_file

#endif  // DOVETAIL_SERVICES_WORKER_NN_ONNX_IMPORT_CONTEXT_H_
