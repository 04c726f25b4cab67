// What all strategies share: enqueued points first, no configuration twice, exhaustion of finite
// spaces, options by name. A strategy only proposes.
#ifndef DOVETAIL_SERVICES_COORDINATOR_SEARCH_STRATEGY_STRATEGY_BASE_H_
#define DOVETAIL_SERVICES_COORDINATOR_SEARCH_STRATEGY_STRATEGY_BASE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "services/coordinator/search/space/space.h"
#include "services/coordinator/search/strategy.h"

namespace dovetail::search {

// One finished trial, encoded.
struct Record {
  int trial = 0;
  Slots slots;
  Observation::Kind kind = Observation::Kind::kMeasured;
  std::map<std::string, double> metrics;  // finite ones only
  double cost_seconds = 0;
};

struct Proposal {
  Slots slots;
  Value info;
};

// Sum of relative violations of the constraints; 0 where feasible. Refused and incomplete records
// are infinitely bad.
double ConstraintViolation(const Problem& problem, const Record& record);

class StrategyBase : public Strategy {
 public:
  absl::StatusOr<Suggestion> Suggest(int trial) final;
  void AddPending(int trial, const Point& point) final;
  void Tell(const Observation& observation) final;

 protected:
  StrategyBase(Problem problem, Space space);

  // A legal point that IsNew, or nothing: then a random new one is taken. `rng` is the trial's own.
  // Errors: pass through Suggest.
  virtual absl::StatusOr<std::optional<Proposal>> Propose(int trial, Rng& rng) = 0;
  // After the records and pending points changed.
  virtual void OnTell(const Record&) {}

  const Problem& problem() const { return problem_; }
  const Space& space() const { return space_; }
  const std::vector<Record>& records() const { return records_; }
  const std::map<int, Slots>& pending() const { return pending_; }
  bool IsNew(const Slots& slots) const { return seen_.find(slots) == seen_.end(); }

  // Objectives of a record as minimised values; absent where one is missing.
  std::optional<std::vector<double>> Objectives(const Record& record) const;
  double Violation(const Record& record) const { return ConstraintViolation(problem_, record); }

 private:
  absl::StatusOr<Proposal> AnyNew(Rng& rng);
  absl::StatusOr<std::optional<Slots>> NextEnqueued();

  Problem problem_;
  Space space_;
  std::vector<Record> records_;  // in order of Tell
  std::map<int, Slots> pending_;
  std::set<Slots> seen_;
  size_t next_enqueued_ = 0;
  uint64_t enumerated_ = 0;  // all combinations below are seen or illegal
};

// Reads `options` against what a strategy knows. Errors: InvalidArgument: an unknown name (nearest
// known one named) or a value that is no number in [min, max].
struct OptionSpec {
  std::string name;
  double default_value = 0;
  double min = 0;
  double max = 0;
};
absl::StatusOr<std::map<std::string, double>> ReadOptions(const Value& options,
                                                          const std::vector<OptionSpec>& specs);

}  // namespace dovetail::search

#endif  // DOVETAIL_SERVICES_COORDINATOR_SEARCH_STRATEGY_STRATEGY_BASE_H_
