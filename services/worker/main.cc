// dovetail-worker: the daemon, and single tasks from the shell.
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "services/worker/register_all.h"
#include "services/worker/run_command.h"

namespace dovetail {
namespace {

void AddRunOptions(CLI::App& run, RunCommandOptions& options) {
  run.add_option("task", options.task, "Task type; see `dovetail-worker tasks`")->required();
  run.add_option("--in", options.inputs, "Input file of a port; once per port")
      ->type_name("NAME=FILE");
  run.add_option("--params", options.parameters, "Parameters; the rest keep their defaults")
      ->type_name("JSON")
      ->capture_default_str();
  run.add_option("--seed", options.seed, "Evaluation seed")->capture_default_str();
  run.add_option("--threads", options.thread_count, "Threads the task may use")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  run.add_option("--cache", options.cache_directory, "Kept between tasks; none by default")
      ->type_name("DIR");
  run.add_option("--out", options.output_directory,
                 "Gets one file per output port, measurement.json and outcome.json")
      ->type_name("DIR")
      ->required();
  run.add_option("--progress", options.progress_file,
                 "Gets progress lines; standard error by default")
      ->type_name("FILE");
}

int Main(int argc, char** argv) {
  CLI::App app("Runs Dovetail's tasks: as a daemon for a coordinator, or one task from the shell.",
               "dovetail-worker");
  RunCommandOptions run_options;
  CLI::App* run = app.add_subcommand("run", "Run one task and print its measurement as JSON");
  AddRunOptions(*run, run_options);
  bool json = false;
  CLI::App* tasks = app.add_subcommand("tasks", "List the task types");
  tasks->add_flag("--json", json, "Everything about them, as JSON");
  app.require_subcommand(1);
  CLI11_PARSE(app, argc, argv);

  TaskRegistry registry;
  RegisterAllTasks(registry);
  if (run->parsed()) {
    return RunCommand(registry, run_options, std::vector<std::string>(argv, argv + argc));
  }
  return TasksCommand(json);
}

}  // namespace
}  // namespace dovetail

int main(int argc, char** argv) { return dovetail::Main(argc, argv); }
