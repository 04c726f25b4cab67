#include "services/cli/follow.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/status_macros.h"
#include "common/convert/job_convert.h"
#include "common/convert/value_convert.h"
#include "services/cli/interrupt.h"

namespace dovetail::cli {
namespace {

constexpr int64_t kPollMs = 500;
constexpr int64_t kAwayMs = 120'000;

int64_t SteadyMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

bool HasEnded(const v1::Job& job) {
  const auto state = convert::JobStateFromProto(job.state());
  return state.ok() && IsTerminal(*state);
}

// What the coordinator gets: contents by digest, no names of files on this machine.
v1::JobSpec ForTheServer(const v1::JobSpec& spec) {
  v1::JobSpec stripped = spec;
  stripped.mutable_network()->clear_file();
  stripped.mutable_dataset()->clear_file();
  return stripped;
}

// Errors: Cancelled.
absl::Status WaitPoll(ProgressPrinter& printer) {
  for (int64_t waited = 0; waited < kPollMs; waited += 20) {
    if (Interrupted()) {
      printer.Close();
      return absl::CancelledError("interrupted");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return absl::OkStatus();
}

// What an event says that the counts do not; "" for most.
std::string NoteOf(const v1::Event& event) {
  const Value payload = convert::ValueFromStruct(event.payload());
  if (event.type() == "waiting") return absl::StrCat("waiting: ", payload["message"].AsString());
  if (event.type() == "trial_finished" && payload["state"].AsString() == "abandoned") {
    return absl::StrCat("trial ", payload["trial"].ToJson(),
                        " given up: ", payload["message"].AsString());
  }
  const bool reference = payload["trial"].AsNumber() < 0 && payload["trial"].AsNumber() > -1000;
  if (event.type() == "trial_finished" && reference && payload["state"].AsString() != "succeeded") {
    return absl::StrCat("reference \"", payload["reference"].AsString(), "\" ",
                        payload["state"].AsString(), ": ", payload["message"].AsString());
  }
  return "";
}

// Listens to a job's events on a thread of its own, for as long as it lives.
class EventNotes {
 public:
  EventNotes(Client& client, int64_t job_id)
      : client_(client), thread_([this, job_id] {
          // Notes are a courtesy: what ends the stream ends the job, and is reported there.
          (void)client_.WatchJob(job_id, 0, [this](const v1::Event& event) {
            if (std::string note = NoteOf(event); !note.empty()) {
              const std::lock_guard<std::mutex> lock(mutex_);
              notes_.push_back(std::move(note));
            }
            return true;
          });
        }) {}
  ~EventNotes() {
    client_.StopWatching();
    thread_.join();
  }
  std::vector<std::string> Take() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return std::exchange(notes_, {});
  }

 private:
  Client& client_;
  std::mutex mutex_;
  std::vector<std::string> notes_;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<JobFile> LoadJob(const std::string& path) {
  ASSIGN_OR_RETURN(JobFile job, ReadJobFile(path));
  RETURN_IF_ERROR(DigestFiles(job));
  if (const auto spec = convert::JobSpecFromProto(job.spec); !spec.ok()) {
    return AtItsLine(job, spec.status());
  }
  return job;
}

absl::StatusOr<v1::Job> SubmitJobFile(Client& client, const JobFile& job,
                                      const std::string& request_id) {
  const v1::JobSpec spec = ForTheServer(job.spec);
  if (const auto checked = client.ValidateJob(spec); !checked.ok()) {
    return checked.status().code() == absl::StatusCode::kInvalidArgument
               ? AtItsLine(job, checked.status())
               : checked.status();
  }
  for (const auto& [file, digest] :
       {std::pair(job.spec.network().file(), spec.network().digest()),
        std::pair(job.spec.dataset().file(), spec.dataset().digest())}) {
    if (!file.empty()) RETURN_IF_ERROR(client.Upload(file, digest));
  }
  return client.SubmitJob(spec, request_id);
}

std::string NewRequestId() {
  std::random_device device;
  return absl::StrFormat("cli-%08x%08x%08x", device(), device(), device());
}

absl::StatusOr<v1::Job> FollowJob(Client& client, int64_t job_id, ProgressPrinter& printer,
                                  const std::function<absl::Status()>& tend) {
  EventNotes notes(client, job_id);
  EtaEstimate eta;
  v1::GetFrontResponse front;
  int front_of = -1;  // finished trials when the front was last asked for
  double eta_seconds = -1;
  int64_t eta_at_ms = 0;
  int64_t answered_ms = SteadyMs();
  while (true) {
    if (tend) RETURN_IF_ERROR(tend());
    const absl::StatusOr<v1::Job> job = client.GetJob(job_id);
    if (absl::IsUnavailable(job.status()) && tend && SteadyMs() - answered_ms < kAwayMs) {
      RETURN_IF_ERROR(WaitPoll(printer));
      continue;
    }
    RETURN_IF_ERROR(job.status());
    answered_ms = SteadyMs();
    const int finished = job->progress().trials_finished();
    if (finished != front_of && job->state() != v1::JOB_STATE_PREPARING) {
      const absl::StatusOr<v1::GetFrontResponse> fetched = client.GetFront(job_id);
      if (fetched.ok()) {
        front = *fetched;
        eta_seconds = eta.Update(finished, job->spec().budget().trials(), SteadyMs());
        eta_at_ms = SteadyMs();
        front_of = finished;
      }
    }
    const double since_seconds = static_cast<double>(SteadyMs() - eta_at_ms) / 1000;
    const double left = eta_seconds < 0 ? -1 : std::max(0.0, eta_seconds - since_seconds);
    for (const std::string& line : notes.Take()) printer.Say(line);
    printer.Show(ProgressText(*job, front, left), absl::StrCat(finished, "/", job->state()));
    if (HasEnded(*job)) {
      printer.Close();
      return *job;
    }
    RETURN_IF_ERROR(WaitPoll(printer));
  }
}

}  // namespace dovetail::cli
