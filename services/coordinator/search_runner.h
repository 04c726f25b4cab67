// A job's search on threads of its own: the leader never waits for a model. One runner per job; its
// operations run one after another, in the order in which the leader's thread asked for them, so
// that the event log replays them.
#ifndef DOVETAIL_SERVICES_COORDINATOR_SEARCH_RUNNER_H_
#define DOVETAIL_SERVICES_COORDINATOR_SEARCH_RUNNER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/base/worker_pool.h"
#include "services/coordinator/search/strategy.h"

namespace dovetail {

// Called on the leader's thread only. Callbacks come on pool threads and must only post.
class SearchRunner {
 public:
  struct RefitDone {
    std::shared_ptr<search::Refit> refit;
    int64_t after_event = 0;  // the refit saw the log up to here
  };

  // `pool` outlives the runner's last operation; `on_refit` is called when a refit has run. A null
  // `on_refit` means that refits happen only by RefitInLine.
  SearchRunner(std::unique_ptr<search::Strategy> strategy, WorkerPool* pool,
               std::function<void(RefitDone)> on_refit);

  void Tell(const search::Observation& observation, int64_t at_event);
  void AddPending(int trial, const Point& point);
  // The point is pending from then on.
  void Suggest(int trial, std::function<void(absl::StatusOr<search::Suggestion>)> done);
  void Install(RefitDone refit);
  void Restore(const Value& state);
  // While on, results start no refits: the log is being told again.
  void SetReplaying(bool replaying);
  // Refits, when the strategy wants one, on this strand and installs at once (fixed-lag order).
  void RefitInLine();
  void Diagnose(std::function<void(Value)> done);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace dovetail

#endif  // DOVETAIL_SERVICES_COORDINATOR_SEARCH_RUNNER_H_
