// The leader's thread: everything that changes a job or an action happens here, one turn after
// another. A turn takes the mail that has come, moves the jobs, commits all changes in one
// transaction (group commit), and only then answers.
//
// Crash-only: when a commit fails the memory is thrown away and built again from the store.
#ifndef DOVETAIL_SERVICES_COORDINATOR_LEADER_H_
#define DOVETAIL_SERVICES_COORDINATOR_LEADER_H_

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/coordinator/dispatch/dispatcher.h"
#include "services/coordinator/event_hub.h"
#include "services/coordinator/exploration_loop.h"
#include "services/coordinator/store/store.h"

namespace dovetail {

struct LeaderOptions {
  dispatch::DispatchOptions dispatch;
  std::string address;   // told to standbys and written to the store
  int64_t tick_ms = 50;  // longest turn without mail
  int search_threads = 1;
  int64_t reload_backoff_ms = 500;
};

// What a piece of mail may use while it runs.
struct Turn {
  ExplorationLoop& exploration;
  dispatch::Dispatcher& dispatcher;
  std::vector<store::Change>& changes;
  std::vector<dispatch::Finished>& finished;
  int64_t& next_job_id;
};

// Public methods are thread-safe.
class Leader {
 public:
  // Of `dependencies`, dispatcher, pool and post are filled in here.
  Leader(const LeaderOptions& options, ExplorationDependencies dependencies);
  ~Leader();

  // Until Start: whoever asks is told that another coordinator leads, and where.
  void StandBy(const std::string& leader_address);

  // Takes the lead, restores what had not ended, starts the thread.
  // Errors: those of the store.
  absl::Status Start();
  // Ends after the running turn; unanswered mail gets Unavailable.
  void Stop();
  // True once another leader has taken over: this process should end.
  bool deposed() const;

  using Work = std::function<absl::Status(Turn& turn)>;
  // Runs `work` in the next turn; `done` gets its status once the turn's changes are committed, or
  // Unavailable where they were not. `done` must not block.
  void Post(Work work, std::function<void(absl::Status)> done);

  // Long poll: answers when there is work, or empty after `wait_ms`. `alive` tells whether anyone
  // still listens.
  void Lease(const dispatch::WorkerOffer& worker, int free_slots, int64_t wait_ms,
             std::function<bool()> alive,
             std::function<void(absl::StatusOr<std::vector<dispatch::Assignment>>)> done);

  EventHub& events() { return events_; }
  const dispatch::DispatchOptions& dispatch_options() const { return options_.dispatch; }

  struct Status {
    int jobs = 0;
    int running_trials = 0;
    int ready_actions = 0;
    int leased_actions = 0;
    int live_workers = 0;
    int live_slots = 0;
    int64_t oldest_lease_ms = 0;
    int64_t turns = 0;
    int64_t commits = 0;
    int64_t committed_changes = 0;
    double commit_seconds = 0;
    dispatch::Dispatcher::Counters dispatch;
  };
  Status status() const;

 private:
  struct Mail {
    Work work;
    std::function<void(absl::Status)> done;
  };
  struct Poll {
    dispatch::WorkerOffer worker;
    int free_slots = 0;
    int64_t deadline_ms = 0;
    std::function<bool()> alive;
    std::function<void(absl::StatusOr<std::vector<dispatch::Assignment>>)> done;
  };

  absl::Status TakeTheLead();
  void Loop();
  void RunTurn(std::vector<Mail> mail, std::vector<Poll> new_polls);
  void ServePolls(std::vector<std::function<void(const absl::Status&)>>& answers);
  void Recover(const absl::Status& cause);
  void UpdateStatus();
  void RefuseAll();
  absl::Status Refusal() const;  // under mutex_: OK where mail is taken

  const LeaderOptions options_;
  ExplorationDependencies dependencies_;

  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<Mail> mail_;
  std::vector<Poll> new_polls_;
  bool stopping_ = false;
  bool deposed_ = false;
  std::string standing_by_for_;  // the other leader's address; empty: this one leads or is about to
  Status status_;

  // The leader's thread only, from here on.
  std::unique_ptr<WorkerPool> pool_;
  std::unique_ptr<dispatch::Dispatcher> dispatcher_;
  std::unique_ptr<ExplorationLoop> exploration_;
  int64_t generation_ = 0;  // bumped at every reload: posts of an earlier one are dropped
  std::vector<Poll> polls_;
  std::vector<store::Change> changes_;
  std::vector<dispatch::Finished> finished_;
  int64_t next_job_id_ = 1;
  int64_t commits_ = 0;
  int64_t committed_changes_ = 0;
  double commit_seconds_ = 0;
  int64_t turns_ = 0;

  EventHub events_;
  std::thread thread_;
};

}  // namespace dovetail

#endif  // DOVETAIL_SERVICES_COORDINATOR_LEADER_H_
