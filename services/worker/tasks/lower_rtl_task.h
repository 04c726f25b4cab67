// The lower_rtl task: a quantised network becomes Verilog and a design.
#ifndef DOVETAIL_SERVICES_WORKER_TASKS_LOWER_RTL_TASK_H_
#define DOVETAIL_SERVICES_WORKER_TASKS_LOWER_RTL_TASK_H_

#include <memory>

#include "services/worker/tasks/task.h"

namespace dovetail {

std::unique_ptr<Task> MakeLowerRtlTask();

}  // namespace dovetail

#endif  // DOVETAIL_SERVICES_WORKER_TASKS_LOWER_RTL_TASK_H_
