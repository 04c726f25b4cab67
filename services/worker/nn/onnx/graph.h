// An ONNX file as plain values: nodes in topological order, constants decoded. The only includer of
// the ONNX protobuf is graph.cc. Called by the importer; a hostile file gives an error here, never
// a crash, a hang or gigabytes.
#ifndef DOVETAIL_SERVICES_WORKER_NN_ONNX_GRAPH_H_
#define DOVETAIL_SERVICES_WORKER_NN_ONNX_GRAPH_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace dovetail::nn::onnx_file {

struct Limits {
  int64_t file_bytes = int64_t{256} << 20;
  int64_t field_count = 4'000'000;           // of all messages but tensor data
  int64_t element_count = int64_t{1} << 25;  // of all constants together
  int node_count = 50'000;
};

// A tensor known at import. Values that were quantised (QONNX) carry their scale and width.
struct Constant {
  std::vector<int64_t> shape;
  std::vector<double> values;  // row-major; NaN and infinities are kept, nn::Check refuses them
  // Empty: not quantised. Else one number, or one per value.
  std::vector<double> quant_scale;
  std::vector<double> quant_bits;
  bool quant_signed = true;
  bool quant_narrow = false;
  std::string quant_rounding;
};
using ConstantPtr = std::shared_ptr<const Constant>;

struct Attribute {
  double number = 0;  // of FLOAT and INT
  int64_t integer = 0;
  std::string text;
  std::vector<int64_t> integers;
  std::vector<double> numbers;
  std::vector<std::string> texts;
  ConstantPtr tensor;
  bool is_graph = false;
};

struct Node {
  std::string op;
  std::string domain;
  std::string name;  // "" where the exporter gave none
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  std::map<std::string, Attribute> attributes;

  bool Has(const std::string& attribute) const { return attributes.contains(attribute); }
  int64_t Integer(const std::string& attribute, int64_t otherwise) const;
  double Number(const std::string& attribute, double otherwise) const;
  std::string Text(const std::string& attribute, const std::string& otherwise) const;
  std::vector<int64_t> Integers(const std::string& attribute) const;
  // "node \"fc1\" (Gemm)": how error messages name it.
  std::string Describe() const;
};

constexpr int64_t kUnknownExtent = -1;

struct GraphInput {
  std::string name;
  std::vector<int64_t> shape;  // kUnknownExtent where symbolic
};

struct Graph {
  std::string name;
  std::string producer;
  int64_t opset = 0;        // of the default domain
  std::vector<Node> nodes;  // topological order
  std::map<std::string, ConstantPtr> constants;
  std::vector<GraphInput> inputs;  // without those that are constants
  std::vector<std::string> outputs;
};

// Errors: InvalidArgument: not ONNX, too large, external data, an undefined or cyclic value.
absl::StatusOr<Graph> ParseGraph(absl::string_view bytes, const Limits& limits = {});

}  // namespace dovetail::nn::onnx_file

#endif  // DOVETAIL_SERVICES_WORKER_NN_ONNX_GRAPH_H_
