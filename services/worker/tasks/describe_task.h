// The describe task: an ONNX file becomes a network and its summary.
#ifndef DOVETAIL_SERVICES_WORKER_TASKS_DESCRIBE_TASK_H_
#define DOVETAIL_SERVICES_WORKER_TASKS_DESCRIBE_TASK_H_

#include <memory>
#include <string>

#include "common/domain/network_summary.h"
#include "services/worker/tasks/task.h"

namespace dovetail {

std::unique_ptr<Task> MakeDescribeTask();

// Layers, shapes, parameters and multiply-accumulates, a line each, with a sum at the end.
std::string SummaryTable(const NetworkSummary& summary);

}  // namespace dovetail

#endif  // DOVETAIL_SERVICES_WORKER_TASKS_DESCRIBE_TASK_H_
