// The tasks that a binary carries. Called by main.cc; defined once per binary.
#ifndef DOVETAIL_SERVICES_WORKER_REGISTER_ALL_H_
#define DOVETAIL_SERVICES_WORKER_REGISTER_ALL_H_

#include "services/worker/tasks/task.h"

namespace dovetail {

void RegisterAllTasks(TaskRegistry& registry);

}  // namespace dovetail

#endif  // DOVETAIL_SERVICES_WORKER_REGISTER_ALL_H_
