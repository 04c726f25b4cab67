#include "services/coordinator/leader.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/telemetry/log.h"

namespace dovetail {

Leader::Leader(const LeaderOptions& options, ExplorationDependencies dependencies)
    : options_(options), dependencies_(std::move(dependencies)) {}

Leader::~Leader() { Stop(); }

absl::Status Leader::Start() {
  RETURN_IF_ERROR(TakeTheLead());
  StandBy("");
  thread_ = std::thread([this] { Loop(); });
  return absl::OkStatus();
}

void Leader::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  arrived_.notify_all();
  if (thread_.joinable()) thread_.join();
  pool_.reset();  // queued suggestions run out before what they post to goes
  RefuseAll();
}

// Once stopping: whoever still waits is told.
void Leader::RefuseAll() {
  std::vector<Mail> mail;
  std::vector<Poll> polls;
  {
    std::lock_guard lock(mutex_);
    mail.swap(mail_);
    polls.swap(new_polls_);
  }
  for (Poll& poll : polls_) polls.push_back(std::move(poll));
  polls_.clear();
  const absl::Status stopped = absl::UnavailableError("the coordinator is stopping");
  for (Mail& piece : mail) {
    if (piece.done) piece.done(stopped);
  }
  for (Poll& poll : polls) poll.done(stopped);
}

bool Leader::deposed() const {
  std::lock_guard lock(mutex_);
  return deposed_;
}

Leader::Status Leader::status() const {
  std::lock_guard lock(mutex_);
  return status_;
}

void Leader::StandBy(const std::string& leader_address) {
  std::lock_guard lock(mutex_);
  standing_by_for_ = leader_address;
}

absl::Status Leader::Refusal() const {
  if (stopping_) return absl::UnavailableError("the coordinator is stopping");
  if (standing_by_for_.empty()) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("this coordinator stands by; the leader is at ", standing_by_for_));
}

void Leader::Post(Work work, std::function<void(absl::Status)> done) {
  absl::Status refusal;
  {
    std::lock_guard lock(mutex_);
    refusal = Refusal();
    if (refusal.ok()) {
      mail_.push_back({std::move(work), std::move(done)});
      arrived_.notify_one();
      return;
    }
  }
  if (done) done(refusal);
}

void Leader::Lease(const dispatch::WorkerOffer& worker, int free_slots, int64_t wait_ms,
                   std::function<bool()> alive,
                   std::function<void(absl::StatusOr<std::vector<dispatch::Assignment>>)> done) {
  absl::Status refusal;
  {
    std::lock_guard lock(mutex_);
    refusal = Refusal();
    if (refusal.ok()) {
      new_polls_.push_back({worker, free_slots, dependencies_.clock->SteadyMs() + wait_ms,
                            std::move(alive), std::move(done)});
      arrived_.notify_one();
      return;
    }
  }
  done(refusal);
}

absl::Status Leader::TakeTheLead() {
  ++generation_;
  pool_.reset();
  pool_ = std::make_unique<WorkerPool>(options_.search_threads + 1);
  dispatcher_ = std::make_unique<dispatch::Dispatcher>(options_.dispatch, dependencies_.clock);
  dependencies_.dispatcher = dispatcher_.get();
  dependencies_.pool = pool_.get();
  dependencies_.post = [this, generation = generation_](std::function<void()> work) {
    Post(
        [this, generation, work = std::move(work)](Turn&) {
          if (generation == generation_) work();
          return absl::OkStatus();
        },
        nullptr);
  };
  exploration_ = std::make_unique<ExplorationLoop>(dependencies_);
  ASSIGN_OR_RETURN_WITH(const int64_t epoch, dependencies_.store->BecomeLeader(options_.address),
                        "taking the lead");
  ASSIGN_OR_RETURN_WITH(const store::LeaderState state, dependencies_.store->Load(),
                        "loading the coordinator's state");
  next_job_id_ = state.next_job_id;
  changes_.clear();
  exploration_->set_changes(&changes_);
  RETURN_IF_ERROR(exploration_->Restore(state));
  RETURN_IF_ERROR(dependencies_.store->Commit(changes_));
  changes_.clear();
  Log(LogLevel::kInfo, "leading", {{"epoch", epoch}, {"jobs", exploration_->jobs().size()}});
  return absl::OkStatus();
}

void Leader::Loop() {
  while (true) {
    std::vector<Mail> mail;
    std::vector<Poll> polls;
    {
      std::unique_lock lock(mutex_);
      arrived_.wait_for(lock, std::chrono::milliseconds(options_.tick_ms),
                        [this] { return stopping_ || !mail_.empty() || !new_polls_.empty(); });
      if (stopping_) break;
      mail.swap(mail_);
      polls.swap(new_polls_);
    }
    RunTurn(std::move(mail), std::move(polls));
  }
  RefuseAll();
}

void Leader::RunTurn(std::vector<Mail> mail, std::vector<Poll> new_polls) {
  ++turns_;
  for (Poll& poll : new_polls) polls_.push_back(std::move(poll));
  changes_.clear();
  finished_.clear();
  std::vector<std::function<void(const absl::Status&)>> answers;
  Turn turn{*exploration_, *dispatcher_, changes_, finished_, next_job_id_};
  for (Mail& piece : mail) {
    absl::Status status = piece.work(turn);
    if (!piece.done) continue;
    answers.push_back([done = std::move(piece.done), status](const absl::Status& committed) {
      done(committed.ok() ? status : committed);
    });
  }
  dispatcher_->Tick(changes_, finished_);
  exploration_->Absorb(finished_);
  exploration_->Step();
  ServePolls(answers);

  absl::Status committed = absl::OkStatus();
  if (!changes_.empty()) {
    const auto start = std::chrono::steady_clock::now();
    committed = dependencies_.store->Commit(changes_);
    commit_seconds_ +=
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    ++commits_;
    committed_changes_ += static_cast<int64_t>(changes_.size());
  }
  if (committed.ok()) {
    for (const store::Change& change : changes_) {
      if (const auto* event = std::get_if<store::EventRecord>(&change)) {
        events_.Notify(event->job_id, event->sequence);
      }
    }
  }
  const absl::Status told = committed.ok() ? committed
                                           : absl::UnavailableError(
                                                 "the coordinator could not write to its database; "
                                                 "the call may be repeated");
  for (const auto& answer : answers) answer(told);
  UpdateStatus();
  if (!committed.ok()) Recover(committed);
}

void Leader::ServePolls(std::vector<std::function<void(const absl::Status&)>>& answers) {
  const int64_t now_ms = dependencies_.clock->SteadyMs();
  std::vector<Poll> waiting;
  for (Poll& poll : polls_) {
    if (!poll.alive()) {
      poll.done(absl::CancelledError("nobody listens"));
      continue;
    }
    std::vector<dispatch::Assignment> assignments;
    if (dispatcher_->ready_count() > 0) {
      assignments = dispatcher_->Lease(poll.worker, poll.free_slots, changes_);
    } else {
      dispatcher_->SeeWorker(poll.worker, false, changes_);
    }
    if (assignments.empty() && now_ms < poll.deadline_ms) {
      waiting.push_back(std::move(poll));
      continue;
    }
    answers.push_back([done = std::move(poll.done),
                       assignments = std::move(assignments)](const absl::Status& committed) {
      if (committed.ok()) {
        done(assignments);
      } else {
        done(committed);
      }
    });
  }
  polls_ = std::move(waiting);
}

void Leader::Recover(const absl::Status& cause) {
  Log(LogLevel::kError, "a commit failed", {{"status", cause.ToString()}});
  if (absl::IsAborted(cause)) {
    std::lock_guard lock(mutex_);
    deposed_ = true;
    stopping_ = true;
    return;
  }
  int64_t backoff_ms = options_.reload_backoff_ms;
  while (true) {
    const absl::Status status = TakeTheLead();
    if (status.ok()) return;
    Log(LogLevel::kError, "the database does not answer", {{"status", status.ToString()}});
    std::vector<Mail> mail;
    std::vector<Poll> polls;
    {
      std::unique_lock lock(mutex_);
      arrived_.wait_for(lock, std::chrono::milliseconds(backoff_ms), [this] { return stopping_; });
      if (stopping_) return;
      mail.swap(mail_);
      polls.swap(new_polls_);
    }
    const absl::Status down = absl::UnavailableError("the coordinator's database does not answer");
    for (Mail& piece : mail) {
      if (piece.done) piece.done(down);
    }
    for (Poll& poll : polls) poll.done(down);
    backoff_ms = std::min<int64_t>(2 * backoff_ms, 5'000);
  }
}

void Leader::UpdateStatus() {
  Status status;
  status.jobs = static_cast<int>(exploration_->jobs().size());
  for (const auto& [id, job] : exploration_->jobs()) status.running_trials += job->RunningTrials();
  status.ready_actions = static_cast<int>(dispatcher_->ready_count());
  status.leased_actions = static_cast<int>(dispatcher_->leased_count());
  status.live_workers = dispatcher_->live_worker_count();
  status.live_slots = dispatcher_->live_slots();
  status.oldest_lease_ms = dispatcher_->oldest_lease_ms();
  status.turns = turns_;
  status.commits = commits_;
  status.committed_changes = committed_changes_;
  status.commit_seconds = commit_seconds_;
  status.dispatch = dispatcher_->counters();
  std::lock_guard lock(mutex_);
  status_ = status;
}

}  // namespace dovetail
