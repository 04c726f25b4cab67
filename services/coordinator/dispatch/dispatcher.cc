#include "services/coordinator/dispatch/dispatcher.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/digest.h"

namespace dovetail::dispatch {
namespace {

constexpr size_t kRememberedEnds = 100'000;
constexpr int64_t kWorkerRecordEveryMs = 10'000;

bool IsFinal(Outcome outcome) {
  return outcome == Outcome::kOk || outcome == Outcome::kConstraint ||
         outcome == Outcome::kInfeasible;
}

Value TextMap(const std::map<std::string, std::string>& map) {
  Value value{Value::Map()};
  for (const auto& [key, text] : map) value.Set(key, text);
  return value;
}

}  // namespace

std::string ResultDigest(const ActionResult& result) {
  Value value;
  value.Set("outcome", OutcomeName(result.outcome)).Set("message", result.message);
  value.Set("measurement", result.measurement.ToValue()).Set("outputs", TextMap(result.outputs));
  return Sha256Hex(value.ToJson());
}

Dispatcher::Dispatcher(const DispatchOptions& options, const Clock* clock)
    : options_(options), clock_(clock) {}

void Dispatcher::Enqueue(Live& live) {
  const int64_t now_ms = clock_->SteadyMs();
  if (live.not_before_ms > now_ms) {
    backoffs_.emplace(live.not_before_ms, live.record.key);
    return;
  }
  if (live.waiters.empty()) return;
  ready_.Push({.key = live.record.key,
               .tenant = live.record.action.tenant,
               .job_id = live.waiters.begin()->job_id,
               .priority = live.priority,
               .order = live.order});
}

void Dispatcher::Submit(const Action& action, const Waiter& waiter, int priority, int last_attempt,
                        std::vector<store::Change>& changes) {
  const std::string key = ActionKey(action);
  waiting_for_[waiter] = key;
  const auto it = live_.find(key);
  if (it != live_.end()) {
    Live& live = it->second;
    live.waiters.insert(waiter);
    if (priority > live.priority) {
      live.priority = priority;
      if (ready_.Contains(key)) Enqueue(live);
    }
    return;
  }
  Live& live = live_[key];
  live.record.key = key;
  live.record.action = action;
  live.record.created_ms = clock_->WallMs();
  live.record.attempt_count = last_attempt;
  live.waiters.insert(waiter);
  live.priority = priority;
  live.order = next_order_++;
  changes.push_back(live.record);
  Enqueue(live);
}

void Dispatcher::Restore(const store::ActionRecord& record, const Waiter& waiter, int priority) {
  waiting_for_[waiter] = record.key;
  const bool known = live_.contains(record.key);
  Live& live = live_[record.key];
  live.waiters.insert(waiter);
  live.priority = std::max(live.priority, priority);
  if (known) return;
  live.record = record;
  live.order = next_order_++;
  if (record.attempt_count == 0) {
    Enqueue(live);
    return;
  }
  // A worker may still be running the last attempt: it gets a full term to be heard from.
  const int64_t now_ms = clock_->SteadyMs();
  live.leased_by = "?";
  live.leased_at_ms = now_ms;
  live.lease_expires_ms = now_ms + options_.lease_ms;
  live.attempt = {.action_key = record.key,
                  .attempt = record.attempt_count,
                  .worker = "?",
                  .state = "leased",
                  .started_ms = clock_->WallMs()};
  leases_.emplace(live.lease_expires_ms, record.key);
  ++leased_count_;
}

void Dispatcher::Detach(const Waiter& waiter, std::vector<store::Change>& changes) {
  const auto waiting = waiting_for_.find(waiter);
  if (waiting == waiting_for_.end()) return;
  const std::string key = waiting->second;
  waiting_for_.erase(waiting);
  Live& live = live_.at(key);
  live.waiters.erase(waiter);
  if (!live.waiters.empty()) return;
  ready_.Remove(key);
  backoffs_.erase({live.not_before_ms, key});
  if (!live.leased_by.empty()) EndAttempt(live, "cancelled", nullptr, changes);
  live_.erase(key);  // a heartbeat for it is now told to stop
}

bool Dispatcher::Fits(const Action& action, const WorkerOffer& worker, int free_slots) const {
  if (action.cpu_slots > free_slots && free_slots < worker.slots) return false;
  if (!worker.tenant.empty() && worker.tenant != action.tenant) return false;
  for (const std::string& capability : action.capabilities) {
    if (std::find(worker.capabilities.begin(), worker.capabilities.end(), capability) ==
        worker.capabilities.end()) {
      return false;
    }
  }
  for (const auto& [tool, version] : action.tools) {
    const auto it = worker.tools.find(tool);
    if (it == worker.tools.end() || it->second != version) return false;
  }
  if (worker.task_versions.empty()) return true;
  const auto it = worker.task_versions.find(action.task);
  return it != worker.task_versions.end() && it->second == action.task_version;
}

std::vector<Assignment> Dispatcher::Lease(const WorkerOffer& worker, int free_slots,
                                          std::vector<store::Change>& changes) {
  std::vector<Assignment> assignments;
  SeeWorker(worker, false, changes);
  const int64_t now_ms = clock_->SteadyMs();
  if (workers_[worker.id].quarantined_until_ms > now_ms) return assignments;
  ReadyQueue::Entry entry;
  while (free_slots > 0 && ready_.PopFirst(
                               [&](const std::string& key) {
                                 return Fits(live_.at(key).record.action, worker, free_slots);
                               },
                               entry)) {
    Live& live = live_.at(entry.key);
    ++live.record.attempt_count;
    live.leased_by = worker.id;
    live.leased_at_ms = now_ms;
    live.lease_expires_ms = now_ms + options_.lease_ms;
    leases_.emplace(live.lease_expires_ms, entry.key);
    ++leased_count_;
    ++counters_.leases;
    live.attempt = {.action_key = entry.key,
                    .attempt = live.record.attempt_count,
                    .worker = worker.id,
                    .state = "leased",
                    .started_ms = clock_->WallMs()};
    changes.push_back(live.record);
    changes.push_back(live.attempt);
    assignments.push_back(
        {.key = entry.key,
         .attempt = live.record.attempt_count,
         .action = live.record.action,
         .lease_ms = options_.lease_ms,
         .timeout_ms = static_cast<int64_t>(static_cast<double>(options_.default_timeout_ms) *
                                            live.timeout_scale)});
    free_slots -= live.record.action.cpu_slots;
  }
  return assignments;
}

Verdict Dispatcher::Heartbeat(const WorkerOffer& worker, const std::string& key, int attempt) {
  const auto it = live_.find(key);
  if (it == live_.end()) return Verdict::kCancel;
  Live& live = it->second;
  if (live.leased_by.empty() || live.attempt.attempt != attempt) return Verdict::kCancel;
  live.leased_by = worker.id;
  live.attempt.worker = worker.id;
  leases_.erase({live.lease_expires_ms, key});
  live.lease_expires_ms = clock_->SteadyMs() + options_.lease_ms;
  leases_.emplace(live.lease_expires_ms, key);
  return Verdict::kContinue;
}

void Dispatcher::RecordWorker(SeenWorker& worker, const std::string& state,
                              std::vector<store::Change>& changes) {
  const int64_t now_ms = clock_->SteadyMs();
  if (worker.state == state && now_ms - worker.last_recorded_ms < kWorkerRecordEveryMs) return;
  worker.state = state;
  worker.last_recorded_ms = now_ms;
  changes.push_back(store::WorkerRecord{.id = worker.offer.id,
                                        .tenant = worker.offer.tenant,
                                        .host = worker.offer.host,
                                        .capabilities = worker.offer.capabilities,
                                        .slots = worker.offer.slots,
                                        .state = state,
                                        .version = worker.offer.version,
                                        .registered_ms = worker.registered_wall_ms,
                                        .last_seen_ms = clock_->WallMs()});
}

void Dispatcher::SeeWorker(const WorkerOffer& offer, bool draining,
                           std::vector<store::Change>& changes) {
  SeenWorker& worker = workers_[offer.id];
  if (worker.registered_wall_ms == 0) worker.registered_wall_ms = clock_->WallMs();
  worker.offer = offer;
  worker.last_seen_ms = clock_->SteadyMs();
  const bool quarantined = worker.quarantined_until_ms > worker.last_seen_ms;
  RecordWorker(worker, draining ? "draining" : quarantined ? "quarantined" : "alive", changes);
}

void Dispatcher::Release(Live& live) {
  if (live.leased_by.empty()) return;
  leases_.erase({live.lease_expires_ms, live.record.key});
  --leased_count_;
  const int64_t used_ms = clock_->SteadyMs() - live.leased_at_ms;
  if (!live.waiters.empty()) {
    ready_.Charge(live.record.action.tenant, live.waiters.begin()->job_id,
                  static_cast<double>(used_ms * live.record.action.cpu_slots));
  }
  live.leased_by.clear();
}

void Dispatcher::EndAttempt(Live& live, const std::string& state, const ActionResult* result,
                            std::vector<store::Change>& changes) {
  live.attempt.state = state;
  live.attempt.finished_ms = clock_->WallMs();
  if (result != nullptr) {
    live.attempt.outcome = result->outcome;
    live.attempt.message = result->message;
    live.attempt.result_digest = ResultDigest(*result);
  } else {
    live.attempt.outcome = state == "expired" ? Outcome::kInfrastructure : Outcome::kCancelled;
  }
  changes.push_back(live.attempt);
  Release(live);
}

void Dispatcher::Finish(Live& live, const ActionResult& result, std::vector<store::Change>& changes,
                        std::vector<Finished>& finished) {
  live.record.finished = true;
  live.record.result = result;
  live.record.finished_ms = clock_->WallMs();
  changes.push_back(live.record);
  Finished ended{.key = live.record.key, .result = result};
  ended.waiters.assign(live.waiters.begin(), live.waiters.end());
  for (const Waiter& waiter : ended.waiters) waiting_for_.erase(waiter);
  finished.push_back(std::move(ended));

  Ended& memory = ended_[live.record.key];
  memory.accepted_outputs = TextMap(result.outputs).ToJson();
  ended_order_.push_back(live.record.key);
  if (ended_order_.size() > 2 * kRememberedEnds) {
    for (size_t i = 0; i < kRememberedEnds; ++i) ended_.erase(ended_order_[i]);
    ended_order_.erase(ended_order_.begin(), ended_order_.begin() + kRememberedEnds);
  }
  const std::string key = live.record.key;
  ready_.Remove(key);
  backoffs_.erase({live.not_before_ms, key});
  live_.erase(key);
}

void Dispatcher::RetryOrFinish(Live& live, const ActionResult& result,
                               std::vector<store::Change>& changes,
                               std::vector<Finished>& finished) {
  CountFailure(result.outcome, live.failures);
  const RetryDecision decision =
      DecideRetry(result.outcome, live.failures, live.record.key, options_.retry);
  if (!decision.retry) {
    Finish(live, result, changes, finished);
    return;
  }
  ++counters_.retries;
  live.timeout_scale *= decision.timeout_scale;
  live.not_before_ms = decision.delay_ms > 0 ? clock_->SteadyMs() + decision.delay_ms : 0;
  Enqueue(live);
}

void Dispatcher::CountWorkerOutcome(const std::string& worker_id, Outcome outcome,
                                    std::vector<store::Change>& changes) {
  const auto it = workers_.find(worker_id);
  if (it == workers_.end()) return;
  SeenWorker& worker = it->second;
  if (outcome != Outcome::kInfrastructure) {
    worker.infrastructure_failures = 0;
    return;
  }
  if (++worker.infrastructure_failures < options_.quarantine_after) return;
  worker.infrastructure_failures = 0;
  worker.quarantined_until_ms = clock_->SteadyMs() + options_.quarantine_ms;
  RecordWorker(worker, "quarantined", changes);
}

Completion Dispatcher::Complete(const std::string& worker_id, const std::string& key, int attempt,
                                const ActionResult& result, std::vector<store::Change>& changes,
                                std::vector<Finished>& finished) {
  ++counters_.completions;
  const std::string digest = ResultDigest(result);
  Completion completion;
  const auto ended = ended_.find(key);
  if (ended != ended_.end()) {
    const auto known = ended->second.result_digests.find(attempt);
    if (known != ended->second.result_digests.end() && known->second == digest) {
      ++counters_.duplicates;
      completion.duplicate = true;
      completion.accepted = true;
      return completion;
    }
  }
  const auto it = live_.find(key);
  if (it == live_.end()) {
    ++counters_.stale_results;
    if (ended != ended_.end()) {
      ended->second.result_digests[attempt] = digest;
      completion.nondeterministic =
          result.outcome == Outcome::kOk &&
          TextMap(result.outputs).ToJson() != ended->second.accepted_outputs;
      if (completion.nondeterministic) ++counters_.nondeterministic;
    }
    return completion;
  }
  Live& live = it->second;
  const bool current = !live.leased_by.empty() && live.attempt.attempt == attempt;
  if (!current && !IsFinal(result.outcome)) {
    ++counters_.stale_results;
    return completion;
  }
  completion.accepted = true;
  const std::string key_copy = key;
  if (current) {
    live.attempt.worker = worker_id;
    EndAttempt(live, "completed", &result, changes);
    CountWorkerOutcome(worker_id, result.outcome, changes);
  } else if (!live.leased_by.empty()) {
    EndAttempt(live, "superseded", nullptr, changes);  // its next heartbeat is told to stop
  }
  if (IsFinal(result.outcome)) {
    Finish(live, result, changes, finished);
  } else {
    RetryOrFinish(live, result, changes, finished);
  }
  if (const auto now_ended = ended_.find(key_copy); now_ended != ended_.end()) {
    now_ended->second.result_digests[attempt] = digest;
  }
  return completion;
}

void Dispatcher::Tick(std::vector<store::Change>& changes, std::vector<Finished>& finished) {
  const int64_t now_ms = clock_->SteadyMs();
  while (!backoffs_.empty() && backoffs_.begin()->first <= now_ms) {
    const std::string key = backoffs_.begin()->second;
    backoffs_.erase(backoffs_.begin());
    if (const auto it = live_.find(key); it != live_.end()) {
      it->second.not_before_ms = 0;
      Enqueue(it->second);
    }
  }
  while (!leases_.empty() && leases_.begin()->first <= now_ms) {
    Live& live = live_.at(leases_.begin()->second);
    ++counters_.expired_leases;
    const std::string worker = live.attempt.worker;
    EndAttempt(live, "expired", nullptr, changes);
    CountWorkerOutcome(worker, Outcome::kInfrastructure, changes);
    ActionResult lost;
    lost.outcome = Outcome::kInfrastructure;
    lost.message =
        absl::StrCat("worker ", worker, " was not heard from for ", options_.lease_ms / 1000, " s");
    RetryOrFinish(live, lost, changes, finished);
  }
  for (auto& [id, worker] : workers_) {
    if (worker.state != "gone" && now_ms - worker.last_seen_ms > options_.worker_gone_ms) {
      RecordWorker(worker, "gone", changes);
    }
  }
}

absl::StatusOr<std::map<std::string, std::string>> Dispatcher::ToolVersions(
    const std::vector<std::string>& tools) const {
  std::map<std::string, std::string> versions;
  for (const std::string& tool : tools) {
    bool found = false;
    for (const auto& [id, worker] : workers_) {
      if (worker.state == "gone" || !worker.offer.tools.contains(tool)) continue;
      versions[tool] = worker.offer.tools.at(tool);
      found = true;
      break;
    }
    if (!found) {
      return absl::FailedPreconditionError(
          absl::StrCat("no live worker offers ", tool, "; start one where it is installed"));
    }
  }
  return versions;
}

int Dispatcher::live_slots() const {
  int slots = 0;
  for (const auto& [id, worker] : workers_) {
    if (worker.state == "alive") slots += worker.offer.slots;
  }
  return slots;
}

int Dispatcher::live_worker_count() const {
  int count = 0;
  for (const auto& [id, worker] : workers_) count += worker.state == "alive" ? 1 : 0;
  return count;
}

int64_t Dispatcher::oldest_lease_ms() const {
  int64_t oldest = 0;
  for (const auto& [expiry, key] : leases_) {
    oldest = std::max(oldest, clock_->SteadyMs() - live_.at(key).leased_at_ms);
  }
  return oldest;
}

std::map<std::string, int> Dispatcher::BusySlots() const {
  std::map<std::string, int> busy;
  for (const auto& [expiry, key] : leases_) {
    const Live& live = live_.at(key);
    busy[live.leased_by] += live.record.action.cpu_slots;
  }
  return busy;
}

}  // namespace dovetail::dispatch
