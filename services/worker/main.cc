// dovetail-worker: the daemon, and single tasks from the shell.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "services/worker/daemon.h"
#include "services/worker/register_all.h"
#include "services/worker/run_command.h"

namespace dovetail {
namespace {

void AddRunOptions(CLI::App& run, RunCommandOptions& options) {
  run.add_option("task", options.task, "Task type; see `dovetail-worker tasks`")->required();
  run.add_option("--in", options.inputs, "Input file of a port; once per port")
      ->type_name("NAME=FILE");
  run.add_option("--params", options.parameters, "Parameters; the rest keep their defaults")
      ->type_name("JSON|@FILE")
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

void AddDaemonOptions(CLI::App& app, DaemonOptions& options) {
  app.add_option("--coordinator", options.coordinator, "Where to take work from")
      ->type_name("unix:PATH|HOST:PORT");
  app.add_option("--id", options.id,
                 "Unique name of this worker; host, process and time if absent");
  app.add_option("--work-dir", options.work_directory,
                 "Caches and running attempts; workers of one machine may share it")
      ->type_name("DIR")
      ->capture_default_str();
  app.add_option("--slots", options.slots, "CPU slots; 0: one for each CPU")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  app.add_option("--lifetime-seconds", options.lifetime_seconds,
                 "Drain after so many seconds, before a batch system's wall time; 0: never")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--cache-limit-gb", options.cache_limit_gb,
                 "Of inputs, and as much again of what tasks keep")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--memory-per-slot-mb", options.memory_per_slot_mb,
                 "A task above it is killed; 0: four fifths of the memory over the slots")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_flag("--require-cage", options.require_cage, "Do not start without bubblewrap");
  app.add_option("--metrics-host", options.metrics_host, "Address of /metrics")
      ->capture_default_str();
  app.add_option("--metrics-port", options.metrics_port, "Port of /metrics; 0: off, -1: any free")
      ->check(CLI::Range(-1, 65535))
      ->capture_default_str();
  app.add_option("--token-file", options.token_file, "Bearer token for the coordinator")
      ->type_name("FILE");
  app.add_option("--tls-ca", options.tls_ca, "Authority of the coordinator's certificate")
      ->type_name("FILE");
  app.add_option("--tls-cert", options.tls_certificate, "This worker's certificate")
      ->type_name("FILE");
  app.add_option("--tls-key", options.tls_key, "This worker's key")->type_name("FILE");
  app.add_option("--log-level", options.log_level, "debug, info, warning, error or off")
      ->capture_default_str();
  app.add_flag("--log-json", options.log_json, "One JSON object a line");
  app.add_option("--log-file", options.log_file, "Standard error if absent")->type_name("FILE");
  app.set_config("--config", "", "The same names as NAME=VALUE lines (TOML)");
  app.allow_config_extras(CLI::config_extras_mode::error);
}

int Daemon(const DaemonOptions& options, const TaskRegistry& registry) {
  if (options.coordinator.empty()) {
    std::fprintf(stderr,
                 "dovetail-worker: --coordinator is missing: where to take work from; "
                 "`dovetail-worker run --help` for one task\n");
    return 2;
  }
  const absl::Status status = RunDaemon(options, registry);
  if (status.ok()) return 0;
  std::fprintf(stderr, "dovetail-worker: %s\n", std::string(status.message()).c_str());
  return 1;
}

int Main(int argc, char** argv) {
  CLI::App app("Runs Dovetail's tasks: as a daemon for a coordinator, or one task from the shell.",
               "dovetail-worker");
  app.set_version_flag("--version", DOVETAIL_VERSION);
  DaemonOptions daemon_options;
  daemon_options.work_directory = DefaultWorkDirectory();
  AddDaemonOptions(app, daemon_options);
  RunCommandOptions run_options;
  CLI::App* run = app.add_subcommand("run", "Run one task and print its measurement as JSON");
  AddRunOptions(*run, run_options);
  bool json = false;
  CLI::App* tasks = app.add_subcommand("tasks", "List the task types");
  tasks->add_flag("--json", json, "Everything about them, as JSON");
  app.require_subcommand(0, 1);
  CLI11_PARSE(app, argc, argv);

  if (tasks->parsed()) return TasksCommand(json);
  TaskRegistry registry;
  RegisterAllTasks(registry);
  if (run->parsed()) return RunCommand(registry, run_options);
  return Daemon(daemon_options, registry);
}

}  // namespace
}  // namespace dovetail

int main(int argc, char** argv) { return dovetail::Main(argc, argv); }
