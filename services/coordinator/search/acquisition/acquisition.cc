#include "services/coordinator/search/acquisition/acquisition.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "services/coordinator/search/acquisition/normal.h"

namespace dovetail::search {
namespace {

constexpr double kLogRootTwoPi = 0.91893853320467274178;
// Below this the sum over boxes may have lost terms to underflow.
constexpr double kTiny = 1e-250;

double LogPdf(double u) { return -0.5 * u * u - kLogRootTwoPi; }

// log(exp(x) - exp(y)), x >= y.
double LogDifference(double x, double y) {
  const double d = y - x;
  if (!(d < 0)) return -std::numeric_limits<double>::infinity();
  return x + (d > -0.6931471805599453 ? std::log(-std::expm1(d)) : std::log1p(-std::exp(d)));
}

}  // namespace

double LogIntervalProbability(double a, double b, double* da, double* db) {
  double log_p = 0;
  if (std::isinf(a)) {
    log_p = LogNormalCdf(b);
  } else if (std::isinf(b)) {
    log_p = LogNormalCdf(-a);
  } else if (a > 0) {
    log_p = LogDifference(LogNormalCdf(-a), LogNormalCdf(-b));
  } else {
    log_p = LogDifference(LogNormalCdf(b), LogNormalCdf(a));
  }
  log_p = std::max(log_p, -1e300);
  if (da != nullptr) *da = std::isinf(a) ? 0.0 : -std::exp(std::min(LogPdf(a) - log_p, 700.0));
  if (db != nullptr) *db = std::isinf(b) ? 0.0 : std::exp(std::min(LogPdf(b) - log_p, 700.0));
  return log_p;
}

Acquisition::Acquisition(int objective_count, std::vector<BoxDecomposition> boxes,
                         std::vector<Interval> constraints)
    : objective_count_(objective_count),
      boxes_(std::move(boxes)),
      constraints_(std::move(constraints)) {}

double Acquisition::LogImprovement(const PointPosterior& posterior, int draw,
                                   PointGradient* gradient) const {
  const BoxDecomposition& decomposition = boxes_[draw];
  thread_local std::vector<Eigen::ArrayXd> h, cdf, pdf;
  h.resize(objective_count_);
  cdf.resize(objective_count_);
  pdf.resize(objective_count_);
  for (int k = 0; k < objective_count_; ++k) {
    const std::vector<double>& edges = decomposition.edges[k];
    const Eigen::ArrayXd u =
        (Eigen::Map<const Eigen::ArrayXd>(edges.data(), static_cast<Eigen::Index>(edges.size())) -
         posterior.mean(k, draw)) /
        posterior.deviation[k];
    ImprovementBatch(u, h[k], cdf[k], pdf[k]);
  }
  double sum = 0;
  double factor[8], mean_slope[8], deviation_slope[8];
  double by_mean[8] = {0}, by_deviation[8] = {0};
  for (const BoxDecomposition::Box& box : decomposition.boxes) {
    double product = 1;
    for (int k = 0; k < objective_count_; ++k) {
      const int hi = box.upper[k], lo = box.lower[k];
      factor[k] = posterior.deviation[k] * (lo < 0 ? h[k][hi] : h[k][hi] - h[k][lo]);
      product *= factor[k];
    }
    if (!(product > 0)) continue;
    sum += product;
    if (gradient == nullptr) continue;
    for (int k = 0; k < objective_count_; ++k) {
      const int hi = box.upper[k], lo = box.lower[k];
      mean_slope[k] = -(lo < 0 ? cdf[k][hi] : cdf[k][hi] - cdf[k][lo]);
      deviation_slope[k] = lo < 0 ? pdf[k][hi] : pdf[k][hi] - pdf[k][lo];
      const double rest = product / factor[k];
      by_mean[k] += rest * mean_slope[k];
      by_deviation[k] += rest * deviation_slope[k];
    }
  }
  if (!(sum > kTiny)) return SlowLogImprovement(posterior, draw, gradient);
  if (gradient != nullptr) {
    for (int k = 0; k < objective_count_; ++k) {
      gradient->mean(k, draw) = by_mean[k] / sum;
      gradient->deviation[k] = by_deviation[k] / sum;
    }
  }
  return std::log(sum);
}

// Every factor in logarithms.
double Acquisition::SlowLogImprovement(const PointPosterior& posterior, int draw,
                                       PointGradient* gradient) const {
  const BoxDecomposition& decomposition = boxes_[draw];
  const size_t count = decomposition.boxes.size();
  std::vector<double> logs(count, 0.0);
  double top = -std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < count; ++i) {
    for (int k = 0; k < objective_count_; ++k) {
      const auto& box = decomposition.boxes[i];
      const double mean = posterior.mean(k, draw), deviation = posterior.deviation[k];
      const double hi = LogImprovementH((decomposition.edges[k][box.upper[k]] - mean) / deviation);
      const double lo =
          box.lower[k] < 0
              ? -std::numeric_limits<double>::infinity()
              : LogImprovementH((decomposition.edges[k][box.lower[k]] - mean) / deviation);
      logs[i] += std::log(deviation) + LogDifference(hi, lo);
    }
    top = std::max(top, logs[i]);
  }
  if (gradient != nullptr) {
    gradient->mean.col(draw).head(objective_count_).setZero();
    gradient->deviation.head(objective_count_).setZero();
  }
  if (!std::isfinite(top)) return -1e300;
  double sum = 0;
  for (double log_term : logs) sum += std::exp(log_term - top);
  for (size_t i = 0; i < count && gradient != nullptr; ++i) {
    const double share = std::exp(logs[i] - top) / sum;
    if (share < 1e-12) continue;
    const auto& box = decomposition.boxes[i];
    for (int k = 0; k < objective_count_; ++k) {
      const double mean = posterior.mean(k, draw), deviation = posterior.deviation[k];
      const double a = (decomposition.edges[k][box.upper[k]] - mean) / deviation;
      const double b = box.lower[k] < 0 ? -std::numeric_limits<double>::infinity()
                                        : (decomposition.edges[k][box.lower[k]] - mean) / deviation;
      const double log_h = std::isinf(b) ? LogImprovementH(a)
                                         : LogDifference(LogImprovementH(a), LogImprovementH(b));
      const double log_cdf = LogIntervalProbability(b, a, nullptr, nullptr);
      gradient->mean(k, draw) -= share * std::exp(std::min(600.0, log_cdf - log_h)) / deviation;
      const double density = std::exp(std::min(600.0, LogPdf(a) - log_h)) -
                             (std::isinf(b) ? 0.0 : std::exp(std::min(600.0, LogPdf(b) - log_h)));
      gradient->deviation[k] += share * density / deviation;
    }
  }
  return top + std::log(sum);
}

double Acquisition::Value(const PointPosterior& posterior, PointGradient* gradient) const {
  const auto draws = static_cast<int>(posterior.mean.cols());
  const Eigen::Index outputs = posterior.mean.rows();
  thread_local std::vector<double> logs;
  thread_local Eigen::MatrixXd deviations;  // d log of draw s / d deviation [outputs x S]
  logs.assign(draws, 0.0);
  if (gradient != nullptr) {
    gradient->mean = Eigen::MatrixXd::Zero(outputs, draws);
    gradient->deviation = Eigen::VectorXd::Zero(outputs);
    deviations = Eigen::MatrixXd::Zero(outputs, draws);
  }
  for (int s = 0; s < draws; ++s) {
    if (!boxes_.empty()) {
      if (gradient != nullptr) gradient->deviation.setZero();
      logs[s] = LogImprovement(posterior, s, gradient);
      if (gradient != nullptr) deviations.col(s) = gradient->deviation;
    }
    for (const Interval& interval : constraints_) {
      const double mean = posterior.mean(interval.output, s);
      const double deviation = posterior.deviation[interval.output];
      const double a = (interval.lower - mean) / deviation;
      const double b = (interval.upper - mean) / deviation;
      double da = 0, db = 0;
      logs[s] += LogIntervalProbability(a, b, gradient != nullptr ? &da : nullptr,
                                        gradient != nullptr ? &db : nullptr);
      if (gradient == nullptr) continue;
      gradient->mean(interval.output, s) -= (da + db) / deviation;
      if (da != 0) deviations(interval.output, s) -= da * a / deviation;
      if (db != 0) deviations(interval.output, s) -= db * b / deviation;
    }
  }
  const double top = *std::max_element(logs.begin(), logs.end());
  double sum = 0;
  for (double log_value : logs) sum += std::exp(log_value - top);
  if (gradient != nullptr) {
    gradient->deviation.setZero();
    for (int s = 0; s < draws; ++s) {
      const double share = std::exp(logs[s] - top) / sum;
      gradient->mean.col(s) *= share;
      gradient->deviation += share * deviations.col(s);
    }
  }
  return top + std::log(sum / draws);
}

}  // namespace dovetail::search
