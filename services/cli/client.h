// The coordinator's services as plain calls. The one place of the command line that speaks gRPC.
// Every call has a deadline and is repeated while the coordinator is away, so that a restart of it
// is not noticed.
#ifndef DOVETAIL_SERVICES_CLI_CLIENT_H_
#define DOVETAIL_SERVICES_CLI_CLIENT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/rpc/channel.h"
#include "dovetail/v1/exploration_service.pb.h"
#include "dovetail/v1/job.pb.h"
#include "dovetail/v1/trial.pb.h"

namespace dovetail::cli {

struct ClientOptions {
  std::string server;  // unix:/path or host:port
  rpc::TlsOptions tls;
  std::string token_file;  // "": no token
  // Of a call while the coordinator is away; 12 are about 25 s.
  int max_attempts = 12;
  // Asked between attempts; true ends the waiting. Null: never.
  std::function<bool()> interrupted;
};

// Thread-safe. Errors of all calls: the server's; Unavailable names the address and what to check;
// Cancelled: interrupted.
class Client {
 public:
  // Does not connect. Errors: InvalidArgument / NotFound of options.
  static absl::StatusOr<std::unique_ptr<Client>> Make(const ClientOptions& options);
  ~Client();

  const std::string& server() const { return options_.server; }
  // OK when it serves. One attempt.
  absl::Status CheckHealth(int64_t deadline_ms);

  absl::StatusOr<v1::ValidateJobResponse> ValidateJob(const v1::JobSpec& spec);
  absl::StatusOr<v1::Job> SubmitJob(const v1::JobSpec& spec, const std::string& request_id);
  absl::StatusOr<v1::Job> GetJob(int64_t id);
  // Newest first; limit 0: all.
  absl::StatusOr<std::vector<v1::Job>> ListJobs(int limit);
  absl::StatusOr<v1::Job> CancelJob(int64_t id);
  // Calls `on_event` in order until the job has ended or it returns false; goes on where it was
  // when the coordinator comes back.
  absl::Status WatchJob(int64_t id, int64_t after_event,
                        const std::function<bool(const v1::Event&)>& on_event);
  // Ends a WatchJob that another thread is in, and those to come.
  void StopWatching();
  absl::StatusOr<v1::Trial> GetTrial(int64_t job_id, int number);
  // The search's, references and checks, by number.
  absl::StatusOr<std::vector<v1::Trial>> ListTrials(int64_t job_id);
  absl::StatusOr<v1::GetFrontResponse> GetFront(int64_t job_id);
  absl::StatusOr<std::vector<v1::Worker>> ListWorkers();

  // Uploads unless it is there. Errors: DataLoss: the file changed under way.
  absl::Status Upload(const std::string& file, const std::string& digest);
  absl::Status Download(const std::string& digest, const std::string& file);

 private:
  struct Stubs;
  explicit Client(const ClientOptions& options);

  absl::Status Call(const std::function<grpc::Status(grpc::ClientContext*)>& call,
                    int64_t deadline_ms = 30'000);
  absl::Status Repeat(const std::function<absl::Status()>& attempt);
  bool Wait(int64_t wait_ms) const;
  absl::Status Explain(const absl::Status& status) const;

  ClientOptions options_;
  std::unique_ptr<Stubs> stubs_;
};

}  // namespace dovetail::cli

#endif  // DOVETAIL_SERVICES_CLI_CLIENT_H_
