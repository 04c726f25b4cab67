// The synthesize task: Verilog becomes resource counts.
#ifndef DOVETAIL_SERVICES_WORKER_TASKS_SYNTHESIZE_TASK_H_
#define DOVETAIL_SERVICES_WORKER_TASKS_SYNTHESIZE_TASK_H_

#include <memory>

#include "services/worker/tasks/task.h"

namespace dovetail {

std::unique_ptr<Task> MakeSynthesizeTask();

}  // namespace dovetail

#endif  // DOVETAIL_SERVICES_WORKER_TASKS_SYNTHESIZE_TASK_H_
