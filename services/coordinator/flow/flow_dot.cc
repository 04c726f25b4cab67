// Drawing: the plan as Graphviz DOT.
#include "absl/strings/str_cat.h"
#include "services/coordinator/flow/plan.h"

namespace dovetail::flow {
namespace {

std::string Quote(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted.push_back('\\');
    quoted.push_back(c == '\n' ? ' ' : c);
  }
  return quoted + "\"";
}

const char* ShapeOf(NodeKind kind) {
  switch (kind) {
    case NodeKind::kWork:
      return "box";
    case NodeKind::kBranch:
    case NodeKind::kGate:
      return "diamond";
    case NodeKind::kFork:
      return "triangle";
    case NodeKind::kReduce:
      return "invtriangle";
    case NodeKind::kJoin:
      return "circle";
    case NodeKind::kStop:
      return "doublecircle";
  }
  return "box";
}

}  // namespace

std::string Plan::ToDot() const {
  std::string dot = absl::StrCat("digraph ", Quote(flow_.name.empty() ? "flow" : flow_.name),
                                 " {\n  rankdir=TB;\n  node [fontname=\"Helvetica\"];\n");
  absl::StrAppend(&dot, "  \"start\" [shape=point];\n");
  for (const Node& node : nodes_) {
    std::string label = node.task->name;
    if (node.task->name != node.task->task) absl::StrAppend(&label, " : ", node.task->task);
    std::string style;
    if (node.kind == NodeKind::kWork && node.info->kind == TaskKind::kOptimize) {
      style = ", style=\"rounded,filled\", fillcolor=\"#dbe9f6\"";
    }
    std::string tooltip;
    for (const auto& [name, binding] : node.parameters) {
      absl::StrAppend(&tooltip, tooltip.empty() ? "" : ", ", name, ": ", binding.source().ToJson());
    }
    if (!tooltip.empty()) absl::StrAppend(&style, ", tooltip=", Quote(tooltip));
    absl::StrAppend(&dot, "  ", Quote(node.task->name), " [shape=", ShapeOf(node.kind),
                    ", label=", Quote(label), style, "];\n");
  }
  for (const Edge& edge : edges_) {
    absl::StrAppend(&dot, "  ",
                    edge.from == kStart ? "\"start\"" : Quote(nodes_[edge.from].task->name), " -> ",
                    Quote(nodes_[edge.to].task->name));
    if (!edge.label.empty()) absl::StrAppend(&dot, " [label=", Quote(edge.label), "]");
    absl::StrAppend(&dot, ";\n");
  }
  return dot + "}\n";
}

}  // namespace dovetail::flow
