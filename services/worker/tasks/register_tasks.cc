// Every task that needs no libtorch, one line each.
#include "services/worker/tasks/check_dataset_task.h"
#include "services/worker/tasks/describe_task.h"
#include "services/worker/tasks/evaluate_task.h"
#include "services/worker/tasks/lower_rtl_task.h"
#include "services/worker/tasks/simulate_task.h"
#include "services/worker/tasks/synthesize_task.h"
#include "services/worker/tasks/task.h"

namespace dovetail {

void RegisterBuiltinTasks(TaskRegistry& registry) {
  registry.Register("check_dataset", MakeCheckDatasetTask);
  registry.Register("describe", MakeDescribeTask);
  registry.Register("lower_rtl", MakeLowerRtlTask);
  registry.Register("simulate", MakeSimulateTask);
  registry.Register("synthesize", MakeSynthesizeTask);
  registry.Register("evaluate", MakeEvaluateTask);
}

}  // namespace dovetail
