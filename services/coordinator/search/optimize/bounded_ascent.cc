#include "services/coordinator/search/optimize/bounded_ascent.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace dovetail::search {
namespace {

constexpr double kArmijo = 1e-4;
constexpr int kMaxFailures = 8;      // halvings of one step
constexpr double kSmallStep = 1e-8;  // of a unit box
constexpr double kSmallGain = 1e-7;  // of a logarithm: below, a climb has arrived

}  // namespace

BoundedAscent::BoundedAscent(Eigen::VectorXd start, Eigen::VectorXd lower, Eigen::VectorXd upper)
    : lower_(std::move(lower)), upper_(std::move(upper)), x_(std::move(start)), next_(x_) {
  inverse_hessian_ = Eigen::MatrixXd::Identity(x_.size(), x_.size());
  done_ = x_.size() == 0;
}

void BoundedAscent::Tell(double value, const Eigen::VectorXd& gradient) {
  if (first_) {
    first_ = false;
    value_ = value;
    gradient_ = gradient;
    Direct();
    return;
  }
  const Eigen::VectorXd move = next_ - x_;
  const double expected = gradient_.dot(move);
  if (!std::isfinite(value) || value < value_ + kArmijo * std::max(expected, 0.0) ||
      !gradient.allFinite()) {
    if (++failures_ > kMaxFailures || move.cwiseAbs().maxCoeff() < kSmallStep) {
      done_ = true;
      return;
    }
    // The maximum of the parabola through both values and the slope, kept within reason.
    double shrink = 0.25;
    const double curvature = value - value_ - expected;
    if (std::isfinite(curvature) && curvature < 0) {
      shrink = std::clamp(-expected / (2 * curvature), 0.1, 0.5);
    }
    step_ *= shrink;
    next_ = (x_ + step_ * direction_).cwiseMax(lower_).cwiseMin(upper_);
    return;
  }
  // BFGS on the negated function.
  const Eigen::VectorXd y = gradient_ - gradient;
  const double sy = move.dot(y);
  if (sy > 1e-14 * move.norm() * y.norm()) {
    if (!scaled_) {
      inverse_hessian_ *= sy / y.squaredNorm();
      scaled_ = true;
    }
    const Eigen::VectorXd hy = inverse_hessian_ * y;
    inverse_hessian_ += (1.0 + y.dot(hy) / sy) / sy * move * move.transpose() -
                        (hy * move.transpose() + move * hy.transpose()) / sy;
  }
  const double gain = value - value_;
  x_ = next_;
  value_ = value;
  gradient_ = gradient;
  if (gain < kSmallGain || move.cwiseAbs().maxCoeff() < kSmallStep) {
    done_ = true;
    return;
  }
  Direct();
}

void BoundedAscent::Direct() {
  // Coordinates at a bound that the gradient presses against stay.
  Eigen::VectorXd free = Eigen::VectorXd::Ones(x_.size());
  for (Eigen::Index i = 0; i < x_.size(); ++i) {
    if ((x_[i] <= lower_[i] && gradient_[i] < 0) || (x_[i] >= upper_[i] && gradient_[i] > 0)) {
      free[i] = 0;
    }
  }
  const Eigen::VectorXd pull = gradient_.cwiseProduct(free);
  if (pull.cwiseAbs().maxCoeff() < 1e-9) {
    done_ = true;
    return;
  }
  direction_ = (inverse_hessian_ * pull).cwiseProduct(free);
  if (!scaled_ || direction_.dot(pull) <= 0) {
    direction_ = pull * (0.1 / pull.cwiseAbs().maxCoeff());
    inverse_hessian_.setIdentity();
    scaled_ = false;
  }
  const double longest = direction_.cwiseAbs().maxCoeff();
  if (longest > 0.5) direction_ *= 0.5 / longest;
  step_ = 1;
  failures_ = 0;
  next_ = (x_ + direction_).cwiseMax(lower_).cwiseMin(upper_);
}

}  // namespace dovetail::search
