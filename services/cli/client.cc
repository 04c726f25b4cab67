#include "services/cli/client.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <chrono>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/artifacts/artifact_store.h"
#include "common/artifacts/remote_store.h"
#include "common/base/status_macros.h"
#include "common/rpc/backoff.h"
#include "common/rpc/status_conversion.h"
#include "dovetail/v1/exploration_service.grpc.pb.h"

namespace dovetail::cli {
namespace {

constexpr int64_t kWatchPieceMs = 60'000;

}  // namespace

struct Client::Stubs {
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::ExplorationService::Stub> exploration;
  std::unique_ptr<ArtifactStore> artifacts;

  // False: watching was stopped.
  bool BeginWatch(grpc::ClientContext* context) {
    const std::lock_guard<std::mutex> lock(watch_mutex);
    if (stop_watching) return false;
    watching = context;
    return true;
  }
  void EndWatch() {
    const std::lock_guard<std::mutex> lock(watch_mutex);
    watching = nullptr;
  }

  std::mutex watch_mutex;
  grpc::ClientContext* watching = nullptr;  // guarded by watch_mutex
  bool stop_watching = false;               // guarded by watch_mutex
};

Client::Client(const ClientOptions& options)
    : options_(options), stubs_(std::make_unique<Stubs>()) {}
Client::~Client() = default;

absl::StatusOr<std::unique_ptr<Client>> Client::Make(const ClientOptions& options) {
  rpc::ChannelOptions channel_options{.tls = options.tls};
  if (!options.token_file.empty()) {
    ASSIGN_OR_RETURN(channel_options.token, rpc::ReadTokenFile(options.token_file));
  }
  std::unique_ptr<Client> client(new Client(options));
  ASSIGN_OR_RETURN(client->stubs_->channel, rpc::MakeChannel(options.server, channel_options));
  client->stubs_->exploration = v1::ExplorationService::NewStub(client->stubs_->channel);
  client->stubs_->artifacts = MakeRemoteStore(client->stubs_->channel);
  return client;
}

bool Client::Wait(int64_t wait_ms) const {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(wait_ms);
  while (std::chrono::steady_clock::now() < end) {
    if (options_.interrupted && options_.interrupted()) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

absl::Status Client::Explain(const absl::Status& status) const {
  if (options_.interrupted && options_.interrupted() && !status.ok()) {
    return absl::CancelledError("interrupted");
  }
  if (status.code() != absl::StatusCode::kUnavailable) return status;
  return absl::UnavailableError(absl::StrCat("no coordinator answers at ", options_.server, " (",
                                             status.message(),
                                             "): start one, or name another with --server"));
}

absl::Status Client::Call(const std::function<grpc::Status(grpc::ClientContext*)>& call,
                          int64_t deadline_ms) {
  rpc::CallOptions options;
  options.deadline_ms = deadline_ms;
  options.max_attempts = options_.max_attempts;
  options.wait = [this](int64_t wait_ms) { return Wait(wait_ms); };
  return Explain(rpc::Call(options, call));
}

absl::Status Client::Repeat(const std::function<absl::Status()>& attempt) {
  rpc::Backoff backoff(100, 3000, 1);
  for (int i = 1;; ++i) {
    const absl::Status status = attempt();
    if (status.code() != absl::StatusCode::kUnavailable || i >= options_.max_attempts ||
        !Wait(backoff.NextMs())) {
      return Explain(status);
    }
  }
}

absl::Status Client::CheckHealth(int64_t deadline_ms) {
  return rpc::CheckHealth(stubs_->channel, deadline_ms);
}

absl::StatusOr<v1::ValidateJobResponse> Client::ValidateJob(const v1::JobSpec& spec) {
  v1::ValidateJobRequest request;
  *request.mutable_spec() = spec;
  v1::ValidateJobResponse response;
  RETURN_IF_ERROR(Call([&](grpc::ClientContext* context) {
    return stubs_->exploration->ValidateJob(context, request, &response);
  }));
  return response;
}

absl::StatusOr<v1::Job> Client::SubmitJob(const v1::JobSpec& spec, const std::string& request_id) {
  v1::SubmitJobRequest request;
  *request.mutable_spec() = spec;
  request.set_request_id(request_id);
  v1::Job job;
  RETURN_IF_ERROR(Call([&](grpc::ClientContext* context) {
    return stubs_->exploration->SubmitJob(context, request, &job);
  }));
  return job;
}

absl::StatusOr<v1::Job> Client::GetJob(int64_t id) {
  v1::GetJobRequest request;
  request.set_id(id);
  v1::Job job;
  RETURN_IF_ERROR(Call([&](grpc::ClientContext* context) {
    return stubs_->exploration->GetJob(context, request, &job);
  }));
  return job;
}

absl::StatusOr<std::vector<v1::Job>> Client::ListJobs(int limit) {
  std::vector<v1::Job> jobs;
  v1::ListJobsRequest request;
  request.set_page_size(limit > 0 && limit < 100 ? limit : 100);
  do {
    v1::ListJobsResponse response;
    RETURN_IF_ERROR(Call([&](grpc::ClientContext* context) {
      return stubs_->exploration->ListJobs(context, request, &response);
    }));
    for (v1::Job& job : *response.mutable_jobs()) jobs.push_back(std::move(job));
    request.set_page_token(response.next_page_token());
    if (limit > 0 && static_cast<int>(jobs.size()) >= limit) {
      jobs.resize(static_cast<size_t>(limit));
      break;
    }
  } while (!request.page_token().empty());
  return jobs;
}

absl::StatusOr<v1::Job> Client::CancelJob(int64_t id) {
  v1::CancelJobRequest request;
  request.set_id(id);
  v1::Job job;
  RETURN_IF_ERROR(Call([&](grpc::ClientContext* context) {
    return stubs_->exploration->CancelJob(context, request, &job);
  }));
  return job;
}

absl::Status Client::WatchJob(int64_t id, int64_t after_event,
                              const std::function<bool(const v1::Event&)>& on_event) {
  v1::WatchJobRequest request;
  request.set_id(id);
  request.set_after_event(after_event);
  bool wanted = true;
  const auto watch_once = [&]() -> absl::Status {
    grpc::ClientContext context;
    rpc::SetDeadline(context, kWatchPieceMs);
    if (!stubs_->BeginWatch(&context)) return absl::CancelledError("stopped");
    const absl::Cleanup done = [this] { stubs_->EndWatch(); };
    const auto reader = stubs_->exploration->WatchJob(&context, request);
    v1::Event event;
    while (wanted && reader->Read(&event)) {
      request.set_after_event(event.sequence());
      wanted = on_event(event) && !(options_.interrupted && options_.interrupted());
    }
    if (!wanted) context.TryCancel();
    const absl::Status status = rpc::FromGrpc(reader->Finish());
    return wanted ? status : absl::OkStatus();
  };
  while (true) {
    const absl::Status status = Repeat(watch_once);
    // Pieces of a minute: a connection that died without a word is noticed.
    if (status.code() != absl::StatusCode::kDeadlineExceeded) return status;
  }
}

void Client::StopWatching() {
  const std::lock_guard<std::mutex> lock(stubs_->watch_mutex);
  stubs_->stop_watching = true;
  if (stubs_->watching != nullptr) stubs_->watching->TryCancel();
}

absl::StatusOr<v1::Trial> Client::GetTrial(int64_t job_id, int number) {
  v1::GetTrialRequest request;
  request.set_job_id(job_id);
  request.set_number(number);
  v1::Trial trial;
  RETURN_IF_ERROR(Call([&](grpc::ClientContext* context) {
    return stubs_->exploration->GetTrial(context, request, &trial);
  }));
  return trial;
}

absl::StatusOr<std::vector<v1::Trial>> Client::ListTrials(int64_t job_id) {
  std::vector<v1::Trial> trials;
  v1::ListTrialsRequest request;
  request.set_job_id(job_id);
  request.set_page_size(200);
  do {
    v1::ListTrialsResponse response;
    RETURN_IF_ERROR(Call([&](grpc::ClientContext* context) {
      return stubs_->exploration->ListTrials(context, request, &response);
    }));
    for (v1::Trial& trial : *response.mutable_trials()) trials.push_back(std::move(trial));
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  return trials;
}

absl::StatusOr<v1::GetFrontResponse> Client::GetFront(int64_t job_id) {
  v1::GetFrontRequest request;
  request.set_job_id(job_id);
  v1::GetFrontResponse response;
  RETURN_IF_ERROR(Call([&](grpc::ClientContext* context) {
    return stubs_->exploration->GetFront(context, request, &response);
  }));
  return response;
}

absl::StatusOr<std::vector<v1::Worker>> Client::ListWorkers() {
  v1::ListWorkersResponse response;
  RETURN_IF_ERROR(Call([&](grpc::ClientContext* context) {
    return stubs_->exploration->ListWorkers(context, v1::ListWorkersRequest(), &response);
  }));
  return std::vector<v1::Worker>(response.workers().begin(), response.workers().end());
}

absl::Status Client::Upload(const std::string& file, const std::string& digest) {
  return Repeat([&]() -> absl::Status {
    ASSIGN_OR_RETURN(const std::string stored, stubs_->artifacts->PutFile(file));
    if (stored == digest) return absl::OkStatus();
    return absl::DataLossError(absl::StrCat(file, " changed while it was uploaded; run again"));
  });
}

absl::Status Client::Download(const std::string& digest, const std::string& file) {
  return Repeat([&] { return stubs_->artifacts->GetFile(digest, file); });
}

}  // namespace dovetail::cli
