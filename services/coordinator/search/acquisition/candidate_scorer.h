// Scores candidate points for one suggestion: the surrogate conditioned on draws of the pending
// outcomes, the front they leave, and the acquisition over it. Called by the Gaussian process
// strategy, once per suggestion.
#ifndef DOVETAIL_SERVICES_COORDINATOR_SEARCH_ACQUISITION_CANDIDATE_SCORER_H_
#define DOVETAIL_SERVICES_COORDINATOR_SEARCH_ACQUISITION_CANDIDATE_SCORER_H_

#include <Eigen/Core>
#include <memory>
#include <vector>

#include "services/coordinator/search/acquisition/acquisition.h"
#include "services/coordinator/search/surrogate/surrogate_model.h"

namespace dovetail::search {

struct ScorerOptions {
  int draws = 16;                 // of pending outcomes, where there are any
  std::vector<double> reference;  // raw, by objective; NaN or empty: inferred
  uint64_t seed = 1;              // of the draws
};

class CandidateScorer {
 public:
  // Keeps a pointer to the model, which must not change meanwhile.
  CandidateScorer(const SurrogateModel* model, const Problem& problem,
                  const std::vector<Record>& records, const std::vector<Slots>& pending,
                  const ScorerOptions& options);

  // Values, and slopes by slot where wanted [points x slots].
  Eigen::VectorXd Score(const std::vector<Slots>& points, Eigen::MatrixXd* gradients) const;

  // Good points to search around: the feasible front, else the least infeasible.
  const std::vector<Slots>& incumbents() const { return incumbents_; }
  bool anything_feasible() const { return feasible_; }

  // Predicted raw mean of each output at a point (median under a logarithm).
  Value Predicted(const Slots& point) const;

 private:
  void SplitConstraints(const Problem& problem);
  void FindFront(const Problem& problem, const std::vector<Record>& records);
  std::vector<double> Reference(const std::vector<double>& given) const;
  void Condition(const std::vector<Slots>& pending, const ScorerOptions& options);
  Eigen::MatrixXd BasisSlopes(int output, const Slots& point) const;

  const SurrogateModel* model_;
  int objective_count_ = 0;
  std::vector<Interval> intervals_;            // on outputs that improvement does not cover
  std::vector<Interval> objective_intervals_;  // upper bounds on objectives: part of improvement
  std::vector<double> objective_bounds_;       // the same as numbers, infinite where none
  std::vector<std::vector<double>> front_;     // model units, feasible
  std::vector<std::vector<double>> all_;       // model units, all measured
  std::vector<Slots> incumbents_;
  bool feasible_ = false;
  std::vector<GaussianProcess> processes_;  // conditioned
  int draw_count_ = 1;
  std::unique_ptr<Acquisition> acquisition_;
};

}  // namespace dovetail::search

#endif  // DOVETAIL_SERVICES_COORDINATOR_SEARCH_ACQUISITION_CANDIDATE_SCORER_H_
