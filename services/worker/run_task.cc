#include "services/worker/run_task.h"

#include <memory>

#include "common/base/status_macros.h"
#include "services/worker/task_checks.h"
#include "services/worker/task_outputs.h"

namespace dovetail {

absl::StatusOr<Measurement> RunTask(const TaskRegistry& registry, const RunTaskRequest& request) {
  ASSIGN_OR_RETURN(const TaskInfo* info, FindTaskInfo(request.task));
  ASSIGN_OR_RETURN(const std::unique_ptr<Task> task, MakeTask(registry, *info));
  RETURN_IF_ERROR(CheckInputs(*info, request.input_files));
  ASSIGN_OR_RETURN(Value parameters, CanonicalParameters(*info, request.parameters));
  ASSIGN_OR_RETURN(const std::unique_ptr<TaskOutputs> outputs,
                   TaskOutputs::Open(request.output_directory, *info));

  TaskContext context;
  context.input_files = request.input_files;
  context.output_directory = outputs->staging_directory();
  context.scratch_directory = outputs->scratch_directory();
  context.cache_directory = request.cache_directory;
  context.parameters = std::move(parameters);
  context.seed = request.seed;
  context.thread_count = request.thread_count;
  context.progress = request.progress;

  ASSIGN_OR_RETURN(Measurement measurement, RunWithoutThrowing(*task, context));
  RETURN_IF_ERROR(CheckMetrics(*info, measurement));
  RETURN_IF_ERROR(outputs->Publish(measurement));
  return measurement;
}

}  // namespace dovetail
