#include "services/worker/nn/onnx/graph.h"

#include <cstring>
#include <queue>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "google/protobuf/stubs/logging.h"
#include "onnx/onnx_pb.h"
#include "services/worker/nn/half_float.h"
#include "services/worker/nn/onnx/wire_limits.h"

namespace dovetail::nn::onnx_file {
namespace {

using ::onnx::AttributeProto;
using ::onnx::GraphProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;

double Bfloat16ToDouble(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value = 0;
  std::memcpy(&value, &wide, sizeof(value));
  return value;
}

template <typename Stored>
void AppendRaw(const std::string& raw, std::vector<double>& values) {
  for (size_t i = 0; i + sizeof(Stored) <= raw.size(); i += sizeof(Stored)) {
    Stored one;
    std::memcpy(&one, raw.data() + i, sizeof(one));
    values.push_back(static_cast<double>(one));
  }
}

absl::Status DecodeRaw(const TensorProto& tensor, std::vector<double>& values) {
  const std::string& raw = tensor.raw_data();
  switch (tensor.data_type()) {
    case TensorProto::FLOAT:
      AppendRaw<float>(raw, values);
      break;
    case TensorProto::DOUBLE:
      AppendRaw<double>(raw, values);
      break;
    case TensorProto::INT64:
      AppendRaw<int64_t>(raw, values);
      break;
    case TensorProto::INT32:
      AppendRaw<int32_t>(raw, values);
      break;
    case TensorProto::INT16:
      AppendRaw<int16_t>(raw, values);
      break;
    case TensorProto::UINT16:
      AppendRaw<uint16_t>(raw, values);
      break;
    case TensorProto::INT8:
      AppendRaw<int8_t>(raw, values);
      break;
    case TensorProto::UINT8:
    case TensorProto::BOOL:
      AppendRaw<uint8_t>(raw, values);
      break;
    case TensorProto::FLOAT16:
    case TensorProto::BFLOAT16:
      for (size_t i = 0; i + 2 <= raw.size(); i += 2) {
        uint16_t bits = 0;
        std::memcpy(&bits, raw.data() + i, 2);
        values.push_back(tensor.data_type() == TensorProto::FLOAT16 ? HalfToFloat(bits)
                                                                    : Bfloat16ToDouble(bits));
      }
      break;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("its element type ", tensor.data_type(), " is not supported"));
  }
  return absl::OkStatus();
}

absl::Status DecodeFields(const TensorProto& tensor, std::vector<double>& values) {
  switch (tensor.data_type()) {
    case TensorProto::FLOAT:
      values.assign(tensor.float_data().begin(), tensor.float_data().end());
      break;
    case TensorProto::DOUBLE:
      values.assign(tensor.double_data().begin(), tensor.double_data().end());
      break;
    case TensorProto::INT64:
      values.assign(tensor.int64_data().begin(), tensor.int64_data().end());
      break;
    case TensorProto::INT32:
    case TensorProto::INT16:
    case TensorProto::UINT16:
    case TensorProto::INT8:
    case TensorProto::UINT8:
    case TensorProto::BOOL:
      values.assign(tensor.int32_data().begin(), tensor.int32_data().end());
      break;
    case TensorProto::FLOAT16:
      for (int32_t bits : tensor.int32_data()) {
        values.push_back(HalfToFloat(static_cast<uint16_t>(bits)));
      }
      break;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("its element type ", tensor.data_type(), " is not supported"));
  }
  return absl::OkStatus();
}

class Reader {
 public:
  explicit Reader(const Limits& limits) : limits_(limits) {}

  absl::StatusOr<Graph> Read(const ::onnx::ModelProto& model) {
    Graph graph;
    graph.producer = model.producer_name();
    for (const auto& opset : model.opset_import()) {
      if (opset.domain().empty() || opset.domain() == "ai.onnx") graph.opset = opset.version();
    }
    const GraphProto& source = model.graph();
    graph.name = source.name();
    if (source.node_size() > limits_.node_count) {
      return absl::InvalidArgumentError(absl::StrCat("the graph has ", source.node_size(),
                                                     " nodes, more than ", limits_.node_count));
    }
    for (const TensorProto& tensor : source.initializer()) {
      ASSIGN_OR_RETURN_WITH(graph.constants[tensor.name()], Decode(tensor),
                            absl::StrCat("initializer \"", tensor.name(), "\""));
    }
    if (source.sparse_initializer_size() > 0) {
      return absl::InvalidArgumentError("sparse initializers are not supported");
    }
    for (const auto& input : source.input()) {
      if (graph.constants.contains(input.name())) continue;
      ASSIGN_OR_RETURN(GraphInput one, ReadInput(input));
      graph.inputs.push_back(std::move(one));
    }
    for (const auto& output : source.output()) graph.outputs.push_back(output.name());
    std::vector<Node> nodes;
    for (const NodeProto& node : source.node()) {
      ASSIGN_OR_RETURN(Node one, ReadNode(node));
      nodes.push_back(std::move(one));
    }
    RETURN_IF_ERROR(Sort(std::move(nodes), graph));
    return graph;
  }

 private:
  absl::StatusOr<ConstantPtr> Decode(const TensorProto& tensor) {
    if (tensor.data_location() == TensorProto::EXTERNAL || tensor.external_data_size() > 0) {
      return absl::InvalidArgumentError(
          "its data is in an external file; export the model as one file");
    }
    auto constant = std::make_shared<Constant>();
    int64_t count = 1;
    for (int64_t extent : tensor.dims()) {
      if (extent < 0 || (extent > 0 && count > limits_.element_count / extent)) {
        return absl::InvalidArgumentError("its shape is negative or too large");
      }
      count *= extent;
      constant->shape.push_back(extent);
    }
    elements_ += count;
    if (elements_ > limits_.element_count) {
      return absl::InvalidArgumentError(
          absl::StrCat("the constants have more than ", limits_.element_count, " elements"));
    }
    if (tensor.has_raw_data() && !tensor.raw_data().empty()) {
      RETURN_IF_ERROR(DecodeRaw(tensor, constant->values));
    } else {
      RETURN_IF_ERROR(DecodeFields(tensor, constant->values));
    }
    if (static_cast<int64_t>(constant->values.size()) != count) {
      return absl::InvalidArgumentError(
          absl::StrCat("it has ", constant->values.size(), " values, its shape wants ", count));
    }
    return ConstantPtr(std::move(constant));
  }

  static absl::StatusOr<GraphInput> ReadInput(const ::onnx::ValueInfoProto& info) {
    GraphInput input;
    input.name = info.name();
    if (!info.type().has_tensor_type() || !info.type().tensor_type().has_shape()) {
      return absl::InvalidArgumentError(
          absl::StrCat("the input \"", info.name(), "\" has no tensor shape"));
    }
    for (const auto& dim : info.type().tensor_type().shape().dim()) {
      input.shape.push_back(dim.has_dim_value() && dim.dim_value() > 0 ? dim.dim_value()
                                                                       : kUnknownExtent);
    }
    return input;
  }

  absl::StatusOr<Node> ReadNode(const NodeProto& source) {
    Node node;
    node.op = source.op_type();
    node.domain = source.domain();
    node.name = source.name();
    node.inputs.assign(source.input().begin(), source.input().end());
    node.outputs.assign(source.output().begin(), source.output().end());
    for (const AttributeProto& from : source.attribute()) {
      Attribute to;
      to.number = from.type() == AttributeProto::INT ? static_cast<double>(from.i()) : from.f();
      to.integer = from.i();
      to.text = from.s();
      to.integers.assign(from.ints().begin(), from.ints().end());
      to.numbers.assign(from.floats().begin(), from.floats().end());
      to.texts.assign(from.strings().begin(), from.strings().end());
      to.is_graph = from.has_g() || from.graphs_size() > 0;
      if (from.has_t()) {
        ASSIGN_OR_RETURN_WITH(to.tensor, Decode(from.t()), node.Describe());
      }
      node.attributes[from.name()] = std::move(to);
    }
    return node;
  }

  // Kahn's order, first come first; names what cannot be reached.
  static absl::Status Sort(std::vector<Node> nodes, Graph& graph) {
    std::map<std::string, int> producer;
    for (size_t i = 0; i < nodes.size(); ++i) {
      for (const std::string& output : nodes[i].outputs) {
        if (output.empty()) continue;
        if (!producer.emplace(output, static_cast<int>(i)).second) {
          return absl::InvalidArgumentError(
              absl::StrCat(nodes[i].Describe(), " defines \"", output, "\" a second time"));
        }
      }
    }
    std::set<std::string> given;
    for (const GraphInput& input : graph.inputs) given.insert(input.name);
    std::vector<int> waiting(nodes.size(), 0);
    std::vector<std::vector<int>> consumers(nodes.size());
    for (size_t i = 0; i < nodes.size(); ++i) {
      for (const std::string& input : nodes[i].inputs) {
        if (input.empty() || given.contains(input) || graph.constants.contains(input)) continue;
        const auto it = producer.find(input);
        if (it == producer.end()) {
          return absl::InvalidArgumentError(absl::StrCat(nodes[i].Describe(), " reads \"", input,
                                                         "\", which nothing in the graph defines"));
        }
        ++waiting[i];
        consumers[it->second].push_back(static_cast<int>(i));
      }
    }
    std::priority_queue<int, std::vector<int>, std::greater<>> ready;
    for (size_t i = 0; i < nodes.size(); ++i) {
      if (waiting[i] == 0) ready.push(static_cast<int>(i));
    }
    std::vector<bool> done(nodes.size(), false);
    while (!ready.empty()) {
      const int i = ready.top();
      ready.pop();
      done[i] = true;
      for (int consumer : consumers[i]) {
        if (--waiting[consumer] == 0) ready.push(consumer);
      }
      graph.nodes.push_back(std::move(nodes[i]));
    }
    for (size_t i = 0; i < nodes.size(); ++i) {
      if (!done[i]) {
        return absl::InvalidArgumentError(
            absl::StrCat("the graph has a cycle through ", nodes[i].Describe()));
      }
    }
    for (const std::string& output : graph.outputs) {
      if (!producer.contains(output) && !given.contains(output) &&
          !graph.constants.contains(output)) {
        return absl::InvalidArgumentError(
            absl::StrCat("the output \"", output, "\" is defined by no node"));
      }
    }
    return absl::OkStatus();
  }

  const Limits limits_;
  int64_t elements_ = 0;
};

}  // namespace

// Names from a file go into messages, JSON and protobuf strings: printable ASCII only.
static std::string Printable(const std::string& text) {
  std::string result = text.substr(0, 200);
  for (char& c : result) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  return result;
}

int64_t Node::Integer(const std::string& attribute, int64_t otherwise) const {
  const auto it = attributes.find(attribute);
  return it == attributes.end() ? otherwise : it->second.integer;
}

double Node::Number(const std::string& attribute, double otherwise) const {
  const auto it = attributes.find(attribute);
  return it == attributes.end() ? otherwise : it->second.number;
}

std::string Node::Text(const std::string& attribute, const std::string& otherwise) const {
  const auto it = attributes.find(attribute);
  return it == attributes.end() ? otherwise : it->second.text;
}

std::vector<int64_t> Node::Integers(const std::string& attribute) const {
  const auto it = attributes.find(attribute);
  return it == attributes.end() ? std::vector<int64_t>() : it->second.integers;
}

std::string Node::Describe() const {
  const std::string kind = Printable(op);
  if (!name.empty()) return absl::StrCat("node \"", Printable(name), "\" (", kind, ")");
  if (!outputs.empty()) {
    return absl::StrCat("the ", kind, " node that gives \"", Printable(outputs[0]), "\"");
  }
  return absl::StrCat("a ", kind, " node");
}

absl::StatusOr<Graph> ParseGraph(absl::string_view bytes, const Limits& limits) {
  if (static_cast<int64_t>(bytes.size()) > limits.file_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("the ONNX file has ", bytes.size(), " bytes, more than ", limits.file_bytes));
  }
  if (bytes.empty()) return absl::InvalidArgumentError("not an ONNX file: it is empty");
  RETURN_IF_ERROR(CheckWireLimits(bytes, limits.field_count));
  const google::protobuf::LogSilencer silencer;  // the error is returned, not printed
  ::onnx::ModelProto model;
  if (!model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || !model.has_graph()) {
    return absl::InvalidArgumentError("not an ONNX file: it holds no graph");
  }
  ASSIGN_OR_RETURN(Graph graph, Reader(limits).Read(model));
  graph.name = Printable(graph.name);
  graph.producer = Printable(graph.producer);
  return graph;
}

}  // namespace dovetail::nn::onnx_file
