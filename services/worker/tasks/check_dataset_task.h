// The check_dataset task: a user's .npz is checked against the network and prepared for mapping.
#ifndef DOVETAIL_SERVICES_WORKER_TASKS_CHECK_DATASET_TASK_H_
#define DOVETAIL_SERVICES_WORKER_TASKS_CHECK_DATASET_TASK_H_

#include <memory>

#include "services/worker/tasks/task.h"

namespace dovetail {

std::unique_ptr<Task> MakeCheckDatasetTask();

}  // namespace dovetail

#endif  // DOVETAIL_SERVICES_WORKER_TASKS_CHECK_DATASET_TASK_H_
