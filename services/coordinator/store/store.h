// What the coordinator keeps: jobs, trials, designs, task runs, actions, attempts, artifacts,
// events, workers. The leader writes batches of changes, each in one transaction; everyone may
// read. Implementations: postgres/ (the real one) and memory_store (for tests); one contract suite.
#ifndef DOVETAIL_SERVICES_COORDINATOR_STORE_STORE_H_
#define DOVETAIL_SERVICES_COORDINATOR_STORE_STORE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/domain/action.h"
#include "common/domain/job.h"
#include "common/domain/trial.h"
#include "common/domain/value.h"

namespace dovetail::store {

struct JobRecord {
  int64_t id = 0;
  std::string tenant;
  std::string name;
  std::string request_id;  // client's idempotency key; unique within the tenant; "" for none
  std::string spec_json;   // the protobuf message as canonical JSON; opaque here
  JobState state = JobState::kPreparing;
  std::string message;
  Value summary;  // {"network": NetworkSummary, "references": {...}, "inputs": {...}}
  int64_t created_ms = 0;
  int64_t finished_ms = 0;
};

// One O- or lambda-task of one trial, waiting for an action.
struct TaskRunRecord {
  int64_t job_id = 0;
  int trial = 0;
  int task_run = 0;
  std::string node;
  std::string path;
  int iteration = 0;
  std::string action_key;  // its latest action
  bool done = false;
  bool cached = false;  // the action had already ended when this task run asked for it
  int64_t created_ms = 0;
  int64_t finished_ms = 0;
  int64_t finished_event = 0;  // the job's event at which it ended: the order for replay
};

struct ActionRecord {
  std::string key;  // ActionKey(action)
  Action action;
  bool finished = false;
  ActionResult result;    // valid when finished
  int attempt_count = 0;  // the last attempt's number: the fencing token
  int64_t created_ms = 0;
  int64_t finished_ms = 0;
};

struct AttemptRecord {
  std::string action_key;
  int attempt = 0;            // 1, 2, ...
  std::string worker;         // worker id
  std::string state;          // "leased", "completed", "expired", "cancelled", "superseded"
  std::string result_digest;  // SHA-256 of the canonical result, for duplicate completions
  Outcome outcome = Outcome::kOk;
  std::string message;
  int64_t started_ms = 0;
  int64_t finished_ms = 0;
};

// The job's ordered log: what WatchJob streams and replay reads.
struct EventRecord {
  int64_t job_id = 0;
  int64_t sequence = 0;  // 1, 2, ... without gaps within the job
  std::string type;      // "job_state", "trial_created", "trial_finished", "task_finished", ...
  Value payload;
  int64_t created_ms = 0;
};

struct WorkerRecord {
  std::string id;
  std::string tenant;  // "" serves all
  std::string host;
  std::vector<std::string> capabilities;
  int slots = 1;
  std::string state;  // "alive", "draining", "gone", "quarantined"
  std::string version;
  int64_t registered_ms = 0;
  int64_t last_seen_ms = 0;
};

struct SearchStateRecord {
  int64_t job_id = 0;
  int64_t after_event = 0;      // the refit saw the log up to here
  int64_t installed_event = 0;  // and was installed at this event
  Value state;
};

// One change; a batch is applied in order, all or nothing. "Put" inserts or replaces by key.
using Change = std::variant<JobRecord,           // put
                            Trial,               // put, with its designs
                            TaskRunRecord,       // put
                            ActionRecord,        // put
                            AttemptRecord,       // put
                            EventRecord,         // append
                            WorkerRecord,        // put
                            SearchStateRecord>;  // append

struct TrialFilter {
  int64_t job_id = 0;
  std::optional<TrialState> state;
  int after_number = -1'000'000;  // page: numbers above this, rising
  int limit = 0;                  // 0: all
};

// All that a new leader needs to go on: jobs that have not ended, with everything of theirs.
struct LeaderState {
  std::vector<JobRecord> jobs;
  std::vector<Trial> trials;
  std::vector<TaskRunRecord> task_runs;
  std::vector<ActionRecord> actions;             // those the task runs name
  std::vector<SearchStateRecord> search_states;  // rising
  std::map<int64_t, int64_t> last_event;         // job -> sequence
  std::vector<WorkerRecord> workers;
  int64_t next_job_id = 1;
};

// Thread-safe.
class Store {
 public:
  virtual ~Store() = default;

  // Makes this process the leader: bumps the epoch, commits, ends older leaders' sessions. Commit
  // works only afterwards and as long as no other leader did the same.
  virtual absl::StatusOr<int64_t> BecomeLeader(const std::string& address) = 0;
  // The current leader's address; "" where there never was one.
  virtual absl::StatusOr<std::string> LeaderAddress() = 0;

  // One transaction. Errors: Aborted: another leader took over (stop at once); Unavailable: the
  // database is gone, whether the batch was written is unknown (reload before going on);
  // AlreadyExists: a request id or event sequence is taken.
  virtual absl::Status Commit(const std::vector<Change>& changes) = 0;

  virtual absl::StatusOr<LeaderState> Load() = 0;

  // Those that have finished with a result that may be reused; not the others.
  virtual absl::StatusOr<std::vector<ActionRecord>> FindActions(
      const std::vector<std::string>& keys) = 0;

  // Reads for the API. Errors: NotFound.
  virtual absl::StatusOr<JobRecord> GetJob(int64_t id) = 0;
  virtual absl::StatusOr<std::optional<JobRecord>> FindJobByRequest(
      const std::string& tenant, const std::string& request_id) = 0;
  // Newest first; before_id 0: from the newest; limit 0: all. Tenant "" : all tenants.
  virtual absl::StatusOr<std::vector<JobRecord>> ListJobs(const std::string& tenant,
                                                          int64_t before_id, int limit) = 0;
  virtual absl::StatusOr<Trial> GetTrial(int64_t job_id, int number) = 0;
  virtual absl::StatusOr<std::vector<Trial>> ListTrials(const TrialFilter& filter) = 0;
  virtual absl::StatusOr<std::vector<TaskRunRecord>> ListTaskRuns(int64_t job_id, int trial) = 0;
  virtual absl::StatusOr<std::vector<AttemptRecord>> ListAttempts(
      const std::string& action_key) = 0;
  virtual absl::StatusOr<std::vector<EventRecord>> ListEvents(int64_t job_id, int64_t after,
                                                              int limit) = 0;
  virtual absl::StatusOr<std::vector<WorkerRecord>> ListWorkers() = 0;
};

}  // namespace dovetail::store

#endif  // DOVETAIL_SERVICES_COORDINATOR_STORE_STORE_H_
