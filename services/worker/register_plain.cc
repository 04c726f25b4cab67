// The tasks of dovetail-worker: all that need no libtorch.
#include "services/worker/register_all.h"

namespace dovetail {

void RegisterAllTasks(TaskRegistry& registry) { RegisterBuiltinTasks(registry); }

}  // namespace dovetail
