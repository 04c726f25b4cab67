// The one-dimensional searches of automatic tasks, apart from what they search over.
// Called from automatic prune and scale; knows no network.
#ifndef DOVETAIL_SERVICES_WORKER_TRAIN_AUTO_SEARCH_H_
#define DOVETAIL_SERVICES_WORKER_TRAIN_AUTO_SEARCH_H_

#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "common/domain/value.h"

namespace dovetail::train {

struct SearchStep {
  double point = 0;     // the rate or factor tried
  double accuracy = 0;  // fraction, validation
  bool is_accepted = false;
};

struct SearchTrace {
  std::vector<SearchStep> steps;
  int best = -1;  // index of the step to return; -1: none was accepted

  Value ToTable() const;
  // One line per step: point, a bar of the accuracy between the lowest and the reference, verdict.
  std::string ToPlot(double reference_accuracy) const;
};

struct BisectionOptions {
  double reference_accuracy = 0;  // of the network before
  double tolerance = 0.02;        // absolute drop accepted (alpha_p)
  double resolution = 0.02;       // ends when the next step is smaller (beta_p)
  double start = 0.5;             // first point, in (low, high)
  double low = 0;                 // known to be acceptable
  double high = 1;                // known not to be
  int max_evaluations = 20;
};

// Largest acceptable point, by bisection with explicit bounds. `measure` gives the accuracy there.
// Source: Que et al. 2025 (arXiv 2502.05850), automatic pruning. Departures: the bounds are kept,
// not inferred from the list of points, which returns too low a rate below one half.
absl::StatusOr<SearchTrace> Bisect(const BisectionOptions& options,
                                   const std::function<absl::StatusOr<double>(double)>& measure);

struct DescentOptions {
  double reference_accuracy = 0;
  double tolerance = 0.005;  // absolute drop accepted (alpha_s)
  int patience = 1;          // refused points in a row that end the search
  int max_evaluations = 8;
};

// Goes through `points` in order while they are acceptable; the last accepted one is best.
absl::StatusOr<SearchTrace> Descend(const std::vector<double>& points,
                                    const DescentOptions& options,
                                    const std::function<absl::StatusOr<double>(double)>& measure);

}  // namespace dovetail::train

#endif  // DOVETAIL_SERVICES_WORKER_TRAIN_AUTO_SEARCH_H_
