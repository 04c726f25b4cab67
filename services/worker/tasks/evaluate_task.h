// The evaluate task: accuracy and friends, bit-exact in fixed point where the network has types.
#ifndef DOVETAIL_SERVICES_WORKER_TASKS_EVALUATE_TASK_H_
#define DOVETAIL_SERVICES_WORKER_TASKS_EVALUATE_TASK_H_

#include <memory>

#include "services/worker/tasks/task.h"

namespace dovetail {

// Reads the validation split, or the test split where the dataset file holds only that.
std::unique_ptr<Task> MakeEvaluateTask();

}  // namespace dovetail

#endif  // DOVETAIL_SERVICES_WORKER_TASKS_EVALUATE_TASK_H_
