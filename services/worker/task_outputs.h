// The output directory of one task: written aside, moved to its place when all is there. Called by
// run_task.cc and run_command.cc.
#ifndef DOVETAIL_SERVICES_WORKER_TASK_OUTPUTS_H_
#define DOVETAIL_SERVICES_WORKER_TASK_OUTPUTS_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/domain/action.h"
#include "common/domain/measurement.h"
#include "common/domain/task_info.h"

namespace dovetail {

inline constexpr char kMeasurementFile[] = "measurement.json";
inline constexpr char kOutcomeFile[] = "outcome.json";

// Not thread-safe. The destructor removes what was not published.
class TaskOutputs {
 public:
  // Makes `directory` and the two below it; what an earlier run of the task left in it goes.
  // Errors: those of making directories.
  static absl::StatusOr<std::unique_ptr<TaskOutputs>> Open(const std::string& directory,
                                                           const TaskInfo& info);
  ~TaskOutputs();
  TaskOutputs(const TaskOutputs&) = delete;
  TaskOutputs& operator=(const TaskOutputs&) = delete;

  std::string staging_directory() const { return root_ + "/out"; }
  std::string scratch_directory() const { return root_ + "/scratch"; }

  // Moves every declared output and the measurement into the directory.
  // Errors: Internal: an output was not written.
  absl::Status Publish(const Measurement& measurement);

 private:
  TaskOutputs(std::string directory, const TaskInfo& info);

  const std::string directory_;
  const std::string root_;
  const TaskInfo& info_;
};

// outcome.json: {"outcome": "ok", "message": ""}; written last of all files.
absl::Status WriteOutcome(const std::string& directory, Outcome outcome,
                          const std::string& message);

}  // namespace dovetail

#endif  // DOVETAIL_SERVICES_WORKER_TASK_OUTPUTS_H_
