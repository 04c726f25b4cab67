#include "services/coordinator/search/strategy_reference.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace dovetail::search {

std::string StrategyReferenceMarkdown(const std::vector<StrategyInfo>& strategies) {
  std::string page =
      "# Search strategies\n\n"
      "Generated from `services/coordinator/search/strategy/registry.cc`: change it there, then\n"
      "run `cmake --build build/dev --target reference`.\n\n"
      "`search.strategy` of a job file takes one of these names, `search.options` its options.\n"
      "An option that a strategy does not know is refused with the nearest known one; what each\n"
      "takes is said beside its `Make...` function in `services/coordinator/search/strategy`.\n\n"
      "| strategy | what | source |\n|---|---|---|\n";
  for (const StrategyInfo& info : strategies) {
    const auto cell = [](const std::string& text) {
      return absl::StrReplaceAll(text, {{"|", "\\|"}});
    };
    absl::StrAppend(&page, "| `", info.name, "` | ", cell(info.purpose), " | ", cell(info.source),
                    " |\n");
  }
  return page;
}

}  // namespace dovetail::search
