// One climb of a smooth function over a box, driven from outside: it says where it wants to know
// the value, and is told. Many climbs advance side by side, so that the model is asked in batches
// (a batch of ten points costs little more than one: the Cholesky factor is read once).
// Called by the acquisition optimiser.
//
// Source: Nocedal and Wright 2006, "Numerical optimization", algorithm 6.1 (BFGS); projection onto
// the box as in Bertsekas 1982, "Projected Newton methods".
#ifndef DOVETAIL_SERVICES_COORDINATOR_SEARCH_OPTIMIZE_BOUNDED_ASCENT_H_
#define DOVETAIL_SERVICES_COORDINATOR_SEARCH_OPTIMIZE_BOUNDED_ASCENT_H_

#include <Eigen/Core>

namespace dovetail::search {

class BoundedAscent {
 public:
  // `start` within [lower, upper].
  BoundedAscent(Eigen::VectorXd start, Eigen::VectorXd lower, Eigen::VectorXd upper);

  bool done() const { return done_; }
  // Where the function is wanted next. Precondition: not done.
  const Eigen::VectorXd& next() const { return next_; }
  void Tell(double value, const Eigen::VectorXd& gradient);

  const Eigen::VectorXd& best() const { return x_; }
  double best_value() const { return value_; }

 private:
  void Direct();

  Eigen::VectorXd lower_, upper_;
  Eigen::VectorXd x_, gradient_, next_, direction_;
  Eigen::MatrixXd inverse_hessian_;  // of the negated function
  double value_ = 0;
  double step_ = 1;
  int failures_ = 0;
  bool first_ = true;
  bool scaled_ = false;
  bool done_ = false;
};

}  // namespace dovetail::search

#endif  // DOVETAIL_SERVICES_COORDINATOR_SEARCH_OPTIMIZE_BOUNDED_ASCENT_H_
