// The story of one task: what `dovetail-worker run` does in its process, which is the caged child.
// Called by run_command.cc. Knows no coordinator, no cage and no command line.
#ifndef DOVETAIL_SERVICES_WORKER_RUN_TASK_H_
#define DOVETAIL_SERVICES_WORKER_RUN_TASK_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "common/domain/measurement.h"
#include "common/domain/value.h"
#include "services/worker/tasks/task.h"

namespace dovetail {

struct RunTaskRequest {
  std::string task;
  std::map<std::string, std::string> input_files;  // port -> file
  Value parameters;                                // defaults are filled in
  uint64_t seed = 1;
  int thread_count = 1;
  std::string cache_directory;   // "": none
  std::string output_directory;  // made where absent
  std::function<void(const Value&)> progress;
};

// Writes one file per output port and measurement.json into the output directory, all of them or
// none.
// Errors: NotFound: no such task or input file; InvalidArgument: unknown port or parameter, with
// the nearest name; Unavailable: this binary does not carry the task; those of the task.
absl::StatusOr<Measurement> RunTask(const TaskRegistry& registry, const RunTaskRequest& request);

}  // namespace dovetail

#endif  // DOVETAIL_SERVICES_WORKER_RUN_TASK_H_
