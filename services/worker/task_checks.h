// What must hold before and after a task runs. Called by run_task.cc.
#ifndef DOVETAIL_SERVICES_WORKER_TASK_CHECKS_H_
#define DOVETAIL_SERVICES_WORKER_TASK_CHECKS_H_

#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/domain/measurement.h"
#include "common/domain/task_info.h"
#include "services/worker/tasks/task.h"

namespace dovetail {

// Errors: InvalidArgument: a K-task, which the coordinator runs; Unavailable: this binary does
// not carry it.
absl::StatusOr<std::unique_ptr<Task>> MakeTask(const TaskRegistry& registry, const TaskInfo& info);

// Errors: InvalidArgument: an unknown port (names the nearest), one missing; NotFound: no file.
absl::Status CheckInputs(const TaskInfo& info, const std::map<std::string, std::string>& files);

// What a task throws becomes a status: out of memory ResourceExhausted, all else Internal.
absl::StatusOr<Measurement> RunWithoutThrowing(Task& task, const TaskContext& context);

// Errors: Internal: a metric that is not finite.
absl::Status CheckMetrics(const TaskInfo& info, const Measurement& measurement);

}  // namespace dovetail

#endif  // DOVETAIL_SERVICES_WORKER_TASK_CHECKS_H_
