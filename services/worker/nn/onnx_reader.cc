#include "services/worker/nn/onnx_reader.h"

#include <new>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/nearest.h"
#include "common/base/status_macros.h"
#include "services/worker/nn/atomic_file.h"
#include "services/worker/nn/onnx/graph.h"
#include "services/worker/nn/onnx/import_context.h"

namespace dovetail::nn {
namespace {

using onnx_file::HandlerTable;
using onnx_file::Node;

const HandlerTable& Handlers() {
  static const HandlerTable table = [] {
    HandlerTable made;
    onnx_file::RegisterLinearOps(made);
    onnx_file::RegisterShapeOps(made);
    onnx_file::RegisterActivationOps(made);
    onnx_file::RegisterPoolOps(made);
    onnx_file::RegisterQuantOps(made);
    return made;
  }();
  return table;
}

// Other domains may define other operators under the same names.
bool IsKnownDomain(absl::string_view domain) {
  return domain.empty() || domain == "ai.onnx" || domain == "onnx.brevitas" ||
         absl::StartsWith(domain, "qonnx.custom_op.") ||
         absl::StartsWith(domain, "finn.custom_op.");
}

absl::StatusOr<Network> Import(absl::string_view bytes) {
  ASSIGN_OR_RETURN(const onnx_file::Graph graph, onnx_file::ParseGraph(bytes));
  onnx_file::ImportContext context(graph);
  RETURN_IF_ERROR(context.AddInputs());
  for (const Node& node : graph.nodes) {
    const auto it = Handlers().find(node.op);
    if (it == Handlers().end() || !IsKnownDomain(node.domain)) {
      return absl::InvalidArgumentError(absl::StrCat(
          node.Describe(), ": the operator ", node.domain.empty() ? "" : node.domain + ".", node.op,
          " is not supported; supported are ", absl::StrJoin(SupportedOnnxOperators(), ", ")));
    }
    RETURN_IF_ERROR(it->second(context, node));
  }
  ASSIGN_OR_RETURN(Network network, context.Finish());
  network.provenance.Set("format", "onnx").Set("producer", graph.producer);
  network.provenance.Set("opset", graph.opset);
  RETURN_IF_ERROR(Check(network));
  return network;
}

// Names in a message come from the file: printable and of bounded length.
absl::Status OneLine(const absl::Status& status) {
  std::string message(status.message().substr(0, 1500));
  for (char& c : message) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  return absl::Status(status.code(), message);
}

}  // namespace

absl::StatusOr<Network> ReadOnnx(absl::string_view bytes) {
  try {
    absl::StatusOr<Network> network = Import(bytes);
    if (!network.ok()) return OneLine(network.status());
    return network;
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("the ONNX file needs more memory than there is");
  }
}

absl::StatusOr<Network> ReadOnnxFile(const std::string& file) {
  ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(file, size_t{256} << 20));
  ASSIGN_OR_RETURN_WITH(Network network, ReadOnnx(bytes), file);
  return network;
}

std::vector<std::string> SupportedOnnxOperators() {
  std::vector<std::string> names;
  for (const auto& [name, handler] : Handlers()) names.push_back(name);
  return names;
}

}  // namespace dovetail::nn
