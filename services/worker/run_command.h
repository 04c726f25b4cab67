// `dovetail-worker run` and `dovetail-worker tasks`: a task from the shell. Called by main.cc.
#ifndef DOVETAIL_SERVICES_WORKER_RUN_COMMAND_H_
#define DOVETAIL_SERVICES_WORKER_RUN_COMMAND_H_

#include <cstdint>
#include <string>
#include <vector>

#include "services/worker/tasks/task.h"

namespace dovetail {

struct RunCommandOptions {
  std::string task;
  std::vector<std::string> inputs;  // NAME=FILE
  std::string parameters = "{}";    // JSON, or @FILE with JSON in it
  uint64_t seed = 1;
  int thread_count = 1;
  std::string cache_directory;
  std::string output_directory;
  std::string progress_file;  // lines are appended; "": to standard error
};

// Prints the measurement on standard output; on failure one line on standard error and
// outcome.json. Returns the exit code: 0, or 1.
// A task that this binary does not carry is run by dovetail-worker-torch beside it (`argv` is
// passed on), so that no other task pays for libtorch's start.
int RunCommand(const TaskRegistry& registry, const RunCommandOptions& options,
               const std::vector<std::string>& argv);

// Prints the catalogue, as a table or as JSON.
int TasksCommand(bool json);

// The file of this process and, of the binary that carries the training tasks, the one beside it;
// "" where there is none.
std::string OwnBinary();
std::string TorchBinary();

}  // namespace dovetail

#endif  // DOVETAIL_SERVICES_WORKER_RUN_COMMAND_H_
