// The tasks of dovetail-worker where training is built: those that train, beside all others.
#include "services/worker/register_all.h"

namespace dovetail {

void RegisterAllTasks(TaskRegistry& registry) {
  RegisterBuiltinTasks(registry);
  RegisterTrainingTasks(registry);
}

}  // namespace dovetail
