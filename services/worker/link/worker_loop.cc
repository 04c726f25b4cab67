#include "services/worker/link/worker_loop.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <utility>

#include "common/base/digest.h"
#include "common/rpc/backoff.h"
#include "common/telemetry/log.h"
#include "services/worker/link/retry.h"

namespace dovetail::link {
namespace {

constexpr int64_t kFirstBackoffMs = 100;
constexpr int64_t kLastBackoffMs = 3'000;
constexpr int64_t kLookMs = 60'000;  // waiting is by notification; this is only a safety net

bool IsHopeless(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kUnimplemented:
      return true;
    default:
      return false;
  }
}

}  // namespace

WorkerLoop::WorkerLoop(const LoopOptions& options, CoordinatorClient* coordinator,
                       RunAttempt run_attempt, StopSignal* stop, WorkerMetrics* metrics)
    : options_(options),
      coordinator_(coordinator),
      run_attempt_(std::move(run_attempt)),
      stop_(stop),
      metrics_(metrics) {
  metrics_->slots.Set(options_.slots);
}

absl::Status WorkerLoop::Run() {
  Heartbeat heartbeat(coordinator_, &running_, stop_, metrics_);
  const absl::Status status = LeaseUntilDraining(heartbeat);
  metrics_->draining.Set(1);
  LogInfo("draining", {{"busy_slots", running_.BusySlots()}});
  while (!running_.Empty() && !stop_->stopped()) {
    stop_->Wait(kLookMs, [this] { return running_.Empty(); });
  }
  JoinAll();
  LogInfo("drained");
  return status;
}

absl::Status WorkerLoop::LeaseUntilDraining(Heartbeat& heartbeat) {
  const auto start = std::chrono::steady_clock::now();
  rpc::Backoff backoff(kFirstBackoffMs, kLastBackoffMs, Sha256Seed(coordinator_->worker().id));
  bool connected = false;
  const auto left_ms = [&]() -> int64_t {
    if (options_.lifetime_ms == 0) return options_.lease_wait_ms;
    const auto lived = std::chrono::steady_clock::now() - start;
    return options_.lifetime_ms -
           std::chrono::duration_cast<std::chrono::milliseconds>(lived).count();
  };
  while (!stop_->draining()) {
    if (left_ms() <= 0) {
      LogInfo("lifetime is over");
      stop_->Drain();
      break;
    }
    const int free_slots = options_.slots - running_.BusySlots();
    if (free_slots <= 0) {
      stop_->Wait(std::min(left_ms(), kLookMs),
                  [this] { return stop_->draining() || running_.BusySlots() < options_.slots; });
      continue;
    }
    const absl::StatusOr<Lease> lease =
        coordinator_->TakeLease(free_slots, std::min(left_ms(), options_.lease_wait_ms));
    if (!lease.ok()) {
      if (stop_->draining()) break;
      if (IsHopeless(lease.status())) {
        stop_->Drain();
        return lease.status();
      }
      if (std::exchange(connected, false)) {
        LogWarning("the coordinator is away; running attempts go on",
                   {{"error", std::string(lease.status().message())}});
      }
      stop_->Wait(backoff.NextMs(), [this] { return stop_->draining(); });
      continue;
    }
    backoff.Reset();
    JoinFinished();
    if (!std::exchange(connected, true)) LogInfo("connected to the coordinator");
    if (lease->heartbeat_ms > 0) heartbeat.SetPeriodMs(lease->heartbeat_ms);
    for (const Assignment& assignment : lease->assignments) Start(assignment);
    if (lease->drain) stop_->Drain();
  }
  return absl::OkStatus();
}

void WorkerLoop::Start(const Assignment& assignment) {
  LogInfo("attempt begins",
          {{"task", assignment.task}, {"action", assignment.key}, {"attempt", assignment.attempt}});
  const std::shared_ptr<RunningAttempt> attempt = running_.Add(assignment);
  metrics_->busy_slots.Set(running_.BusySlots());
  auto done = std::make_shared<std::atomic<bool>>(false);
  runners_.push_back({done, std::thread([this, attempt, done] {
                        RunAndComplete(attempt);
                        *done = true;
                      })});
}

void WorkerLoop::RunAndComplete(const std::shared_ptr<RunningAttempt>& attempt) {
  const ActionResult result = run_attempt_(*attempt);
  const Assignment& assignment = attempt->assignment;
  metrics_->CountTask(assignment.task, std::string(OutcomeName(result.outcome)),
                      result.tool_seconds);
  Complete(*attempt, result);
  running_.Remove(attempt);
  metrics_->busy_slots.Set(running_.BusySlots());
  stop_->Wake();
}

void WorkerLoop::Complete(const RunningAttempt& attempt, const ActionResult& result) {
  const Assignment& assignment = attempt.assignment;
  RetryOptions options;
  options.jitter_seed = Sha256Seed(coordinator_->worker().id + assignment.key);
  CompleteAnswer answer;
  const absl::Status status = RetryWhileAway(
      options, [this](int64_t wait_ms) { return stop_->Sleep(wait_ms); },
      [&] {
        const absl::StatusOr<CompleteAnswer> got = coordinator_->Complete(assignment, result);
        if (got.ok()) answer = *got;
        return got.status();
      });
  const std::vector<LogField> fields = {
      {"task", assignment.task},        {"action", assignment.key},
      {"attempt", assignment.attempt},  {"outcome", OutcomeName(result.outcome)},
      {"seconds", result.tool_seconds}, {"accepted", answer.accepted},
      {"message", result.message}};
  if (!status.ok()) {
    LogError("result not delivered: " + std::string(status.message()), fields);
  } else if (result.outcome == Outcome::kBug || result.outcome == Outcome::kInfrastructure) {
    LogWarning("attempt ended", fields);
  } else {
    LogInfo("attempt ended", fields);
  }
}

void WorkerLoop::JoinFinished() {
  runners_.remove_if([](Runner& runner) {
    if (!*runner.done) return false;
    runner.thread.join();
    return true;
  });
}

void WorkerLoop::JoinAll() {
  // Drained: nothing runs any more. Stopped: what runs is called off.
  for (const auto& attempt : running_.All()) attempt->cancel = true;
  stop_->Wake();
  for (Runner& runner : runners_) runner.thread.join();
  runners_.clear();
}

}  // namespace dovetail::link
