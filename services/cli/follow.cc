#include "services/cli/follow.h"

#include <chrono>
#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/status_macros.h"
#include "common/convert/job_convert.h"
#include "services/cli/interrupt.h"

namespace dovetail::cli {
namespace {

constexpr int64_t kPollMs = 500;

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

absl::StatusOr<v1::Job> FollowJob(Client& client, int64_t job_id, ProgressPrinter& printer) {
  EtaEstimate eta;
  v1::GetFrontResponse front;
  int front_of = -1;  // finished trials when the front was last asked for
  double eta_seconds = -1;
  int64_t eta_at_ms = 0;
  while (true) {
    ASSIGN_OR_RETURN(const v1::Job job, client.GetJob(job_id));
    const int finished = job.progress().trials_finished();
    if (finished != front_of && job.state() != v1::JOB_STATE_PREPARING) {
      ASSIGN_OR_RETURN(front, client.GetFront(job_id));
      eta_seconds = eta.Update(finished, job.spec().budget().trials(), SteadyMs());
      eta_at_ms = SteadyMs();
      front_of = finished;
    }
    const double left =
        eta_seconds < 0
            ? -1
            : std::max(0.0, eta_seconds - static_cast<double>(SteadyMs() - eta_at_ms) / 1000);
    printer.Show(ProgressText(job, front, left), absl::StrCat(finished, "/", job.state()));
    if (HasEnded(job)) {
      printer.Close();
      return job;
    }
    for (int64_t waited = 0; waited < kPollMs; waited += 20) {
      if (Interrupted()) {
        printer.Close();
        return absl::CancelledError("interrupted");
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
}

}  // namespace dovetail::cli
