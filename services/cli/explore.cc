#include "services/cli/explore.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/digest.h"
#include "common/base/status_macros.h"
#include "common/convert/job_convert.h"
#include "common/convert/value_convert.h"
#include "services/cli/follow.h"
#include "services/cli/interrupt.h"
#include "services/cli/job_file/job_file.h"
#include "services/cli/job_results.h"
#include "services/cli/local/local_service.h"
#include "services/cli/output_files.h"
#include "services/cli/progress.h"
#include "services/coordinator/web/tables.h"

namespace dovetail::cli {
namespace {

// Which request a job file was last submitted with, so that --resume finds its job; locked for as
// long as this process follows it.
class RequestNote {
 public:
  RequestNote(const Places& places, const std::string& job_file, const std::string& server) {
    std::error_code error;
    const std::string path = std::filesystem::absolute(job_file, error).lexically_normal().string();
    file_ = absl::StrCat(places.requests(), "/",
                         Sha256Hex(absl::StrCat(path, "\n", server)).substr(0, 24));
  }
  ~RequestNote() {
    if (lock_ >= 0) close(lock_);
  }
  // False: another process follows this job file's job.
  bool TryLock() {
    lock_ = open((file_ + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    return lock_ >= 0 && flock(lock_, LOCK_EX | LOCK_NB) == 0;
  }
  // The job's number, 0 where there is none, and when it was made: numbers begin anew in a new
  // database.
  std::pair<int64_t, int64_t> Read() const {
    std::pair<int64_t, int64_t> job{0, 0};
    std::ifstream(file_) >> job.first >> job.second;
    return job;
  }
  absl::Status Write(const v1::Job& job) const {
    return WriteFileWhole(file_, absl::StrCat(job.id(), " ", CreatedMs(job), "\n"));
  }
  static int64_t CreatedMs(const v1::Job& job) { return convert::TimestampToMs(job.create_time()); }

 private:
  std::string file_;
  int lock_ = -1;
};

class Exploration {
 public:
  explicit Exploration(const ExploreOptions& options)
      : options_(options), printer_(stderr, isatty(STDERR_FILENO) == 1) {}

  absl::Status Run();

 private:
  absl::Status Prepare();
  absl::Status ReachService();
  absl::Status Submit();
  absl::StatusOr<v1::Job> FormerJob();
  absl::Status Follow();
  absl::Status WriteResults(const report::JobReport& report);
  void LeaveService();
  void Say(const std::string& line) { printer_.Say(line); }

  const ExploreOptions& options_;
  ProgressPrinter printer_;
  Places places_;
  JobFile job_file_;
  std::unique_ptr<RequestNote> note_;
  std::unique_ptr<LocalService> service_;
  std::unique_ptr<Client> client_;
  v1::Job job_;
};

// The story.
absl::Status Exploration::Run() {
  RETURN_IF_ERROR(Prepare());
  absl::Status status = ReachService();
  if (status.ok()) status = Submit();
  if (status.ok()) status = Follow();
  LeaveService();
  if (status.code() == absl::StatusCode::kCancelled && job_.id() != 0) {
    return absl::CancelledError(absl::StrCat("interrupted; job ", job_.id(),
                                             " is kept: go on with `dovetail explore --resume ",
                                             options_.job_file, "`"));
  }
  return status;
}

absl::Status Exploration::Prepare() {
  ASSIGN_OR_RETURN(job_file_, LoadJob(options_.job_file));
  if (options_.trials > 0) job_file_.spec.mutable_budget()->set_trials(options_.trials);
  ASSIGN_OR_RETURN(places_, FindPlaces(options_.state));
  RETURN_IF_ERROR(MakePlaces(places_));
  note_ = std::make_unique<RequestNote>(places_, options_.job_file, options_.client.server);
  CatchInterrupts();
  return absl::OkStatus();
}

absl::Status Exploration::ReachService() {
  ClientOptions client = options_.client;
  client.interrupted = Interrupted;
  if (client.server.empty()) {
    LocalServiceOptions local;
    local.places = places_;
    local.workers = options_.workers;
    local.say = [this](const std::string& line) { Say(line); };
    local.interrupted = Interrupted;
    ASSIGN_OR_RETURN(service_, LocalService::Join(local));
    if (options_.keep) RETURN_IF_ERROR(service_->Keep());
    client.server = places_.server();
    client.max_attempts = 3;  // what is away is started again, see Follow
  }
  ASSIGN_OR_RETURN(client_, Client::Make(client));
  return absl::OkStatus();
}

// The job this file was last submitted as. Errors: NotFound.
absl::StatusOr<v1::Job> Exploration::FormerJob() {
  const auto [id, created_ms] = note_->Read();
  if (id == 0) return absl::NotFoundError("never submitted");
  ASSIGN_OR_RETURN(v1::Job job, client_->GetJob(id));
  if (RequestNote::CreatedMs(job) != created_ms) return absl::NotFoundError("another job");
  return job;
}

absl::Status Exploration::Submit() {
  const bool alone = note_->TryLock();
  if (alone) {
    const absl::StatusOr<v1::Job> job = FormerJob();
    if (!job.ok() && !absl::IsNotFound(job.status())) return job.status();
    const bool ended = job.ok() && IsTerminal(convert::JobStateFromProto(job->state()).value());
    if (options_.resume && job.ok()) {
      ASSIGN_OR_RETURN(const JobSpec then, convert::JobSpecFromProto(job->spec()));
      ASSIGN_OR_RETURN(const JobSpec now, convert::JobSpecFromProto(job_file_.spec));
      if (convert::JobSpecToJson(convert::JobSpecToProto(then)) !=
          convert::JobSpecToJson(convert::JobSpecToProto(now))) {
        return absl::FailedPreconditionError(
            absl::StrCat(options_.job_file, " has changed since job ", job->id(),
                         " was submitted: run without --resume to start a new job, or give the "
                         "same --trials as then"));
      }
      job_ = *job;
      Say(absl::StrCat(ended ? "it has ended: job " : "going on with job ", job_.id(), " (",
                       job_.spec().name(), ")"));
      return absl::OkStatus();
    }
    if (job.ok() && !ended) {
      (void)client_->CancelJob(job->id());
      Say(absl::StrCat("cancelled job ", job->id(),
                       ", an interrupted run of this file (--resume would have gone on with it)"));
    }
  }
  if (options_.resume) Say("nothing to resume for this file: starting a new job");
  ASSIGN_OR_RETURN(job_, SubmitJobFile(*client_, job_file_, NewRequestId()));
  Say(absl::StrCat("job ", job_.id(), " (", job_.spec().name(), ") submitted"));
  return note_->Write(job_);
}

absl::Status Exploration::Follow() {
  std::function<absl::Status()> tend;
  if (service_ != nullptr) tend = [this] { return service_->Tend(); };
  ASSIGN_OR_RETURN(job_, FollowJob(*client_, job_.id(), printer_, tend));
  ASSIGN_OR_RETURN(const report::JobReport report, FetchReport(*client_, job_.id()));
  RETURN_IF_ERROR(WriteResults(report));
  if (job_.state() == v1::JOB_STATE_SUCCEEDED) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("job ", job_.id(), " ", JobStateName(report.state), ": ", job_.message()));
}

absl::Status Exploration::WriteResults(const report::JobReport& report) {
  // A job that failed before its first trial has nothing to show; earlier results stay.
  if (report.trials.empty()) return absl::OkStatus();
  const std::string directory = absl::StrCat(options_.out, "/", report.spec.name);
  RETURN_IF_ERROR(WriteCsvs(report, directory));
  RETURN_IF_ERROR(WriteHtml(report, directory));
  std::printf("\n%s\nResults: %s/{front.csv,trials.csv,references.csv,summary.json,report.html}\n",
              report::SummaryText(report).c_str(), directory.c_str());
  std::fflush(stdout);
  return absl::OkStatus();
}

void Exploration::LeaveService() {
  if (service_ == nullptr) return;
  if (Interrupted()) Say("stopping the service; this takes a moment");
  const absl::StatusOr<bool> stopped = service_->Leave();
  if (!stopped.ok()) {
    Say(absl::StrCat("the service did not stop cleanly: ", stopped.status().message()));
  } else if (!*stopped) {
    Say(absl::StrCat("the service stays up at ", places_.server(),
                     "; stop it with `dovetail stop`"));
  }
}

}  // namespace

absl::Status Explore(const ExploreOptions& options) { return Exploration(options).Run(); }

}  // namespace dovetail::cli
