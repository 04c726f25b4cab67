// The reference page of task types, from the catalogue. Called by the generator of docs/reference
// and its test.
#ifndef DOVETAIL_COMMON_DOMAIN_TASK_REFERENCE_H_
#define DOVETAIL_COMMON_DOMAIN_TASK_REFERENCE_H_

#include <string>
#include <vector>

#include "common/domain/task_info.h"

namespace dovetail {

// Markdown: a table of all tasks, then a section each. The same catalogue, the same bytes.
std::string TaskReferenceMarkdown(const std::vector<TaskInfo>& catalogue);

}  // namespace dovetail

#endif  // DOVETAIL_COMMON_DOMAIN_TASK_REFERENCE_H_
