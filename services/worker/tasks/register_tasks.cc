// Every task that needs no libtorch, one line each.
#include "services/worker/tasks/task.h"

namespace dovetail {

void RegisterBuiltinTasks(TaskRegistry& registry) { (void)registry; }

}  // namespace dovetail
