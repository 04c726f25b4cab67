// An exact Gaussian process of one output: Matern-5/2 with one length scale per group of features,
// plus a linear part (a constant and, where given, the analytic model) and noise. Called by the
// strategies; knows neither spaces nor metrics.
//
//   k(x, x') = s^2 (1 + sqrt5 r + 5/3 r^2) exp(-sqrt5 r) + sum_b w_b^2 h_b(x) h_b(x'),
//   r^2 = sum_j (x_j - x'_j)^2 / l_g(j)^2,  y = f + noise
//
// Source: Rasmussen and Williams 2006, "Gaussian processes for machine learning", eq. 2.30, 5.9,
// sec. 2.7 (linear part); Hvarfner et al. 2024, "Vanilla Bayesian optimization performs great in
// high dimensions" (length-scale prior that grows with the dimension).
#ifndef DOVETAIL_SERVICES_COORDINATOR_SEARCH_SURROGATE_GAUSSIAN_PROCESS_H_
#define DOVETAIL_SERVICES_COORDINATOR_SEARCH_SURROGATE_GAUSSIAN_PROCESS_H_

#include <Eigen/Core>
#include <vector>

namespace dovetail::search {

// All in logarithms. basis[0] is the constant, whose weight stays fixed.
struct GpParameters {
  Eigen::VectorXd log_length;  // by group
  double log_signal = 0;       // log s^2
  double log_noise = -12;      // log of the noise variance
  Eigen::VectorXd log_basis;   // log w_b^2, by basis function after the constant
};

struct GpData {
  Eigen::MatrixXd x;  // [n x features]
  Eigen::MatrixXd h;  // [n x basis], the constant left out; may have no columns
  Eigen::VectorXd y;  // [n], standardised
};

inline constexpr double kConstantWeight = 1.0;  // w^2 of the constant

struct GpPriors {
  double noise_floor = 1e-8;  // variance, of standardised outputs
  double noise_mean = -10;    // of log noise
  double noise_sd = 3;
  double length_mean = 0;  // of log length; set by DefaultPriors
  double length_sd = 1.7320508075688772;
};
// Length scales: LogNormal(sqrt 2 + log(d) / 2, sqrt 3).
GpPriors DefaultPriors(int group_count);
// Lengths at the mode of their prior, unit signal.
GpParameters InitialParameters(int group_count, int basis_count, const GpPriors& priors);

// Negative log posterior density of the parameters and its gradient in the order [log_length,
// log_signal, log_noise, log_basis]. Infinity where the covariance cannot be factored.
double NegativeLogPosterior(const GpData& data, const std::vector<int>& groups,
                            const GpPriors& priors, const GpParameters& parameters,
                            Eigen::VectorXd* gradient);

// The best of L-BFGS runs from the given starts.
GpParameters FitParameters(const GpData& data, const std::vector<int>& groups,
                           const GpPriors& priors, const std::vector<GpParameters>& starts,
                           int max_evaluations, double* best_value = nullptr);

// A fitted process over data that grows by rows. Not thread-safe.
class GaussianProcess {
 public:
  GaussianProcess() = default;
  // Factors the covariance, with growing jitter where needed. Precondition: n >= 1.
  GaussianProcess(GpParameters parameters, const GpData& data, const std::vector<int>& groups);

  int size() const { return size_; }
  const GpParameters& parameters() const { return parameters_; }
  Eigen::VectorXd observed() const { return y_.col(0); }

  // Adds observations, O(n^2) each; equals a new factorisation up to rounding.
  void Append(const GpData& more);

  // Adds rows whose outputs are not known yet: `samples` [S x rows] standard normals turn into S
  // joint draws of their outputs; from here on the process has S means. Returns the draws
  // [S x rows]. At most once; no Append afterwards.
  Eigen::MatrixXd AppendFantasies(const Eigen::MatrixXd& x, const Eigen::MatrixXd& h,
                                  const Eigen::MatrixXd& samples);

  // Posterior of f at m points.
  struct Prediction {
    Eigen::MatrixXd mean;      // [m x S], S = 1 without fantasies
    Eigen::VectorXd variance;  // [m], of f
    // Kept for Gradient:
    Eigen::MatrixXd z;       // scaled features
    Eigen::MatrixXd slope;   // dk / d(r^2) [m x n]
    Eigen::MatrixXd solved;  // K^-1 k [n x m]
  };
  Prediction Predict(const Eigen::MatrixXd& x, const Eigen::MatrixXd& h, bool with_gradient) const;

  // d(sum of mean_weight o mean + variance_weight o variance) / dx [m x features]; the part through
  // the basis functions is added to *h_gradient [m x basis].
  Eigen::MatrixXd Gradient(const Prediction& prediction, const Eigen::MatrixXd& mean_weight,
                           const Eigen::VectorXd& variance_weight,
                           Eigen::MatrixXd* h_gradient) const;

  // Leave-one-out means and variances (of y). Source: Rasmussen and Williams, eq. 5.12.
  void LeaveOneOut(Eigen::VectorXd* mean, Eigen::VectorXd* variance) const;

 private:
  Eigen::MatrixXd Scaled(const Eigen::MatrixXd& x) const;
  Eigen::MatrixXd Cross(const Eigen::MatrixXd& za, const Eigen::MatrixXd& ha,
                        Eigen::MatrixXd* slope) const;
  void AppendRows(const Eigen::MatrixXd& x, const Eigen::MatrixXd& h);
  void Solve();

  GpParameters parameters_;
  std::vector<int> groups_;
  Eigen::RowVectorXd inverse_length_;  // by feature
  Eigen::VectorXd basis_weight_;       // w^2, the constant left out
  double signal_ = 1;
  double noise_ = 0;  // with jitter
  int size_ = 0;
  Eigen::MatrixXd z_;       // [n x features]
  Eigen::MatrixXd h_;       // [n x basis]
  Eigen::MatrixXd factor_;  // lower Cholesky factor [n x n]
  Eigen::MatrixXd y_;       // [n x S]
  Eigen::MatrixXd alpha_;   // K^-1 y [n x S]
  bool stale_ = false;
};

}  // namespace dovetail::search

#endif  // DOVETAIL_SERVICES_COORDINATOR_SEARCH_SURROGATE_GAUSSIAN_PROCESS_H_
