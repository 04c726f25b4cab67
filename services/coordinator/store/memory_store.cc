#include "services/coordinator/store/memory_store.h"

#include <algorithm>
#include <mutex>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/coordinator/store/reuse.h"

namespace dovetail::store {

struct MemoryDatabase {
  std::mutex mutex;
  int64_t epoch = 0;
  std::string leader_address;
  std::map<int64_t, JobRecord> jobs;
  std::map<std::pair<int64_t, int>, Trial> trials;
  std::map<std::tuple<int64_t, int, int>, TaskRunRecord> task_runs;
  std::map<std::string, ActionRecord> actions;
  std::map<std::pair<std::string, int>, AttemptRecord> attempts;
  std::map<std::pair<int64_t, int64_t>, EventRecord> events;
  std::map<std::string, WorkerRecord> workers;
  std::vector<SearchStateRecord> search_states;
};

namespace {

// Finds what makes a batch impossible before anything of it is written.
class BatchChecker {
 public:
  explicit BatchChecker(const MemoryDatabase& db) : db_(db) {}

  absl::Status Check(const std::vector<Change>& changes) {
    for (const Change& change : changes) {
      if (const auto* event = std::get_if<EventRecord>(&change)) {
        RETURN_IF_ERROR(CheckEvent(*event));
      } else if (const auto* job = std::get_if<JobRecord>(&change)) {
        RETURN_IF_ERROR(CheckJob(*job));
      }
    }
    return absl::OkStatus();
  }

 private:
  absl::Status CheckEvent(const EventRecord& event) {
    const std::pair<int64_t, int64_t> key(event.job_id, event.sequence);
    if (db_.events.contains(key) || !events_.insert(key).second) {
      return absl::AlreadyExistsError(
          absl::StrCat("job ", event.job_id, " already has event ", event.sequence));
    }
    return absl::OkStatus();
  }

  absl::Status CheckJob(const JobRecord& job) {
    if (job.request_id.empty()) return absl::OkStatus();
    const auto [it, inserted] = requests_.try_emplace({job.tenant, job.request_id}, job.id);
    bool taken = !inserted && it->second != job.id;
    for (const auto& [id, other] : db_.jobs) {
      taken |= id != job.id && other.tenant == job.tenant && other.request_id == job.request_id;
    }
    if (!taken) return absl::OkStatus();
    return absl::AlreadyExistsError(absl::StrCat("request \"", job.request_id, "\" of tenant \"",
                                                 job.tenant, "\" already made another job"));
  }

  const MemoryDatabase& db_;
  std::set<std::pair<int64_t, int64_t>> events_;
  std::map<std::pair<std::string, std::string>, int64_t> requests_;
};

struct Writer {
  MemoryDatabase& db;
  void operator()(const JobRecord& r) { db.jobs[r.id] = r; }
  void operator()(const Trial& r) { db.trials[{r.job_id, r.number}] = r; }
  void operator()(const TaskRunRecord& r) { db.task_runs[{r.job_id, r.trial, r.task_run}] = r; }
  void operator()(const ActionRecord& r) { db.actions[r.key] = r; }
  void operator()(const AttemptRecord& r) { db.attempts[{r.action_key, r.attempt}] = r; }
  void operator()(const EventRecord& r) { db.events[{r.job_id, r.sequence}] = r; }
  void operator()(const WorkerRecord& r) { db.workers[r.id] = r; }
  void operator()(const SearchStateRecord& r) { db.search_states.push_back(r); }
};

bool BySearchOrder(const SearchStateRecord& a, const SearchStateRecord& b) {
  return std::tie(a.job_id, a.installed_event, a.after_event) <
         std::tie(b.job_id, b.installed_event, b.after_event);
}

class MemoryStore : public Store {
 public:
  explicit MemoryStore(std::shared_ptr<MemoryDatabase> db) : db_(std::move(db)) {}

  absl::StatusOr<int64_t> BecomeLeader(const std::string& address) override {
    std::lock_guard lock(db_->mutex);
    db_->leader_address = address;
    epoch_ = ++db_->epoch;
    return epoch_;
  }

  absl::StatusOr<std::string> LeaderAddress() override {
    std::lock_guard lock(db_->mutex);
    return db_->leader_address;
  }

  absl::Status Commit(const std::vector<Change>& changes) override {
    std::lock_guard lock(db_->mutex);
    if (epoch_ == 0) return absl::FailedPreconditionError("Commit before BecomeLeader");
    if (epoch_ != db_->epoch) {
      return absl::AbortedError(
          absl::StrCat("another coordinator leads: epoch ", db_->epoch, ", this one had ", epoch_));
    }
    RETURN_IF_ERROR(BatchChecker(*db_).Check(changes));
    for (const Change& change : changes) std::visit(Writer{*db_}, change);
    return absl::OkStatus();
  }

  absl::StatusOr<LeaderState> Load() override {
    std::lock_guard lock(db_->mutex);
    LeaderState state;
    std::set<int64_t> live;
    for (const auto& [id, job] : db_->jobs) {
      state.next_job_id = std::max(state.next_job_id, id + 1);
      if (IsTerminal(job.state)) continue;
      live.insert(id);
      state.jobs.push_back(job);
      state.last_event[id] = 0;
    }
    for (const auto& [key, trial] : db_->trials) {
      if (live.contains(key.first)) state.trials.push_back(trial);
    }
    std::set<std::string> action_keys;
    for (const auto& [key, run] : db_->task_runs) {
      if (!live.contains(std::get<0>(key))) continue;
      state.task_runs.push_back(run);
      action_keys.insert(run.action_key);
    }
    for (const std::string& key : action_keys) {
      const auto it = db_->actions.find(key);
      if (it != db_->actions.end()) state.actions.push_back(it->second);
    }
    for (const SearchStateRecord& record : db_->search_states) {
      if (live.contains(record.job_id)) state.search_states.push_back(record);
    }
    std::stable_sort(state.search_states.begin(), state.search_states.end(), BySearchOrder);
    for (const auto& [key, event] : db_->events) {
      if (live.contains(key.first)) state.last_event[key.first] = key.second;
    }
    for (const auto& [id, worker] : db_->workers) {
      if (worker.state != "gone") state.workers.push_back(worker);
    }
    return state;
  }

  absl::StatusOr<std::vector<ActionRecord>> FindActions(
      const std::vector<std::string>& keys) override {
    std::lock_guard lock(db_->mutex);
    std::vector<ActionRecord> found;
    for (const std::string& key : std::set<std::string>(keys.begin(), keys.end())) {
      const auto it = db_->actions.find(key);
      if (it == db_->actions.end()) continue;
      const ActionRecord& record = it->second;
      if (record.finished && record.action.cacheable && IsReusable(record.result.outcome)) {
        found.push_back(record);
      }
    }
    return found;
  }

  absl::StatusOr<JobRecord> GetJob(int64_t id) override {
    std::lock_guard lock(db_->mutex);
    const auto it = db_->jobs.find(id);
    if (it == db_->jobs.end()) return absl::NotFoundError(absl::StrCat("there is no job ", id));
    return it->second;
  }

  absl::StatusOr<std::optional<JobRecord>> FindJobByRequest(
      const std::string& tenant, const std::string& request_id) override {
    std::lock_guard lock(db_->mutex);
    std::optional<JobRecord> found;
    if (request_id.empty()) return found;
    for (const auto& [id, job] : db_->jobs) {
      if (job.tenant == tenant && job.request_id == request_id) found = job;
    }
    return found;
  }

  absl::StatusOr<std::vector<JobRecord>> ListJobs(const std::string& tenant, int64_t before_id,
                                                  int limit) override {
    std::lock_guard lock(db_->mutex);
    std::vector<JobRecord> jobs;
    for (auto it = db_->jobs.rbegin(); it != db_->jobs.rend(); ++it) {
      if (before_id != 0 && it->first >= before_id) continue;
      if (!tenant.empty() && it->second.tenant != tenant) continue;
      if (limit > 0 && static_cast<int>(jobs.size()) == limit) break;
      jobs.push_back(it->second);
    }
    return jobs;
  }

  absl::StatusOr<Trial> GetTrial(int64_t job_id, int number) override {
    std::lock_guard lock(db_->mutex);
    const auto it = db_->trials.find({job_id, number});
    if (it == db_->trials.end()) {
      return absl::NotFoundError(absl::StrCat("job ", job_id, " has no trial ", number));
    }
    return it->second;
  }

  absl::StatusOr<std::vector<Trial>> ListTrials(const TrialFilter& filter) override {
    std::lock_guard lock(db_->mutex);
    std::vector<Trial> trials;
    for (const auto& [key, trial] : db_->trials) {
      if (key.first != filter.job_id || key.second <= filter.after_number) continue;
      if (filter.state.has_value() && trial.state != *filter.state) continue;
      if (filter.limit > 0 && static_cast<int>(trials.size()) == filter.limit) break;
      trials.push_back(trial);
    }
    return trials;
  }

  absl::StatusOr<std::vector<TaskRunRecord>> ListTaskRuns(int64_t job_id, int trial) override {
    std::lock_guard lock(db_->mutex);
    std::vector<TaskRunRecord> runs;
    for (const auto& [key, run] : db_->task_runs) {
      if (run.job_id == job_id && run.trial == trial) runs.push_back(run);
    }
    return runs;
  }

  absl::StatusOr<std::vector<AttemptRecord>> ListAttempts(const std::string& action_key) override {
    std::lock_guard lock(db_->mutex);
    std::vector<AttemptRecord> attempts;
    for (const auto& [key, attempt] : db_->attempts) {
      if (key.first == action_key) attempts.push_back(attempt);
    }
    return attempts;
  }

  absl::StatusOr<std::vector<EventRecord>> ListEvents(int64_t job_id, int64_t after,
                                                      int limit) override {
    std::lock_guard lock(db_->mutex);
    std::vector<EventRecord> events;
    for (auto it = db_->events.upper_bound({job_id, after});
         it != db_->events.end() && it->first.first == job_id; ++it) {
      if (limit > 0 && static_cast<int>(events.size()) == limit) break;
      events.push_back(it->second);
    }
    return events;
  }

  absl::StatusOr<std::vector<WorkerRecord>> ListWorkers() override {
    std::lock_guard lock(db_->mutex);
    std::vector<WorkerRecord> workers;
    for (const auto& [id, worker] : db_->workers) workers.push_back(worker);
    return workers;
  }

 private:
  const std::shared_ptr<MemoryDatabase> db_;
  int64_t epoch_ = 0;  // guarded by db_->mutex
};

}  // namespace

std::shared_ptr<MemoryDatabase> MakeMemoryDatabase() { return std::make_shared<MemoryDatabase>(); }

std::unique_ptr<Store> MakeMemoryStore() { return MakeMemoryStore(MakeMemoryDatabase()); }

std::unique_ptr<Store> MakeMemoryStore(std::shared_ptr<MemoryDatabase> database) {
  return std::make_unique<MemoryStore>(std::move(database));
}

}  // namespace dovetail::store
