#include "services/coordinator/search_runner.h"

#include <utility>

namespace dovetail {

// Outlives the runner while operations are queued.
struct SearchRunner::State : std::enable_shared_from_this<SearchRunner::State> {
  State(std::unique_ptr<search::Strategy> owned, WorkerPool* pool,
        std::function<void(RefitDone)> on_refit_done)
      : strategy(std::move(owned)), pool(pool), strand(pool), on_refit(std::move(on_refit_done)) {}

  // On the strand: starts a refit beside it when the model lags.
  void MaybeRefit() {
    if (on_refit == nullptr || replaying || refitting || !strategy->WantsRefit()) return;
    std::shared_ptr<search::Refit> refit = strategy->StartRefit();
    if (refit == nullptr) return;
    refitting = true;
    pool->Run([self = shared_from_this(), refit, after_event = told_event] {
      refit->Run();
      self->on_refit({refit, after_event});
    });
  }

  std::unique_ptr<search::Strategy> strategy;  // on the strand
  bool refitting = false;                      // on the strand
  bool replaying = false;                      // on the strand
  int64_t told_event = 0;                      // on the strand
  WorkerPool* pool;
  Strand strand;
  std::function<void(RefitDone)> on_refit;
};

SearchRunner::SearchRunner(std::unique_ptr<search::Strategy> strategy, WorkerPool* pool,
                           std::function<void(RefitDone)> on_refit)
    : state_(std::make_shared<State>(std::move(strategy), pool, std::move(on_refit))) {}

void SearchRunner::Tell(const search::Observation& observation, int64_t at_event) {
  state_->strand.Run([state = state_, observation, at_event] {
    state->strategy->Tell(observation);
    state->told_event = at_event;
    state->MaybeRefit();
  });
}

void SearchRunner::AddPending(int trial, const Point& point) {
  state_->strand.Run([state = state_, trial, point] { state->strategy->AddPending(trial, point); });
}

void SearchRunner::Suggest(int trial,
                           std::function<void(absl::StatusOr<search::Suggestion>)> done) {
  state_->strand.Run([state = state_, trial, done = std::move(done)] {
    absl::StatusOr<search::Suggestion> suggestion = state->strategy->Suggest(trial);
    if (suggestion.ok()) state->strategy->AddPending(trial, suggestion->point);
    done(std::move(suggestion));
  });
}

void SearchRunner::Install(RefitDone refit) {
  state_->strand.Run([state = state_, refit = std::move(refit)] {
    state->strategy->InstallRefit(*refit.refit);
    state->refitting = false;
    state->MaybeRefit();
  });
}

void SearchRunner::Restore(const Value& value) {
  state_->strand.Run([state = state_, value] { (void)state->strategy->RestoreRefit(value); });
}

void SearchRunner::SetReplaying(bool replaying) {
  state_->strand.Run([state = state_, replaying] { state->replaying = replaying; });
}

void SearchRunner::RefitInLine() {
  state_->strand.Run([state = state_] { search::RefitNow(*state->strategy); });
}

void SearchRunner::Diagnose(std::function<void(Value)> done) {
  state_->strand.Run(
      [state = state_, done = std::move(done)] { done(state->strategy->Diagnostics()); });
}

}  // namespace dovetail
