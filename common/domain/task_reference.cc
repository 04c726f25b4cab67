#include "common/domain/task_reference.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace dovetail {
namespace {

const char* KindText(TaskKind kind) {
  switch (kind) {
    case TaskKind::kOptimize:
      return "O: optimises a model";
    case TaskKind::kTransform:
      return "lambda: transforms or measures";
    case TaskKind::kControl:
      return "K: controls the flow, in the coordinator";
  }
  return "";
}

// In a table cell a bar would end the cell.
std::string Cell(absl::string_view text) { return absl::StrReplaceAll(text, {{"|", "\\|"}}); }

std::string Code(absl::string_view text) { return absl::StrCat("`", text, "`"); }

std::string CodeList(const std::vector<std::string>& names) {
  return absl::StrJoin(names, ", ", [](std::string* out, const std::string& name) {
    absl::StrAppend(out, Code(name));
  });
}

std::string Ports(const std::vector<PortInfo>& ports) {
  return absl::StrJoin(ports, ", ", [](std::string* out, const PortInfo& port) {
    absl::StrAppend(out, Code(port.name));
    if (port.type != port.name) absl::StrAppend(out, " (", port.type, ")");
    if (port.optional) absl::StrAppend(out, " if there is one");
  });
}

std::string DefaultText(const Value& value) {
  if (value.is_null()) return "required";
  if (value.is_string() && value.AsString().empty()) return "empty";
  return Code(value.is_string() ? value.AsString() : value.ToJson());
}

void AppendParameters(const TaskInfo& info, std::string& page) {
  if (info.parameters.empty()) return;
  page += "| parameter | type | default | unit | what |\n|---|---|---|---|---|\n";
  for (const ParameterInfo& parameter : info.parameters) {
    absl::StrAppend(&page, "| ", Code(parameter.name), " | ",
                    absl::StrReplaceAll(parameter.type, {{"|", " or "}}), " | ",
                    Cell(DefaultText(parameter.default_value)), " | ", Cell(parameter.unit), " | ",
                    Cell(parameter.description), " |\n");
  }
  page += "\n";
}

void AppendLine(absl::string_view what, const std::string& text, std::string& page) {
  if (!text.empty()) absl::StrAppend(&page, "- ", what, ": ", text, "\n");
}

void AppendTask(const TaskInfo& info, std::string& page) {
  absl::StrAppend(&page, "## ", info.name, "\n\n", info.purpose, "\n\n");
  AppendParameters(info, page);
  AppendLine("kind", KindText(info.kind), page);
  AppendLine("in", Ports(info.inputs), page);
  AppendLine("out", Ports(info.outputs), page);
  AppendLine("measures", CodeList(info.metrics), page);
  AppendLine("needs a worker with", CodeList(info.capabilities), page);
  AppendLine("tools in the action key", CodeList(info.tools), page);
  if (info.kind != TaskKind::kControl) {
    AppendLine("evaluation seed in the action key", info.uses_seed ? "yes" : "no", page);
    AppendLine("version", absl::StrCat(info.version), page);
    AppendLine("CPU slots", absl::StrCat(info.cpu_slots), page);
  }
  page += "\n";
}

}  // namespace

std::string TaskReferenceMarkdown(const std::vector<TaskInfo>& catalogue) {
  std::string page =
      "# Tasks\n\n"
      "Generated from `common/domain/task_catalogue.cc`: change it there, then run\n"
      "`cmake --build build/dev --target reference`.\n\n"
      "A flow names these tasks; `dovetail-worker run TASK` runs one from the shell. Words are in\n"
      "the [glossary](../glossary.md), units and sources of metrics in\n"
      "[hardware numbers](../hardware_numbers.md).\n\n"
      "| task | kind | what |\n|---|---|---|\n";
  for (const TaskInfo& info : catalogue) {
    const std::string kind = KindText(info.kind);
    absl::StrAppend(&page, "| [", info.name, "](#", info.name, ") | ",
                    kind.substr(0, kind.find(':')), " | ", Cell(info.purpose), " |\n");
  }
  for (const TaskInfo& info : catalogue) {
    page += "\n";
    AppendTask(info, page);
    page.pop_back();
  }
  return page;
}

}  // namespace dovetail
