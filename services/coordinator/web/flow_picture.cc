#include "services/coordinator/web/flow_picture.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/coordinator/web/table.h"

namespace dovetail::report {
namespace {

constexpr int kBoxWidthPx = 168;
constexpr int kGapPx = 36;
constexpr int kLinePx = 15;
constexpr int kRowGapPx = 18;
constexpr size_t kMaxLineChars = 26;

// (from, to), indices into the flow's tasks.
std::set<std::pair<int, int>> EdgesOf(const Flow& flow) {
  std::map<std::string, int> index;
  for (size_t i = 0; i < flow.tasks.size(); ++i) index[flow.tasks[i].name] = static_cast<int>(i);
  std::set<std::pair<int, int>> edges;
  const auto add = [&](const std::string& from, const std::string& to) {
    if (index.contains(from) && index.contains(to)) edges.insert({index[from], index[to]});
  };
  bool line = true;
  for (const FlowTask& task : flow.tasks) {
    line = line && task.inputs.empty() && task.after.empty() && task.edges.empty();
  }
  for (size_t i = 0; i < flow.tasks.size(); ++i) {
    const FlowTask& task = flow.tasks[i];
    for (const auto& [port, source] : task.inputs)
      add(source.substr(0, source.find('.')), task.name);
    for (const std::string& earlier : task.after) add(earlier, task.name);
    for (const auto& [branch, target] : task.edges) add(task.name, target);
    const bool follows = task.inputs.empty() && task.after.empty();
    if (i > 0 && (line || (follows && flow.tasks[i - 1].edges.empty()))) {
      edges.insert({static_cast<int>(i) - 1, static_cast<int>(i)});
    }
  }
  return edges;
}

// Columns by the longest way from a start, edges to earlier tasks of the list left out.
std::vector<int> ColumnsOf(size_t count, const std::set<std::pair<int, int>>& edges) {
  std::vector<int> columns(count, 0);
  for (size_t to = 0; to < count; ++to) {
    for (const auto& [from, target] : edges) {
      if (target == static_cast<int>(to) && from < target) {
        columns[to] = std::max(columns[to], columns[from] + 1);
      }
    }
  }
  return columns;
}

std::string Clipped(const std::string& text) {
  return text.size() <= kMaxLineChars ? text : text.substr(0, kMaxLineChars - 2) + "..";
}

std::vector<std::string> LinesOf(const FlowTask& task) {
  std::vector<std::string> lines;
  if (task.name != task.task) lines.push_back(absl::StrCat("(", task.task, ")"));
  for (const auto& [name, value] : task.parameters) {
    const std::string text = value.is_string() ? value.AsString() : value.ToJson();
    lines.push_back(Clipped(absl::StrCat(name, " ", text)));
  }
  return lines;
}

struct Box {
  int x = 0;
  int y = 0;
  int height = 0;
};

std::vector<Box> Layout(const Flow& flow, const std::vector<int>& columns, int& width,
                        int& height) {
  std::vector<Box> boxes(flow.tasks.size());
  std::map<int, int> next_y;
  width = height = 0;
  for (size_t i = 0; i < flow.tasks.size(); ++i) {
    Box& box = boxes[i];
    box.x = 4 + columns[i] * (kBoxWidthPx + kGapPx);
    auto [y, added] = next_y.try_emplace(columns[i], 4);
    box.y = y->second;
    box.height = 30 + kLinePx * static_cast<int>(LinesOf(flow.tasks[i]).size());
    y->second += box.height + kRowGapPx;
    width = std::max(width, box.x + kBoxWidthPx + 4);
    height = std::max(height, box.y + box.height + 4);
  }
  return boxes;
}

}  // namespace

std::string FlowSvg(const Flow& flow) {
  const std::set<std::pair<int, int>> edges = EdgesOf(flow);
  int width = 0;
  int height = 0;
  const std::vector<Box> boxes = Layout(flow, ColumnsOf(flow.tasks.size(), edges), width, height);
  std::string out = absl::StrFormat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
      "class=\"flow\" role=\"img\"><title>flow</title>\n"
      "<defs><marker id=\"tip\" markerWidth=\"8\" markerHeight=\"8\" refX=\"7\" refY=\"4\" "
      "orient=\"auto\"><path d=\"M0 0L8 4L0 8z\"/></marker></defs>\n",
      width, height, width, height);
  for (const auto& [from, to] : edges) {
    const bool back = boxes[to].x <= boxes[from].x;
    absl::StrAppendFormat(
        &out, "<path class=\"%s\" marker-end=\"url(#tip)\" d=\"M%d %dL%d %d\"/>\n",
        back ? "edge back" : "edge", boxes[from].x + (back ? 0 : kBoxWidthPx), boxes[from].y + 15,
        boxes[to].x + (back ? kBoxWidthPx : 0), boxes[to].y + 15);
  }
  for (size_t i = 0; i < boxes.size(); ++i) {
    const Box& box = boxes[i];
    absl::StrAppendFormat(
        &out, "<rect class=\"box\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"4\"/>\n",
        box.x, box.y, kBoxWidthPx, box.height);
    absl::StrAppendFormat(&out, "<text class=\"task\" x=\"%d\" y=\"%d\">%s</text>\n", box.x + 8,
                          box.y + 19, EscapeHtml(Clipped(flow.tasks[i].name)));
    int y = box.y + 19;
    for (const std::string& line : LinesOf(flow.tasks[i])) {
      y += kLinePx;
      absl::StrAppendFormat(&out, "<text class=\"tick\" x=\"%d\" y=\"%d\">%s</text>\n", box.x + 8,
                            y, EscapeHtml(line));
    }
  }
  return out + "</svg>\n";
}

}  // namespace dovetail::report
