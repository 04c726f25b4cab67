// The search behind one interface: Gaussian process, random, grid, Sobol, evolution. Called by the
// exploration loop (and by ask-and-tell). Knows neither gRPC nor SQL nor tasks.
//
// Replay: a strategy is a pure function of (problem, ordered calls of Tell and AddPending, refits).
// The coordinator stores with every trial the event it was suggested from, and a row per installed
// refit; replaying both gives the same suggestions bit for bit.
#ifndef DOVETAIL_SERVICES_COORDINATOR_SEARCH_STRATEGY_H_
#define DOVETAIL_SERVICES_COORDINATOR_SEARCH_STRATEGY_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/domain/search_space.h"
#include "common/domain/value.h"

namespace dovetail::search {

// What is known of a metric before any measurement: the analytic model. Absent for metrics that
// cannot be computed from the point. Pure; microseconds; any thread.
using PriorMean =
    std::function<std::optional<double>(const std::string& metric, const Point& point)>;

struct Problem {
  SearchSpace space;                    // vectors resolved to lengths
  std::vector<Objective> objectives;    // at least one
  std::vector<Constraint> constraints;  // absolute bounds (references already added)
  std::vector<Point> enqueued;          // suggested first, in order
  uint64_t seed = 1;
  int initial_count = 0;        // 0: the strategy's default
  int budget_trials = 0;        // 0: unknown
  PriorMean prior_mean;         // may be null
  Value options{Value::Map()};  // of the strategy; unknown names are refused
};

// What a finished trial taught.
struct Observation {
  enum class Kind {
    kMeasured,  // values are there (constraints may be broken)
    kRefused,   // a tool refused the configuration; feasibility 0, no values or some
    kLost,      // abandoned or cancelled: teaches nothing, the point may not be suggested again
  };
  int trial = 0;
  Point point;
  Kind kind = Kind::kMeasured;
  std::map<std::string, double> metrics;  // those measured; may lack some after an early stop
  double cost_seconds = 0;
};

struct Suggestion {
  Point point;
  Value info;  // {"phase": "initial" | "model" | ..., "acquisition": ..., "predicted": {...}}
};

// A refit computed apart: Run on any thread (touches only its snapshot), then Install on the
// owner's.
class Refit {
 public:
  virtual ~Refit() = default;
  virtual void Run() = 0;
  // After Run: what a takeover needs to reinstall it without running it again.
  virtual Value State() const = 0;
};

// Not thread-safe: one owner. A Refit's Run may go on beside calls to its Strategy.
class Strategy {
 public:
  virtual ~Strategy() = default;

  // The next point, never one that was suggested, told or is pending, with what is known now.
  // `trial` is the number it will get; the draw depends on it, not on how often Suggest was called.
  // The caller follows up with AddPending(trial, point).
  // Errors: OutOfRange: a finite space is exhausted. FailedPrecondition: no legal point was found.
  virtual absl::StatusOr<Suggestion> Suggest(int trial) = 0;
  virtual void AddPending(int trial, const Point& point) = 0;
  // A trial ended (pending or not: imported and enqueued trials are told as well).
  virtual void Tell(const Observation& observation) = 0;

  // True when the fitted model lags so far behind that a refit pays. Null refit: nothing to fit.
  virtual bool WantsRefit() const { return false; }
  virtual std::unique_ptr<Refit> StartRefit() { return nullptr; }
  virtual void InstallRefit(const Refit&) {}
  // At takeover: installs what Refit::State returned earlier, after the same Tells.
  virtual absl::Status RestoreRefit(const Value&) { return absl::OkStatus(); }

  // Calibration, length scales, variable importance; for reports. May be slow.
  virtual Value Diagnostics() const { return Value(); }
};

struct StrategyInfo {
  std::string name;
  std::string purpose;
  std::string source;  // paper
};

// Errors: InvalidArgument: the space or an objective is malformed; NotFound: unknown strategy
// (lists the known ones).
absl::StatusOr<std::unique_ptr<Strategy>> MakeStrategy(const std::string& name,
                                                       const Problem& problem);
std::vector<StrategyInfo> ListStrategies();

// Fits now, on this thread, if the strategy wants it: for tests and tools without a background.
inline void RefitNow(Strategy& strategy) {
  if (!strategy.WantsRefit()) return;
  if (std::unique_ptr<Refit> refit = strategy.StartRefit()) {
    refit->Run();
    strategy.InstallRefit(*refit);
  }
}

}  // namespace dovetail::search

#endif  // DOVETAIL_SERVICES_COORDINATOR_SEARCH_STRATEGY_H_
