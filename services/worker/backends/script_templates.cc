#include "services/worker/backends/script_templates.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace dovetail::backends {

absl::StatusOr<std::string> FillTemplate(absl::string_view file,
                                         const std::map<std::string, std::string>& values) {
  const auto it = ScriptTemplates().find(std::string(file));
  if (it == ScriptTemplates().end()) {
    return absl::NotFoundError(absl::StrCat("there is no script template \"", file, "\""));
  }
  std::string text = it->second;
  for (const auto& [name, value] : values) {
    absl::StrReplaceAll({{absl::StrCat("{{", name, "}}"), value}}, &text);
  }
  const size_t open = text.find("{{");
  if (open != std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ": no value for ", text.substr(open, text.find("}}", open) + 2 - open)));
  }
  return text;
}

}  // namespace dovetail::backends
