// The pages of docs/reference that are made from the code. Used by the generator and its test.
#ifndef DOVETAIL_TESTS_GOLDEN_REFERENCE_PAGES_H_
#define DOVETAIL_TESTS_GOLDEN_REFERENCE_PAGES_H_

#include <map>
#include <string>

#include "common/domain/task_reference.h"
#include "services/coordinator/search/strategy_reference.h"

namespace dovetail::testing {

// File in docs/reference -> what it must hold.
inline std::map<std::string, std::string> ReferencePages() {
  return {{"tasks.md", TaskReferenceMarkdown(TaskCatalogue())},
          {"strategies.md", search::StrategyReferenceMarkdown(search::ListStrategies())}};
}

}  // namespace dovetail::testing

#endif  // DOVETAIL_TESTS_GOLDEN_REFERENCE_PAGES_H_
