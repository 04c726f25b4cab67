// The O-tasks of this room: factories for RegisterTrainingTasks.
#ifndef DOVETAIL_SERVICES_WORKER_TRAIN_TRAINING_TASKS_H_
#define DOVETAIL_SERVICES_WORKER_TRAIN_TRAINING_TASKS_H_

#include <memory>

#include "services/worker/tasks/task.h"

namespace dovetail::train {

std::unique_ptr<Task> MakeTrainTask();
std::unique_ptr<Task> MakePruneTask();
std::unique_ptr<Task> MakeQuantizeTask();
std::unique_ptr<Task> MakeScaleTask();

}  // namespace dovetail::train

#endif  // DOVETAIL_SERVICES_WORKER_TRAIN_TRAINING_TASKS_H_
