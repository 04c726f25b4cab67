#include "services/worker/tasks/task.h"
#include "services/worker/train/training_tasks.h"

namespace dovetail {

void RegisterTrainingTasks(TaskRegistry& registry) {
  registry.Register("train", train::MakeTrainTask);
  registry.Register("prune", train::MakePruneTask);
  registry.Register("scale", train::MakeScaleTask);
  registry.Register("quantize", train::MakeQuantizeTask);
}

}  // namespace dovetail
