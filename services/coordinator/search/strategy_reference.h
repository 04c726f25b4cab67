// The reference page of search strategies. Called by the generator of docs/reference and its test.
#ifndef DOVETAIL_SERVICES_COORDINATOR_SEARCH_STRATEGY_REFERENCE_H_
#define DOVETAIL_SERVICES_COORDINATOR_SEARCH_STRATEGY_REFERENCE_H_

#include <string>
#include <vector>

#include "services/coordinator/search/strategy.h"

namespace dovetail::search {

// Markdown: a table, a line each.
std::string StrategyReferenceMarkdown(const std::vector<StrategyInfo>& strategies);

}  // namespace dovetail::search

#endif  // DOVETAIL_SERVICES_COORDINATOR_SEARCH_STRATEGY_REFERENCE_H_
