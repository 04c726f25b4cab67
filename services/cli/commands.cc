#include "services/cli/commands.h"

#include <unistd.h>

#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "common/base/status_macros.h"
#include "common/convert/job_convert.h"
#include "common/convert/trial_convert.h"
#include "common/convert/value_convert.h"
#include "services/cli/follow.h"
#include "services/cli/interrupt.h"
#include "services/cli/job_results.h"
#include "services/cli/output_files.h"
#include "services/cli/progress.h"
#include "services/coordinator/web/table.h"
#include "services/coordinator/web/tables.h"

namespace dovetail::cli {
namespace {

void Print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

absl::StatusOr<std::unique_ptr<Client>> Connect(const ClientOptions& options) {
  CatchInterrupts();
  ClientOptions interruptible = options;
  interruptible.interrupted = Interrupted;
  return Client::Make(interruptible);
}

std::string TimeText(const google::protobuf::Timestamp& time) {
  const int64_t ms = convert::TimestampToMs(time);
  if (ms == 0) return "";
  return absl::FormatTime("%Y-%m-%d %H:%M:%S", absl::FromUnixMillis(ms), absl::UTCTimeZone());
}

std::string StateText(v1::JobState proto) {
  const auto state = convert::JobStateFromProto(proto);
  return state.ok() ? std::string(JobStateName(*state)) : "unknown";
}

// 0 where it succeeded, else what its message says.
absl::Status OutcomeOf(const v1::Job& job) {
  if (job.state() == v1::JOB_STATE_SUCCEEDED) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("job ", job.id(), " ", StateText(job.state()), ": ", job.message()));
}

absl::Status FollowAndSum(Client& client, int64_t job_id) {
  ProgressPrinter printer(stderr, isatty(STDERR_FILENO) == 1);
  const absl::StatusOr<v1::Job> job = FollowJob(client, job_id, printer);
  if (absl::IsCancelled(job.status())) {
    return absl::CancelledError(
        absl::StrCat("interrupted; job ", job_id, " goes on: `dovetail watch ", job_id, "`"));
  }
  RETURN_IF_ERROR(job.status());
  ASSIGN_OR_RETURN(const report::JobReport report, FetchReport(client, job_id));
  Print("\n" + SummaryText(report));
  return OutcomeOf(*job);
}

absl::Status DownloadDesign(Client& client, const Design& design, const std::string& directory) {
  for (const auto& [port, digest] : design.artifacts) {
    // Names come from the server: no path of theirs is trusted.
    std::string name = port;
    for (char& c : name) {
      if (!absl::ascii_isalnum(c) && c != '.' && c != '_' && c != '-') c = '_';
    }
    if (name.empty() || name[0] == '.') name = "_" + name;
    const std::string file = absl::StrCat(directory, "/", name);
    RETURN_IF_ERROR(WriteFileWhole(directory + "/.writable", ""));
    unlink((directory + "/.writable").c_str());
    RETURN_IF_ERROR(client.Download(digest, file));
    Print(file + "\n");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidateCommand(const ClientOptions& client, const std::string& job_file, bool dot) {
  ASSIGN_OR_RETURN(const JobFile job, LoadJob(job_file));
  if (client.server.empty()) {
    if (dot) return absl::InvalidArgumentError("--dot needs a coordinator: name it with --server");
    Print(absl::StrCat(job_file,
                       ": no mistake found without a coordinator; with --server the flow's "
                       "ports and expressions are checked too\n"));
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const auto connection, Connect(client));
  const absl::StatusOr<v1::ValidateJobResponse> checked = connection->ValidateJob(job.spec);
  if (!checked.ok()) {
    return checked.status().code() == absl::StatusCode::kInvalidArgument
               ? AtItsLine(job, checked.status())
               : checked.status();
  }
  for (const std::string& warning : checked->warnings()) Print("warning: " + warning + "\n");
  Print(dot ? checked->flow_dot() : absl::StrCat(job_file, ": valid\n"));
  return absl::OkStatus();
}

absl::Status SubmitCommand(const ClientOptions& client, const SubmitOptions& options) {
  ASSIGN_OR_RETURN(JobFile job_file, LoadJob(options.job_file));
  if (options.trials > 0) job_file.spec.mutable_budget()->set_trials(options.trials);
  ASSIGN_OR_RETURN(const auto connection, Connect(client));
  ASSIGN_OR_RETURN(const v1::Job job,
                   SubmitJobFile(*connection, job_file,
                                 options.request_id.empty() ? NewRequestId() : options.request_id));
  Print(absl::StrCat(job.id(), "\n"));
  return options.watch ? FollowAndSum(*connection, job.id()) : absl::OkStatus();
}

absl::Status WatchCommand(const ClientOptions& client, int64_t job_id, bool events) {
  ASSIGN_OR_RETURN(const auto connection, Connect(client));
  if (!events) return FollowAndSum(*connection, job_id);
  RETURN_IF_ERROR(connection->WatchJob(job_id, 0, [](const v1::Event& event) {
    Print(absl::StrCat(event.sequence(), " ", TimeText(event.time()), " ", event.type(), " ",
                       convert::ValueFromStruct(event.payload()).ToJson(), "\n"));
    return true;
  }));
  ASSIGN_OR_RETURN(const v1::Job job, connection->GetJob(job_id));
  return OutcomeOf(job);
}

absl::Status ListCommand(const ClientOptions& client, int limit) {
  ASSIGN_OR_RETURN(const auto connection, Connect(client));
  ASSIGN_OR_RETURN(const std::vector<v1::Job> jobs, connection->ListJobs(limit));
  report::Table table{
      .header = {"job", "name", "state", "submitted (UTC)", "ended (UTC)", "message"}};
  for (const v1::Job& job : jobs) {
    table.rows.push_back({absl::StrCat(job.id()), job.spec().name(), StateText(job.state()),
                          TimeText(job.create_time()), TimeText(job.finish_time()), job.message()});
  }
  Print(ToText(table, ""));
  return absl::OkStatus();
}

absl::Status ShowCommand(const ClientOptions& client, int64_t job_id, bool json) {
  ASSIGN_OR_RETURN(const auto connection, Connect(client));
  ASSIGN_OR_RETURN(const v1::Job job, connection->GetJob(job_id));
  if (json) {
    Print(convert::JobSpecToJson(job.spec()) + "\n");
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const v1::GetFrontResponse front, connection->GetFront(job_id));
  report::Table table{.header = {"job", absl::StrCat(job.id())}};
  const v1::JobProgress& progress = job.progress();
  table.rows = {
      {"name", job.spec().name()},
      {"state", StateText(job.state())},
      {"message", job.message()},
      {"submitted (UTC)", TimeText(job.create_time())},
      {"ended (UTC)", TimeText(job.finish_time())},
      {"part", job.spec().part()},
      {"clock period (ns)", NumberToText(job.spec().clock_period())},
      {"trials ended",
       absl::StrCat(progress.trials_finished(), " of ", job.spec().budget().trials())},
      {"feasible", absl::StrCat(progress.trials_feasible())},
      {"infeasible", absl::StrCat(progress.trials_infeasible())},
      {"abandoned", absl::StrCat(progress.trials_abandoned())},
      {"front", absl::StrCat(progress.front_size(), " designs")},
      {"best", BestText(job, front)},
      {"tool time (s)", absl::StrCat(progress.tool_seconds())},
  };
  Print(ToText(table, ""));
  return absl::OkStatus();
}

absl::Status TrialsCommand(const ClientOptions& client, int64_t job_id,
                           std::optional<int> trial_number) {
  ASSIGN_OR_RETURN(const auto connection, Connect(client));
  if (!trial_number) {
    ASSIGN_OR_RETURN(const report::JobReport report, FetchReport(*connection, job_id));
    Print(ToText(TrialsTable(report), ""));
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const v1::Trial proto, connection->GetTrial(job_id, *trial_number));
  ASSIGN_OR_RETURN(const Trial trial, convert::TrialFromProto(proto));
  Print(absl::StrCat("trial ", trial.number, " ", TrialStateName(trial.state),
                     trial.message.empty() ? "" : ": " + trial.message, "\n",
                     PointToValue(trial.point).ToJson(), "\n"));
  report::Table runs{.header = {"task", "state", "cached", "attempts", "message"}};
  for (const v1::TaskRun& run : proto.task_runs()) {
    const std::string message = run.attempts().empty() ? "" : run.attempts().rbegin()->message();
    runs.rows.push_back({run.node(), run.done() ? "done" : "waiting or running",
                         run.cached() ? "yes" : "no", absl::StrCat(run.attempts_size()), message});
  }
  Print(ToText(runs, "  "));
  for (const Design& design : trial.designs) {
    report::Table metrics{.header = {"number", "value", "unit", "by"}};
    for (const auto& [name, metric] : design.measurement.metrics) {
      metrics.rows.push_back({name, NumberToText(metric.value), metric.unit, metric.source});
    }
    Print(absl::StrCat("design ", design.index, design.feasible ? "" : " (infeasible)", "\n",
                       ToText(metrics, "  ")));
  }
  return absl::OkStatus();
}

absl::Status FrontCommand(const ClientOptions& client, int64_t job_id) {
  ASSIGN_OR_RETURN(const auto connection, Connect(client));
  ASSIGN_OR_RETURN(const report::JobReport report, FetchReport(*connection, job_id));
  Print(SummaryText(report));
  return absl::OkStatus();
}

absl::Status ExportCommand(const ClientOptions& client, const ExportOptions& options) {
  ASSIGN_OR_RETURN(const auto connection, Connect(client));
  ASSIGN_OR_RETURN(const report::JobReport report, FetchReport(*connection, options.job_id));
  const std::string directory =
      options.out.empty() ? absl::StrCat("out/", report.spec.name) : options.out;
  const bool all = options.what == "all";
  if (all || options.what == "csv") {
    RETURN_IF_ERROR(WriteCsvs(report, directory));
    for (const char* name : {"front", "trials", "references"}) {
      Print(absl::StrCat(directory, "/", name, ".csv\n"));
    }
  }
  if (all || options.what == "report") {
    RETURN_IF_ERROR(WriteHtml(report, directory));
    Print(absl::StrCat(directory, "/report.html\n"));
  }
  if (options.what != "artifacts") return absl::OkStatus();
  std::vector<std::pair<int, Design>> designs;
  for (const Trial& trial : report.trials) {
    for (const Design& design : trial.designs) {
      if (trial.number == options.trial) designs.push_back({trial.number, design});
    }
  }
  for (const report::FrontDesign& one : report.front) {
    if (options.trial == 0) designs.push_back({one.trial, one.design});
  }
  if (designs.empty()) {
    return absl::NotFoundError(options.trial == 0
                                   ? absl::StrCat("job ", options.job_id, " has no front yet")
                                   : absl::StrCat("trial ", options.trial, " has no design"));
  }
  for (const auto& [trial, design] : designs) {
    RETURN_IF_ERROR(DownloadDesign(
        *connection, design, absl::StrCat(directory, "/trial-", trial, "-design-", design.index)));
  }
  return absl::OkStatus();
}

absl::Status CancelCommand(const ClientOptions& client, int64_t job_id) {
  ASSIGN_OR_RETURN(const auto connection, Connect(client));
  ASSIGN_OR_RETURN(const v1::Job job, connection->CancelJob(job_id));
  Print(absl::StrCat("job ", job.id(), " ", StateText(job.state()), "\n"));
  return absl::OkStatus();
}

absl::Status WorkersCommand(const ClientOptions& client) {
  ASSIGN_OR_RETURN(const auto connection, Connect(client));
  ASSIGN_OR_RETURN(const std::vector<v1::Worker> workers, connection->ListWorkers());
  report::Table table{
      .header = {"worker", "host", "state", "slots", "busy", "capabilities", "last seen (UTC)"}};
  for (const v1::Worker& worker : workers) {
    table.rows.push_back({worker.id(), worker.host(), worker.state(), absl::StrCat(worker.slots()),
                          absl::StrCat(worker.busy_slots()),
                          absl::StrJoin(worker.capabilities(), " "),
                          TimeText(worker.last_seen_time())});
  }
  Print(ToText(table, ""));
  return absl::OkStatus();
}

}  // namespace dovetail::cli
