// The simulate task: the RTL is run against the fixed-point engine.
#ifndef DOVETAIL_SERVICES_WORKER_TASKS_SIMULATE_TASK_H_
#define DOVETAIL_SERVICES_WORKER_TASKS_SIMULATE_TASK_H_

#include <memory>

#include "services/worker/tasks/task.h"

namespace dovetail {

std::unique_ptr<Task> MakeSimulateTask();

}  // namespace dovetail

#endif  // DOVETAIL_SERVICES_WORKER_TASKS_SIMULATE_TASK_H_
