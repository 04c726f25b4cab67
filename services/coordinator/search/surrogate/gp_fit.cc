// Fitting the parameters of a Gaussian process: posterior density, its gradient, L-BFGS.
#include <nlopt.h>

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <limits>

#include "services/coordinator/search/surrogate/gaussian_process.h"

namespace dovetail::search {
namespace {

constexpr double kRoot5 = 2.23606797749978969641;
constexpr double kLogTwoPi = 1.83787706640934548356;
constexpr double kSignalSd = 1.5;  // prior of log signal: N(0, 1.5^2)
constexpr double kBasisMean = -1;  // prior of log w^2 of the analytic model: shrunk
constexpr double kBasisSd = 1.5;

Eigen::VectorXd Pack(const GpParameters& p) {
  Eigen::VectorXd theta(p.log_length.size() + 2 + p.log_basis.size());
  theta << p.log_length, p.log_signal, p.log_noise, p.log_basis;
  return theta;
}

GpParameters Unpack(const Eigen::VectorXd& theta, Eigen::Index groups) {
  GpParameters p;
  p.log_length = theta.head(groups);
  p.log_signal = theta[groups];
  p.log_noise = theta[groups + 1];
  p.log_basis = theta.tail(theta.size() - groups - 2);
  return p;
}

// (x - mean)^2 / (2 sd^2), its derivative added to *d.
double NormalPenalty(double x, double mean, double sd, double* d) {
  const double u = (x - mean) / sd;
  *d += u / sd;
  return 0.5 * u * u;
}

double Penalty(const GpPriors& priors, const GpParameters& p, Eigen::VectorXd* gradient) {
  Eigen::VectorXd d = Eigen::VectorXd::Zero(p.log_length.size() + 2 + p.log_basis.size());
  double sum = 0;
  const Eigen::Index groups = p.log_length.size();
  for (Eigen::Index g = 0; g < groups; ++g) {
    // The log-normal's density over l, not over log l: one more log l.
    sum += NormalPenalty(p.log_length[g], priors.length_mean, priors.length_sd, &d[g]) +
           p.log_length[g];
    d[g] += 1.0;
  }
  sum += NormalPenalty(p.log_signal, 0.0, kSignalSd, &d[groups]);
  sum += NormalPenalty(p.log_noise, priors.noise_mean, priors.noise_sd, &d[groups + 1]);
  for (Eigen::Index b = 0; b < p.log_basis.size(); ++b) {
    sum += NormalPenalty(p.log_basis[b], kBasisMean, kBasisSd, &d[groups + 2 + b]);
  }
  if (gradient != nullptr) *gradient = d;
  return sum;
}

}  // namespace

GpPriors DefaultPriors(int group_count) {
  GpPriors priors;
  priors.length_mean = std::sqrt(2.0) + 0.5 * std::log(std::max(1, group_count));
  return priors;
}

GpParameters InitialParameters(int group_count, int basis_count, const GpPriors& priors) {
  GpParameters p;
  const double mode = priors.length_mean - priors.length_sd * priors.length_sd;
  p.log_length = Eigen::VectorXd::Constant(group_count, mode);
  p.log_noise = std::max(priors.noise_mean, std::log(priors.noise_floor));
  p.log_basis = Eigen::VectorXd::Constant(basis_count, kBasisMean);
  return p;
}

double NegativeLogPosterior(const GpData& data, const std::vector<int>& groups,
                            const GpPriors& priors, const GpParameters& p,
                            Eigen::VectorXd* gradient) {
  const Eigen::Index n = data.x.rows();
  const Eigen::Index group_count = p.log_length.size();
  Eigen::MatrixXd z = (data.x.array() - 0.5).matrix();
  for (Eigen::Index j = 0; j < z.cols(); ++j) z.col(j) *= std::exp(-p.log_length[groups[j]]);
  const double signal = std::exp(p.log_signal);
  const double noise = std::exp(p.log_noise);

  Eigen::MatrixXd r2 = z * z.transpose();
  const Eigen::VectorXd norms = r2.diagonal();
  r2 *= -2.0;
  r2.colwise() += norms;
  r2.rowwise() += norms.transpose();
  const Eigen::ArrayXXd u = r2.array().max(0.0).sqrt() * kRoot5;
  const Eigen::ArrayXXd decay = (-u).exp() * signal;
  const Eigen::MatrixXd matern = ((u * u * (1.0 / 3.0) + u + 1.0) * decay).matrix();
  Eigen::MatrixXd k = matern;
  k.array() += kConstantWeight;
  if (data.h.cols() > 0) {
    k.noalias() += data.h * p.log_basis.array().exp().matrix().asDiagonal() * data.h.transpose();
  }
  k.diagonal().array() += noise;
  const Eigen::LLT<Eigen::MatrixXd> llt(k);
  if (llt.info() != Eigen::Success) return std::numeric_limits<double>::infinity();
  const Eigen::VectorXd alpha = llt.solve(data.y);
  const double log_determinant = 2.0 * llt.matrixLLT().diagonal().array().log().sum();
  const double likelihood =
      0.5 * (data.y.dot(alpha) + log_determinant + static_cast<double>(n) * kLogTwoPi);
  const double value = likelihood + Penalty(priors, p, gradient);
  if (!std::isfinite(value)) return std::numeric_limits<double>::infinity();
  if (gradient == nullptr) return value;

  // d likelihood / d theta = -1/2 tr(W dK), W = alpha alpha' - K^-1.
  Eigen::MatrixXd w = Eigen::MatrixXd::Identity(n, n);
  llt.matrixL().solveInPlace(w);
  Eigen::MatrixXd inverse(n, n);
  inverse.setZero();
  inverse.selfadjointView<Eigen::Lower>().rankUpdate(w.transpose());
  inverse.triangularView<Eigen::StrictlyUpper>() = inverse.transpose();
  w.noalias() = alpha * alpha.transpose();
  w -= inverse;
  // sum_ab M_ab (z_a - z_b)^2 = 2 (z^2 . rowsum(M) - z' M z) for symmetric M: one GEMM for all.
  const Eigen::MatrixXd m = (w.array() * (u + 1.0) * decay * (-5.0 / 6.0)).matrix();
  const Eigen::VectorXd row_sums = m.rowwise().sum();
  const Eigen::MatrixXd mz = m * z;
  for (Eigen::Index j = 0; j < z.cols(); ++j) {
    const double sum = 2.0 * (z.col(j).cwiseAbs2().dot(row_sums) - z.col(j).dot(mz.col(j)));
    (*gradient)[groups[j]] += sum;  // -1/2 * (-2) * sum
  }
  (*gradient)[group_count] -= 0.5 * w.cwiseProduct(matern).sum();
  (*gradient)[group_count + 1] -= 0.5 * noise * w.trace();
  for (Eigen::Index b = 0; b < data.h.cols(); ++b) {
    (*gradient)[group_count + 2 + b] -=
        0.5 * std::exp(p.log_basis[b]) * data.h.col(b).dot(w * data.h.col(b));
  }
  return value;
}

namespace {

struct FitContext {
  const GpData* data;
  const std::vector<int>* groups;
  const GpPriors* priors;
  Eigen::Index group_count;
};

double FitObjective(unsigned n, const double* theta, double* gradient, void* context_pointer) {
  const auto& context = *static_cast<const FitContext*>(context_pointer);
  const Eigen::VectorXd t = Eigen::Map<const Eigen::VectorXd>(theta, n);
  Eigen::VectorXd g;
  const double value =
      NegativeLogPosterior(*context.data, *context.groups, *context.priors,
                           Unpack(t, context.group_count), gradient != nullptr ? &g : nullptr);
  if (!std::isfinite(value)) {
    if (gradient != nullptr) std::fill(gradient, gradient + n, 0.0);
    return 1e10;
  }
  if (gradient != nullptr) Eigen::Map<Eigen::VectorXd>(gradient, n) = g;
  return value;
}

}  // namespace

GpParameters FitParameters(const GpData& data, const std::vector<int>& groups,
                           const GpPriors& priors, const std::vector<GpParameters>& starts,
                           int max_evaluations, double* best_value) {
  FitContext context{&data, &groups, &priors, starts[0].log_length.size()};
  const Eigen::Index group_count = context.group_count;
  Eigen::VectorXd lower = Pack(starts[0]);
  Eigen::VectorXd upper = lower;
  lower.head(group_count).setConstant(std::log(0.025));
  upper.head(group_count).setConstant(std::log(200.0));
  lower[group_count] = -6;
  upper[group_count] = 8;
  lower[group_count + 1] = std::log(priors.noise_floor);
  upper[group_count + 1] = 0;
  lower.tail(lower.size() - group_count - 2).setConstant(-14);
  upper.tail(lower.size() - group_count - 2).setConstant(6);

  GpParameters best = starts[0];
  double best_density = std::numeric_limits<double>::infinity();
  nlopt_opt optimiser = nlopt_create(NLOPT_LD_LBFGS, static_cast<unsigned>(lower.size()));
  nlopt_set_min_objective(optimiser, &FitObjective, &context);
  nlopt_set_lower_bounds(optimiser, lower.data());
  nlopt_set_upper_bounds(optimiser, upper.data());
  nlopt_set_ftol_abs(optimiser, 1e-5);
  nlopt_set_maxeval(optimiser, max_evaluations);
  for (const GpParameters& start : starts) {
    Eigen::VectorXd theta = Pack(start).cwiseMax(lower).cwiseMin(upper);
    double density = 0;
    nlopt_optimize(optimiser, theta.data(), &density);  // a failure leaves the best point so far
    density = NegativeLogPosterior(data, groups, priors, Unpack(theta, group_count), nullptr);
    if (density < best_density) {
      best_density = density;
      best = Unpack(theta, group_count);
    }
  }
  nlopt_destroy(optimiser);
  if (best_value != nullptr) *best_value = best_density;
  return best;
}

}  // namespace dovetail::search
