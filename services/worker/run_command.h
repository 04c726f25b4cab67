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
int RunCommand(const TaskRegistry& registry, const RunCommandOptions& options);

// Prints the catalogue, as a table or as JSON.
int TasksCommand(bool json);

// The file of this process.
std::string OwnBinary();

}  // namespace dovetail

#endif  // DOVETAIL_SERVICES_WORKER_RUN_COMMAND_H_
