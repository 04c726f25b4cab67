// dovetail: the command line. Reads the options, runs one command, turns its status into an exit
// code and one line on standard error.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/nearest.h"
#include "common/base/status_macros.h"
#include "services/cli/commands.h"
#include "services/cli/explore.h"
#include "services/cli/local/local_service.h"
#include "services/cli/version.h"

namespace dovetail::cli {
namespace {

using Command = std::function<absl::Status()>;

constexpr int kExitInput = 2;
constexpr int kExitInterrupted = 130;

constexpr char kFooter[] =
    "\nExit codes: 0 done; 1 it failed, or the job did; 2 wrong usage or input; 130 interrupted.\n"
    "A config file has the options' names as keys (INI or TOML), commands as sections.\n";

struct Globals {
  ClientOptions client;
  std::string state;
};

int ExitCode(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return 0;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
      return kExitInput;
    case absl::StatusCode::kCancelled:
      return kExitInterrupted;
    default:
      return 1;
  }
}

// Messages may quote tools or servers: whatever they hold, it is one line.
std::string OneLine(absl::string_view message) {
  std::string line(message);
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return line;
}

void AddGlobals(CLI::App& app, Globals& globals) {
  app.set_config("--config", "", "Read options from this file; keys are the options' names");
  app.add_option("--server", globals.client.server,
                 "Coordinator, unix:/path or host:port; default: the private service of --state")
      ->envname("DOVETAIL_SERVER");
  app.add_option("--token-file", globals.client.token_file,
                 "File whose first line is the bearer token; default: none")
      ->envname("DOVETAIL_TOKEN_FILE");
  app.add_option("--tls-ca", globals.client.tls.ca_file,
                 "PEM file of the authority that signed the server's certificate");
  app.add_option("--tls-cert", globals.client.tls.certificate_file,
                 "PEM file of the client's certificate (mutual TLS)");
  app.add_option("--tls-key", globals.client.tls.key_file, "PEM file of its key");
  app.add_option("--state", globals.state,
                 "Directory of the private service: database, artifacts, logs; default: "
                 "/var/lib/dovetail as root, else ~/.local/state/dovetail");
  app.set_version_flag("--version", std::string("dovetail ") + kVersion);
}

// Options of commands that need a coordinator: the private one where none is named.
absl::StatusOr<ClientOptions> WithServer(const Globals& globals) {
  ClientOptions client = globals.client;
  if (!client.server.empty()) return client;
  ASSIGN_OR_RETURN(const Places places, FindPlaces(globals.state));
  client.server = places.server();
  if (!std::filesystem::exists(places.coordinator_socket())) {
    return absl::UnavailableError(
        "no coordinator is named and no private one is running: give --server, or start one with "
        "`dovetail explore --keep`");
  }
  return client;
}

// Runs `call` with the coordinator's options.
Command Remote(const Globals& globals, std::function<absl::Status(const ClientOptions&)> call) {
  return [&globals, call = std::move(call)]() -> absl::Status {
    ASSIGN_OR_RETURN(const ClientOptions client, WithServer(globals));
    return call(client);
  };
}

void AddExplore(CLI::App& app, const Globals& globals, ExploreOptions& options, Command& command) {
  CLI::App* sub = app.add_subcommand(
      "explore",
      "Run a job file to its front on this machine: starts what it needs, stops it after");
  sub->add_option("job_file", options.job_file, "Job file (YAML); see docs/user_guide.md")
      ->required();
  sub->add_option("--workers", options.workers, "Workers, each with one slot")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  sub->add_option("--trials", options.trials,
                  "Trials to run; default: the job file's budget.trials")
      ->check(CLI::Range(1, 1'000'000));
  sub->add_flag("--keep", options.keep, "Leave the service up; `dovetail stop` ends it");
  sub->add_flag("--resume", options.resume, "Go on with this file's interrupted job");
  sub->add_option("--out", options.out, "Results go to DIR/<job name>")
      ->type_name("DIR")
      ->capture_default_str();
  sub->callback([&] {
    command = [&]() -> absl::Status {
      options.client = globals.client;
      options.state = globals.state;
      return Explore(options);
    };
  });
}

void AddSubmit(CLI::App& app, const Globals& globals, SubmitOptions& options, Command& command) {
  CLI::App* sub = app.add_subcommand("submit", "Submit a job file; prints the job's number");
  sub->add_option("job_file", options.job_file, "Job file (YAML)")->required();
  sub->add_option("--trials", options.trials, "Trials to run; default: the job file's")
      ->check(CLI::Range(1, 1'000'000));
  sub->add_option("--request-id", options.request_id,
                  "The same id again returns the same job; default: a new one");
  sub->add_flag("--watch", options.watch, "Show progress until it has ended");
  sub->callback([&] {
    command = Remote(globals,
                     [&](const ClientOptions& client) { return SubmitCommand(client, options); });
  });
}

void AddExport(CLI::App& app, const Globals& globals, ExportOptions& options, Command& command) {
  CLI::App* sub = app.add_subcommand("export", "Write a job's results to files");
  sub->add_option("job", options.job_id, "Number of the job")->required();
  sub->add_option("--what", options.what, "csv, report, all (both) or artifacts (networks, RTL)")
      ->check(CLI::IsMember({"csv", "report", "artifacts", "all"}))
      ->capture_default_str();
  sub->add_option("--trial", options.trial, "Artifacts of this trial; default: of the front's");
  sub->add_option("--out", options.out, "Directory; default: out/<job name>")->type_name("DIR");
  sub->callback([&] {
    command = Remote(globals,
                     [&](const ClientOptions& client) { return ExportCommand(client, options); });
  });
}

struct JobOptions {
  int64_t job_id = 0;
  std::string job_file;
  bool dot = false;
  bool events = false;
  bool json = false;
  int limit = 20;
  std::optional<int> trial;
};

CLI::App* AddJobCommand(CLI::App& app, const char* name, const char* help, JobOptions& options) {
  CLI::App* sub = app.add_subcommand(name, help);
  sub->add_option("job", options.job_id, "Number of the job")->required();
  return sub;
}

void AddSimpleCommands(CLI::App& app, const Globals& globals, JobOptions& options,
                       Command& command) {
  CLI::App* validate = app.add_subcommand("validate", "Check a job file without running it");
  validate->add_option("job_file", options.job_file, "Job file (YAML)")->required();
  validate->add_flag("--dot", options.dot, "Print the flow as Graphviz DOT (needs --server)");
  validate->callback([&] {
    command = [&] { return ValidateCommand(globals.client, options.job_file, options.dot); };
  });
  CLI::App* watch = AddJobCommand(app, "watch", "Follow a job until it has ended", options);
  watch->add_flag("--events", options.events, "Every event as a line, from the first");
  watch->callback([&] {
    command = Remote(globals, [&](const ClientOptions& client) {
      return WatchCommand(client, options.job_id, options.events);
    });
  });
  CLI::App* list = app.add_subcommand("list", "Jobs, newest first");
  list->add_option("--limit", options.limit, "At most so many; 0: all")->capture_default_str();
  list->callback([&] {
    command = Remote(
        globals, [&](const ClientOptions& client) { return ListCommand(client, options.limit); });
  });
  CLI::App* show = AddJobCommand(app, "show", "One job: state and counts", options);
  show->add_flag("--json", options.json, "The job as it was submitted, as JSON");
  show->callback([&] {
    command = Remote(globals, [&](const ClientOptions& client) {
      return ShowCommand(client, options.job_id, options.json);
    });
  });
  CLI::App* trials = AddJobCommand(app, "trials", "A job's trials, or one in detail", options);
  trials->add_option("--trial", options.trial,
                     "Only this one, with its task runs; 0 prepares the "
                     "job, negative ones are references");
  trials->callback([&] {
    command = Remote(globals, [&](const ClientOptions& client) {
      return TrialsCommand(client, options.job_id, options.trial);
    });
  });
  AddJobCommand(app, "front", "The Pareto front, references and reductions", options)
      ->callback([&] {
        command = Remote(globals, [&](const ClientOptions& client) {
          return FrontCommand(client, options.job_id);
        });
      });
  AddJobCommand(app, "cancel", "End a job now", options)->callback([&] {
    command = Remote(globals, [&](const ClientOptions& client) {
      return CancelCommand(client, options.job_id);
    });
  });
  app.add_subcommand("workers", "The workers the coordinator knows")->callback([&] {
    command = Remote(globals, WorkersCommand);
  });
  app.add_subcommand("stop", "Stop the private service that `explore --keep` left up")
      ->callback([&] {
        command = [&]() -> absl::Status {
          ASSIGN_OR_RETURN(const Places places, FindPlaces(globals.state));
          return StopLocalService(places);
        };
      });
}

// A first word that is no command, with the nearest one; "" where the mistake is another.
std::string UnknownCommand(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return "";
  std::vector<std::string> names;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(sub->get_name());
    if (names.back() == argv[1]) return "";
  }
  return absl::StrCat("there is no command \"", argv[1], "\"; did you mean \"",
                      NearestName(argv[1], names), "\"? See dovetail --help");
}

int Main(int argc, char** argv) {
  CLI::App app("Dovetail: from a trained network to FPGA designs, by search.", "dovetail");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.fallthrough();
  Globals globals;
  ExploreOptions explore;
  SubmitOptions submit;
  ExportOptions exporting;
  JobOptions job;
  Command command;
  AddGlobals(app, globals);
  AddExplore(app, globals, explore, command);
  AddSubmit(app, globals, submit, command);
  AddExport(app, globals, exporting, command);
  AddSimpleCommands(app, globals, job, command);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::CallForAllHelp& help) {
    return app.exit(help);
  } catch (const CLI::CallForVersion& version) {
    return app.exit(version);
  } catch (const CLI::ParseError& error) {
    if (const std::string wrong = UnknownCommand(app, argc, argv); !wrong.empty()) {
      std::fprintf(stderr, "dovetail: %s\n", OneLine(wrong).c_str());
      return kExitInput;
    }
    std::fprintf(stderr, "dovetail: %s; see --help\n", OneLine(error.what()).c_str());
    return kExitInput;
  }
  const absl::Status status = command();
  if (!status.ok()) std::fprintf(stderr, "dovetail: %s\n", OneLine(status.message()).c_str());
  return ExitCode(status);
}

}  // namespace
}  // namespace dovetail::cli

int main(int argc, char** argv) { return dovetail::cli::Main(argc, argv); }
