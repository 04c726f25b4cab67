#include "services/coordinator/search/acquisition/candidate_scorer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "services/coordinator/search/acquisition/normal.h"
#include "services/coordinator/search/initial/sobol.h"
#include "services/coordinator/search/pareto_front.h"

namespace dovetail::search {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// While nothing is feasible: what spread is worth beside log probability.
constexpr double kExplorationWeight = 0.1;
// Of labels -1 (refused) and +1: above this a point counts as accepted. A little to the safe side:
// a refusal costs a trial and teaches no values.
constexpr double kAccepted = 0.2;
constexpr int kMaxFront = 60;  // points that boxes are built from

std::vector<Goal> AllMinimised(size_t count) { return std::vector<Goal>(count, Goal::kMinimize); }

// Standard normals [draws x count].
Eigen::MatrixXd QuasiNormals(int draws, int count, uint64_t seed) {
  const Sobol sobol(count, seed);
  Eigen::MatrixXd normals(draws, count);
  for (int s = 0; s < draws; ++s) {
    const std::vector<double> point = sobol.Point(static_cast<uint32_t>(s));
    for (int j = 0; j < count; ++j) {
      normals(s, j) = NormalQuantile(std::clamp(point[j], 1e-9, 1.0 - 1e-9));
    }
  }
  return normals;
}

}  // namespace

CandidateScorer::CandidateScorer(const SurrogateModel* model, const Problem& problem,
                                 const std::vector<Record>& records,
                                 const std::vector<Slots>& pending, const ScorerOptions& options)
    : model_(model), objective_count_(static_cast<int>(problem.objectives.size())) {
  SplitConstraints(problem);
  FindFront(problem, records);
  for (size_t k = 0; k < model->outputs().size(); ++k) {
    processes_.push_back(model->process(static_cast<int>(k)));
  }
  Condition(pending, options);
}

// A bound on the bad side of an objective is part of its improvement (points beyond it improve
// nothing); all else is a probability of its own.
void CandidateScorer::SplitConstraints(const Problem& problem) {
  objective_bounds_.assign(objective_count_, kInfinity);
  for (const Constraint& constraint : problem.constraints) {
    for (size_t k = 0; k < model_->outputs().size(); ++k) {
      const OutputSpec& spec = model_->outputs()[k];
      if (spec.acceptance || spec.metric != constraint.metric) continue;
      const OutputTransform& transform = model_->fitted(static_cast<int>(k)).transform;
      double lower = constraint.at_least ? transform.Forward(*constraint.at_least)
                                         : -kInfinity * transform.sign;
      double upper =
          constraint.at_most ? transform.Forward(*constraint.at_most) : kInfinity * transform.sign;
      if (lower > upper) std::swap(lower, upper);
      const int output = static_cast<int>(k);
      if (!spec.objective) {
        intervals_.push_back({output, lower, upper});
        continue;
      }
      if (std::isfinite(lower)) intervals_.push_back({output, lower, kInfinity});
      if (std::isfinite(upper)) {
        objective_intervals_.push_back({output, -kInfinity, upper});
        objective_bounds_[k] = std::min(objective_bounds_[k], upper);
      }
    }
  }
  for (size_t k = 0; k < model_->outputs().size(); ++k) {
    if (model_->outputs()[k].acceptance)
      intervals_.push_back({static_cast<int>(k), kAccepted, kInfinity});
  }
}

void CandidateScorer::FindFront(const Problem& problem, const std::vector<Record>& records) {
  std::vector<std::vector<double>> feasible;
  std::vector<const Record*> owners;
  const Record* nearest = nullptr;
  double least = kInfinity;
  for (const Record& record : records) {
    std::vector<double> values;
    for (int k = 0; k < objective_count_; ++k) {
      const std::optional<double> raw = OutputValue(model_->outputs()[k], record);
      if (raw) values.push_back(model_->Transformed(k, *raw));
    }
    const bool whole = static_cast<int>(values.size()) == objective_count_;
    if (whole) all_.push_back(values);
    const double v = ConstraintViolation(problem, record);
    if (v == 0 && whole) {
      feasible.push_back(values);
      owners.push_back(&record);
    } else if (v < least) {
      least = v;
      nearest = &record;
    }
  }
  feasible_ = !feasible.empty();
  for (int index : ParetoFront(feasible, AllMinimised(objective_count_))) {
    front_.push_back(feasible[index]);
    incumbents_.push_back(owners[index]->slots);
  }
  if (!feasible_ && nearest != nullptr) incumbents_.push_back(nearest->slots);
}

std::vector<double> CandidateScorer::Reference(const std::vector<double>& given) const {
  std::vector<double> reference(objective_count_);
  for (int k = 0; k < objective_count_; ++k) {
    double best = kInfinity, worst = -kInfinity, worst_of_all = -kInfinity;
    for (const auto& value : front_) {
      best = std::min(best, value[k]);
      worst = std::max(worst, value[k]);
    }
    for (const auto& value : all_) worst_of_all = std::max(worst_of_all, value[k]);
    const double range = worst > best ? worst - best : std::max(worst_of_all - best, 0.1);
    reference[k] = worst + std::max(0.1 * range, 0.5 * (worst_of_all - worst));
    if (objective_count_ == 1) reference[k] = worst;
    if (static_cast<int>(given.size()) == objective_count_ && std::isfinite(given[k])) {
      reference[k] = model_->fitted(k).transform.Forward(given[k]);
    }
    reference[k] = std::min(reference[k], objective_bounds_[k]);
  }
  return reference;
}

void CandidateScorer::Condition(const std::vector<Slots>& pending, const ScorerOptions& options) {
  const auto outputs = static_cast<int>(processes_.size());
  const auto waiting = static_cast<int>(pending.size());
  std::vector<Eigen::MatrixXd> draws(outputs);
  if (waiting > 0) {
    draw_count_ = std::max(1, options.draws);
    const Eigen::MatrixXd normals = QuasiNormals(draw_count_, waiting * outputs, options.seed);
    const Eigen::MatrixXd x = model_->features().Map(pending);
    for (int k = 0; k < outputs; ++k) {
      draws[k] = processes_[k].AppendFantasies(x, model_->Basis(k, pending),
                                               normals.middleCols(k * waiting, waiting));
    }
  }
  std::vector<Interval> intervals = intervals_;
  std::vector<BoxDecomposition> boxes;
  if (!feasible_) {
    intervals.insert(intervals.end(), objective_intervals_.begin(), objective_intervals_.end());
  } else {
    const std::vector<double> reference = Reference(options.reference);
    for (int s = 0; s < draw_count_; ++s) {
      std::vector<std::vector<double>> points = front_;
      for (int j = 0; j < waiting; ++j) {
        bool feasible = true;
        for (const Interval& interval : intervals_) {
          const double value = draws[interval.output](s, j);
          feasible = feasible && value >= interval.lower && value <= interval.upper;
        }
        if (!feasible) continue;
        std::vector<double> point;
        for (int k = 0; k < objective_count_; ++k) point.push_back(draws[k](s, j));
        points.push_back(std::move(point));
      }
      std::vector<std::vector<double>> front;
      for (int index : ParetoFront(points, AllMinimised(objective_count_))) {
        front.push_back(points[index]);
      }
      if (static_cast<int>(front.size()) > kMaxFront) {
        // Every so-manieth along the first objective: the region lost is thin.
        std::sort(front.begin(), front.end());
        std::vector<std::vector<double>> thinned;
        for (int i = 0; i < kMaxFront; ++i) {
          thinned.push_back(front[static_cast<size_t>(i) * (front.size() - 1) / (kMaxFront - 1)]);
        }
        front = std::move(thinned);
      }
      boxes.push_back(DecomposeNonDominated(front, reference));
    }
  }
  acquisition_ =
      std::make_unique<Acquisition>(objective_count_, std::move(boxes), std::move(intervals));
}

// d basis / d slot of the continuous slots, by differences [slots].
Eigen::MatrixXd CandidateScorer::BasisSlopes(int output, const Slots& point) const {
  constexpr double kStep = 1e-5;
  Eigen::MatrixXd slopes = Eigen::MatrixXd::Zero(static_cast<Eigen::Index>(point.size()), 1);
  const double centre = model_->Basis(output, {point})(0, 0);
  for (const Dimension& d : model_->space().dimensions()) {
    if (!d.is_continuous() || point[d.slot] == kInactive) continue;
    const double step = point[d.slot] > 0.5 ? -kStep : kStep;
    Slots moved = point;
    moved[d.slot] += step;
    slopes(d.slot, 0) = (model_->Basis(output, {moved})(0, 0) - centre) / step;
  }
  return slopes;
}

Eigen::VectorXd CandidateScorer::Score(const std::vector<Slots>& points,
                                       Eigen::MatrixXd* gradients) const {
  const auto count = static_cast<Eigen::Index>(points.size());
  const auto outputs = static_cast<Eigen::Index>(processes_.size());
  const bool with_gradient = gradients != nullptr;
  const Eigen::MatrixXd x = model_->features().Map(points);
  std::vector<GaussianProcess::Prediction> predictions;
  for (Eigen::Index k = 0; k < outputs; ++k) {
    predictions.push_back(
        processes_[k].Predict(x, model_->Basis(static_cast<int>(k), points), with_gradient));
  }
  Eigen::VectorXd values(count);
  std::vector<Eigen::MatrixXd> mean_weights(outputs, Eigen::MatrixXd(count, draw_count_));
  Eigen::MatrixXd variance_weights(count, outputs);
  PointPosterior posterior{Eigen::MatrixXd(outputs, draw_count_), Eigen::VectorXd(outputs)};
  PointGradient gradient;
  for (Eigen::Index i = 0; i < count; ++i) {
    for (Eigen::Index k = 0; k < outputs; ++k) {
      posterior.mean.row(k) = predictions[k].mean.row(i);
      posterior.deviation[k] = std::sqrt(predictions[k].variance[i]);
    }
    values[i] = acquisition_->Value(posterior, with_gradient ? &gradient : nullptr);
    if (!feasible_) {
      for (Eigen::Index k = 0; k < outputs; ++k) {
        const double weight = kExplorationWeight / static_cast<double>(outputs);
        values[i] += weight * std::log(posterior.deviation[k]);
        if (with_gradient) gradient.deviation[k] += weight / posterior.deviation[k];
      }
    }
    if (!with_gradient) continue;
    for (Eigen::Index k = 0; k < outputs; ++k) {
      mean_weights[k].row(i) = gradient.mean.row(k);
      variance_weights(i, k) = gradient.deviation[k] / (2.0 * posterior.deviation[k]);
    }
  }
  if (!with_gradient) return values;
  gradients->setZero(count, model_->space().slot_count());
  Eigen::MatrixXd by_feature = Eigen::MatrixXd::Zero(count, x.cols());
  for (Eigen::Index k = 0; k < outputs; ++k) {
    const bool has_basis = model_->fitted(static_cast<int>(k)).uses_prior_mean;
    Eigen::MatrixXd by_basis = Eigen::MatrixXd::Zero(count, has_basis ? 1 : 0);
    by_feature +=
        processes_[k].Gradient(predictions[k], mean_weights[k], variance_weights.col(k), &by_basis);
    for (Eigen::Index i = 0; i < count && has_basis; ++i) {
      gradients->row(i) +=
          by_basis(i, 0) * BasisSlopes(static_cast<int>(k), points[i]).col(0).transpose();
    }
  }
  for (Eigen::Index i = 0; i < count; ++i) {
    gradients->row(i) += model_->features().PullBack(points[i], by_feature.row(i)).transpose();
  }
  return values;
}

Value CandidateScorer::Predicted(const Slots& point) const {
  Value predicted;
  const Eigen::MatrixXd x = model_->features().Map({point});
  for (size_t k = 0; k < processes_.size(); ++k) {
    const int output = static_cast<int>(k);
    const auto prediction =
        model_->process(output).Predict(x, model_->Basis(output, {point}), false);
    predicted.Set(model_->outputs()[k].metric,
                  model_->fitted(output).transform.Backward(prediction.mean(0, 0)));
  }
  return predicted;
}

}  // namespace dovetail::search
