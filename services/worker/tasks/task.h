// The interface of O- and lambda-tasks on the worker: files in, files and a measurement out.
// A task runs in a process of its own (`dovetail-worker run TASK`); it never sees the coordinator.
#ifndef DOVETAIL_SERVICES_WORKER_TASKS_TASK_H_
#define DOVETAIL_SERVICES_WORKER_TASKS_TASK_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/domain/action.h"
#include "common/domain/measurement.h"
#include "common/domain/task_info.h"
#include "common/domain/value.h"

namespace dovetail {

struct TaskContext {
  std::map<std::string, std::string> input_files;  // port -> readable file, only those given
  std::string output_directory;  // write port X to <output_directory>/X, exactly the declared ports
  std::string scratch_directory;  // empty at start, removed afterwards
  // Kept between tasks of this worker and shared by its processes (content-addressed, written by
  // rename); "" where there is none.
  std::string cache_directory;
  Value parameters;  // canonical: every declared parameter is present and of its type
  uint64_t seed = 1;
  int thread_count = 1;
  // A line for the live view, e.g. {"epoch": 3, "loss": 0.71}. May be null.
  std::function<void(const Value&)> progress;

  std::string InputFile(const std::string& port) const {
    const auto it = input_files.find(port);
    return it == input_files.end() ? "" : it->second;
  }
  std::string OutputFile(const std::string& port) const { return output_directory + "/" + port; }
};

// Errors of Run become outcomes: InvalidArgument, FailedPrecondition, OutOfRange, Unimplemented ->
// infeasible (this configuration cannot be); DeadlineExceeded -> timeout; ResourceExhausted -> out
// of memory; Unavailable -> infrastructure; Aborted -> cancelled; all else -> bug.
class Task {
 public:
  virtual ~Task() = default;
  virtual absl::StatusOr<Measurement> Run(const TaskContext& context) = 0;
};

Outcome OutcomeOfStatus(const absl::Status& status);

using TaskFactory = std::function<std::unique_ptr<Task>()>;

// Name -> factory. Filled once at start-up by RegisterBuiltinTasks and, where training is built,
// RegisterTrainingTasks; read-only afterwards.
class TaskRegistry {
 public:
  // Precondition: `name` is in TaskCatalogue().
  void Register(const std::string& name, TaskFactory factory) {
    factories_[name] = std::move(factory);
  }
  // Null where this binary does not carry the task.
  std::unique_ptr<Task> Make(absl::string_view name) const {
    const auto it = factories_.find(std::string(name));
    return it == factories_.end() ? nullptr : it->second();
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& [name, factory] : factories_) names.push_back(name);
    return names;
  }

 private:
  std::map<std::string, TaskFactory> factories_;
};

// One line a task: every task that does not train.
void RegisterBuiltinTasks(TaskRegistry& registry);
// Every task that trains; defined in services/worker/train, where that is built. libtorch is loaded
// by those that need it.
void RegisterTrainingTasks(TaskRegistry& registry);

}  // namespace dovetail

#endif  // DOVETAIL_SERVICES_WORKER_TASKS_TASK_H_
