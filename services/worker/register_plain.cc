// The tasks of dovetail-worker where training is not built.
#include "services/worker/register_all.h"

namespace dovetail {

void RegisterAllTasks(TaskRegistry& registry) { RegisterBuiltinTasks(registry); }

}  // namespace dovetail
