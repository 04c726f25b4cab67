#include "services/coordinator/search/surrogate/gaussian_process.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <limits>

namespace dovetail::search {
namespace {

constexpr double kRoot5 = 2.23606797749978969641;

// r^2 [a x b] between scaled rows; centred first, so that little cancels.
Eigen::MatrixXd SquaredDistances(const Eigen::MatrixXd& za, const Eigen::MatrixXd& zb) {
  Eigen::MatrixXd r2 = za * zb.transpose();
  r2 *= -2.0;
  r2.colwise() += za.rowwise().squaredNorm();
  r2.rowwise() += zb.rowwise().squaredNorm().transpose();
  return r2.cwiseMax(0.0);
}

}  // namespace

GaussianProcess::GaussianProcess(GpParameters parameters, const GpData& data,
                                 const std::vector<int>& groups)
    : parameters_(std::move(parameters)), groups_(groups) {
  inverse_length_.resize(static_cast<Eigen::Index>(groups.size()));
  for (size_t j = 0; j < groups.size(); ++j) {
    inverse_length_[static_cast<Eigen::Index>(j)] = std::exp(-parameters_.log_length[groups[j]]);
  }
  signal_ = std::exp(parameters_.log_signal);
  noise_ = std::exp(parameters_.log_noise);
  basis_weight_ = parameters_.log_basis.array().exp();
  z_.resize(0, data.x.cols());
  h_.resize(0, data.h.cols());
  y_.resize(0, 1);
  const double base_noise = noise_;
  z_ = Scaled(data.x);
  h_ = data.h;
  y_ = data.y;
  size_ = static_cast<int>(data.x.rows());
  Eigen::MatrixXd covariance = Cross(z_, h_, nullptr);
  double jitter = 0;
  for (int attempt = 0; attempt < 8; ++attempt) {
    Eigen::MatrixXd k = covariance;
    k.diagonal().array() += base_noise + jitter;
    Eigen::LLT<Eigen::MatrixXd> llt(k);
    if (llt.info() == Eigen::Success) {
      factor_ = llt.matrixL();
      break;
    }
    jitter = jitter == 0 ? 1e-10 * (signal_ + kConstantWeight) : jitter * 10;
  }
  if (factor_.rows() != size_) {
    factor_ = (covariance.diagonal().array() + base_noise + jitter).sqrt().matrix().asDiagonal();
  }
  noise_ = base_noise + jitter;
  stale_ = true;
  Solve();
}

Eigen::MatrixXd GaussianProcess::Scaled(const Eigen::MatrixXd& x) const {
  return (x.array() - 0.5).matrix() * inverse_length_.asDiagonal();
}

Eigen::MatrixXd GaussianProcess::Cross(const Eigen::MatrixXd& za, const Eigen::MatrixXd& ha,
                                       Eigen::MatrixXd* slope) const {
  const Eigen::MatrixXd r2 = SquaredDistances(za, z_);
  const Eigen::ArrayXXd u = r2.array().sqrt() * kRoot5;
  const Eigen::ArrayXXd decay = (-u).exp() * signal_;
  if (slope != nullptr) *slope = ((u + 1.0) * decay * (-5.0 / 6.0)).matrix();
  Eigen::MatrixXd k = ((u * u * (1.0 / 3.0) + u + 1.0) * decay + kConstantWeight).matrix();
  if (h_.cols() > 0) k.noalias() += ha * basis_weight_.asDiagonal() * h_.transpose();
  return k;
}

void GaussianProcess::Solve() {
  if (!stale_) return;
  alpha_ = factor_.topLeftCorner(size_, size_).triangularView<Eigen::Lower>().solve(y_);
  factor_.topLeftCorner(size_, size_)
      .triangularView<Eigen::Lower>()
      .transpose()
      .solveInPlace(alpha_);
  stale_ = false;
}

// Extends the factor [L 0; B C] by B = K21 L^-T and C C' = K22 - B B'.
void GaussianProcess::AppendRows(const Eigen::MatrixXd& x, const Eigen::MatrixXd& h) {
  const Eigen::MatrixXd z_new = Scaled(x);
  const auto rows = static_cast<int>(x.rows());
  Eigen::MatrixXd b = Cross(z_new, h, nullptr).transpose();  // [n x rows]
  factor_.triangularView<Eigen::Lower>().solveInPlace(b);
  Eigen::MatrixXd old_z = std::move(z_);
  Eigen::MatrixXd old_h = std::move(h_);
  z_ = z_new;
  h_ = h;
  Eigen::MatrixXd corner = Cross(z_new, h, nullptr);
  corner.noalias() -= b.transpose() * b;
  z_.resize(size_ + rows, old_z.cols());
  z_ << old_z, z_new;
  h_.resize(size_ + rows, old_h.cols());
  if (old_h.cols() > 0) h_ << old_h, h;
  Eigen::MatrixXd small;
  double jitter = 0;
  for (int attempt = 0; attempt < 12; ++attempt) {
    Eigen::MatrixXd k = corner;
    k.diagonal().array() += noise_ + jitter;
    Eigen::LLT<Eigen::MatrixXd> llt(k);
    if (llt.info() == Eigen::Success && llt.matrixLLT().diagonal().minCoeff() > 1e-12) {
      small = llt.matrixL();
      break;
    }
    jitter = jitter == 0 ? 1e-10 * (signal_ + kConstantWeight) : jitter * 10;
  }
  if (small.rows() != rows) small = Eigen::MatrixXd::Identity(rows, rows);
  Eigen::MatrixXd grown = Eigen::MatrixXd::Zero(size_ + rows, size_ + rows);
  grown.topLeftCorner(size_, size_) = factor_;
  grown.bottomLeftCorner(rows, size_) = b.transpose();
  grown.bottomRightCorner(rows, rows) = small;
  factor_ = std::move(grown);
  size_ += rows;
}

void GaussianProcess::Append(const GpData& more) {
  for (Eigen::Index i = 0; i < more.x.rows(); ++i) {
    AppendRows(more.x.row(i), more.h.row(i));
    y_.conservativeResize(size_, 1);
    y_(size_ - 1, 0) = more.y[i];
  }
  stale_ = true;
  Solve();
}

Eigen::MatrixXd GaussianProcess::AppendFantasies(const Eigen::MatrixXd& x, const Eigen::MatrixXd& h,
                                                 const Eigen::MatrixXd& samples) {
  const Prediction prediction = Predict(x, h, false);
  const int before = size_;
  AppendRows(x, h);
  const Eigen::Index rows = x.rows();
  const Eigen::MatrixXd corner = factor_.bottomRightCorner(rows, rows);
  Eigen::MatrixXd draws =
      samples * corner.triangularView<Eigen::Lower>().toDenseMatrix().transpose();
  draws.rowwise() += prediction.mean.col(0).transpose();
  const Eigen::VectorXd known = y_.col(0);
  y_.resize(size_, samples.rows());
  y_.topRows(before) = known.replicate(1, samples.rows());
  y_.bottomRows(rows) = draws.transpose();
  stale_ = true;
  Solve();
  return draws;
}

GaussianProcess::Prediction GaussianProcess::Predict(const Eigen::MatrixXd& x,
                                                     const Eigen::MatrixXd& h,
                                                     bool with_gradient) const {
  Prediction prediction;
  prediction.z = Scaled(x);
  const Eigen::MatrixXd k = Cross(prediction.z, h, with_gradient ? &prediction.slope : nullptr);
  prediction.mean.noalias() = k * alpha_;
  Eigen::MatrixXd v = k.transpose();
  factor_.triangularView<Eigen::Lower>().solveInPlace(v);
  Eigen::VectorXd prior = Eigen::VectorXd::Constant(x.rows(), signal_ + kConstantWeight);
  if (h.cols() > 0) prior += h.cwiseAbs2() * basis_weight_;
  prediction.variance =
      (prior - v.colwise().squaredNorm().transpose()).cwiseMax(1e-12 * signal_ + 1e-300);
  if (with_gradient) {
    factor_.triangularView<Eigen::Lower>().transpose().solveInPlace(v);
    prediction.solved = std::move(v);
  }
  return prediction;
}

Eigen::MatrixXd GaussianProcess::Gradient(const Prediction& prediction,
                                          const Eigen::MatrixXd& mean_weight,
                                          const Eigen::VectorXd& variance_weight,
                                          Eigen::MatrixXd* h_gradient) const {
  // d value / dk, rows are points.
  Eigen::MatrixXd weight = mean_weight * alpha_.transpose();
  weight.noalias() -= 2.0 * variance_weight.asDiagonal() * prediction.solved.transpose();
  if (h_.cols() > 0 && h_gradient != nullptr) {
    *h_gradient += weight * h_ * basis_weight_.asDiagonal();
  }
  const Eigen::MatrixXd m = weight.cwiseProduct(prediction.slope);
  Eigen::MatrixXd gradient = m.rowwise().sum().asDiagonal() * prediction.z;
  gradient.noalias() -= m * z_;
  return 2.0 * gradient * inverse_length_.asDiagonal();
}

void GaussianProcess::LeaveOneOut(Eigen::VectorXd* mean, Eigen::VectorXd* variance) const {
  Eigen::MatrixXd inverse = Eigen::MatrixXd::Identity(size_, size_);
  factor_.triangularView<Eigen::Lower>().solveInPlace(inverse);
  const Eigen::VectorXd diagonal = inverse.colwise().squaredNorm();
  *variance = diagonal.cwiseInverse();
  *mean = y_.col(0) - (alpha_.col(0).array() / diagonal.array()).matrix();
}

}  // namespace dovetail::search
