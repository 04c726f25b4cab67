#include "services/worker/link/heartbeat.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "common/telemetry/log.h"
#include "services/worker/link/attempt_files.h"

namespace dovetail::link {
namespace {

Value ReadProgress(const RunningAttempt& attempt) {
  const std::string directory = attempt.ProgressDirectory();
  if (directory.empty()) return Value();
  const absl::StatusOr<TaskFile> file = TaskFile::Open(directory, "", "progress");
  if (!file.ok()) return Value();
  absl::StatusOr<Value> value = Value::FromJson(file->LastLine());
  return value.ok() ? *std::move(value) : Value();
}

}  // namespace

Heartbeat::Heartbeat(CoordinatorClient* coordinator, RunningAttempts* running, StopSignal* stop,
                     WorkerMetrics* metrics)
    : coordinator_(coordinator), running_(running), stop_(stop), metrics_(metrics), thread_([this] {
        Loop();
      }) {}

void Heartbeat::SetPeriodMs(int64_t period_ms) {
  period_ms_ = period_ms;
  end_.Wake();
}

Heartbeat::~Heartbeat() {
  end_.Stop();
  thread_.join();
}

void Heartbeat::Loop() {
  while (!end_.stopped()) {
    const int64_t period_ms = period_ms_;
    end_.Wait(period_ms, [&] { return period_ms_ != period_ms; });
    if (!end_.stopped() && period_ms_ == period_ms) BeatOnce();
  }
}

void Heartbeat::BeatOnce() {
  const std::vector<std::shared_ptr<RunningAttempt>> attempts = running_->All();
  std::vector<Beat> beats;
  for (const auto& attempt : attempts) {
    beats.push_back({attempt->assignment.key, attempt->assignment.attempt, ReadProgress(*attempt)});
  }
  const int64_t deadline_ms = std::max<int64_t>(1'000, period_ms_);
  const absl::StatusOr<BeatAnswer> answer =
      coordinator_->SendBeat(beats, stop_->draining(), deadline_ms);
  if (!answer.ok()) {
    // Nothing is given up: a coordinator that comes back gives each lease a full term.
    metrics_->heartbeat_failures.Increment();
    LogDebug("heartbeat failed", {{"error", std::string(answer.status().message())}});
    return;
  }
  if (answer->drain && !stop_->draining()) {
    LogInfo("the coordinator asks to drain");
    stop_->Drain();
  }
  for (size_t i = 0; i < attempts.size(); ++i) {
    if (!answer->cancel[i] || attempts[i]->cancel.exchange(true)) continue;
    metrics_->cancelled_attempts.Increment();
    LogInfo("attempt called off", {{"task", attempts[i]->assignment.task},
                                   {"action", attempts[i]->assignment.key},
                                   {"attempt", attempts[i]->assignment.attempt}});
  }
  stop_->Wake();
}

}  // namespace dovetail::link
