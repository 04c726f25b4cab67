// How promising points are: the log of expected hypervolume improvement (with one objective:
// expected improvement) times the probability of feasibility, averaged over joint draws of what
// the pending trials will answer. While nothing is feasible: the probability of feasibility alone.
// Called by the Gaussian process strategy; knows no space.
//
// Source: Daulton et al. 2021, "Parallel Bayesian optimization of multiple noisy objectives with
// expected hypervolume improvement"; Ament et al. 2023 (logarithms); Gardner et al. 2014 (PoF).
// Departures: given a draw of the pending outcomes the improvement of the candidate is integrated
// exactly over boxes, so quasi-Monte-Carlo noise is in the pending points only and gradients are
// smooth.
#ifndef DOVETAIL_SERVICES_COORDINATOR_SEARCH_ACQUISITION_ACQUISITION_H_
#define DOVETAIL_SERVICES_COORDINATOR_SEARCH_ACQUISITION_ACQUISITION_H_

#include <Eigen/Core>
#include <vector>

#include "services/coordinator/search/pareto/box_decomposition.h"

namespace dovetail::search {

// Posterior of all outputs at one point under S draws of the pending outcomes. Outputs are the
// objectives (minimised) first, then the constrained ones.
struct PointPosterior {
  Eigen::MatrixXd mean;       // [outputs x S]
  Eigen::VectorXd deviation;  // [outputs]
};

struct PointGradient {
  Eigen::MatrixXd mean;       // d value / d mean [outputs x S]
  Eigen::VectorXd deviation;  // d value / d deviation [outputs]
};

// An outcome must lie between the bounds, in the model's units; infinite where one-sided.
struct Interval {
  int output = 0;
  double lower = 0;
  double upper = 0;
};

// log h of one draw's improvement, boxes and all. Thread-safe.
class Acquisition {
 public:
  // boxes: one decomposition per draw, or empty while nothing is feasible (probability of
  // feasibility alone).
  Acquisition(int objective_count, std::vector<BoxDecomposition> boxes,
              std::vector<Interval> constraints);

  // log of the mean over draws; gradient may be null. Finite for finite input.
  double Value(const PointPosterior& posterior, PointGradient* gradient) const;

 private:
  double LogImprovement(const PointPosterior& posterior, int draw, PointGradient* gradient) const;
  double SlowLogImprovement(const PointPosterior& posterior, int draw,
                            PointGradient* gradient) const;

  int objective_count_;
  std::vector<BoxDecomposition> boxes_;
  std::vector<Interval> constraints_;
};

// log(Phi(b) - Phi(a)) for a < b, exact in both tails; derivatives by a and b where not null.
double LogIntervalProbability(double a, double b, double* da, double* db);

}  // namespace dovetail::search

#endif  // DOVETAIL_SERVICES_COORDINATOR_SEARCH_ACQUISITION_ACQUISITION_H_
