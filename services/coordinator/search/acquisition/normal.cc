#include "services/coordinator/search/acquisition/normal.h"

#include <algorithm>
#include <cmath>

namespace dovetail::search {
namespace {

constexpr double kLogRootTwoPi = 0.91893853320467274178;
constexpr double kInverseRootTwoPi = 0.39894228040143267794;
constexpr double kCentre = 5.0;

// mpmath, 60 digits: Chebyshev coefficients of R(v) (1 + v) and (1 - v R(v)) (1 + v)^2 in
// t = (v - 5) / (v + 5), by the discrete cosine transform at 80 nodes.
// clang-format off
constexpr double kMills[] = {
    1.1579976221305187, -1.6334493884513979e-1, -1.3683136055781576e-2, 3.082200019810004e-2,
    -1.6220073012046807e-2, 5.6166910164600935e-3, -1.4133933783549216e-3, 2.5026254607256607e-4,
    -2.468907239728387e-5, -1.0107964061837592e-6, 7.4954191797405729e-7, -7.6002742687283369e-8,
    -1.1574771441328645e-8, 3.3333864725998431e-9, 7.538039628171347e-11, -1.1104247263727494e-10,
    3.5092437765510588e-12, 3.6894953861750954e-12, -2.3376697776383094e-13, -1.3271797523541405e-13,
    9.9217069958882766e-15, 5.2760049954553791e-15, -3.3730976941879218e-16, -2.2804338776379946e-16,
    7.4963305658086264e-18, 1.0328041877290668e-17, 1.4940578561247513e-19};
constexpr double kGain[] = {
    1.1786939013866437, -1.0125727962799317e-1, -1.4865546208521887e-1, 9.8168487785801516e-2,
    -3.1717988981526068e-2, 4.1183803066302062e-3, 1.3840174983079265e-3, -9.8383403534953123e-4,
    2.9489504920453161e-4, -4.7092601951401714e-5, 8.5900292729208072e-7, 1.3554619080433913e-6,
    -2.3147555595831768e-7, -1.7075440607920012e-8, 9.9493628738662352e-9, -2.4106464654592277e-10,
    -3.5666175303257516e-10, 2.8945226947362404e-11, 1.3016100717797054e-11, -1.5524538138949634e-12,
    -5.2209306303151938e-13, 6.9501846119013344e-14, 2.3459444607000382e-14, -2.7718859734446793e-15,
    -1.1544282194411683e-15, 9.1160452744461335e-17, 5.9551597630848375e-17, -1.4216719997436313e-18,
    -3.0664098216468804e-18};
// clang-format on

// Clenshaw's recurrence; T is double or an Eigen array.
template <typename T, int N>
T Series(const double (&c)[N], const T& t) {
  T b1 = t * 0.0;
  T b2 = b1;
  const T twice = t * 2.0;
  for (int k = N - 1; k >= 1; --k) {
    const T b0 = twice * b1 - b2 + c[k];
    b2 = b1;
    b1 = b0;
  }
  return t * b1 - b2 + c[0];
}

double Mills(double v) { return Series(kMills, (v - kCentre) / (v + kCentre)) / (1.0 + v); }
double Gain(double v) {
  return Series(kGain, (v - kCentre) / (v + kCentre)) / ((1.0 + v) * (1.0 + v));
}

}  // namespace

double NormalPdf(double u) { return kInverseRootTwoPi * std::exp(-0.5 * u * u); }

double NormalCdf(double u) {
  const double tail = NormalPdf(u) * Mills(std::abs(u));
  return u < 0 ? tail : 1.0 - tail;
}

double LogNormalCdf(double u) {
  if (u >= 0) return std::log1p(-NormalPdf(u) * Mills(u));
  return -0.5 * u * u - kLogRootTwoPi + std::log(Mills(-u));
}

double ImprovementH(double u) {
  const double low = NormalPdf(u) * Gain(std::abs(u));
  return u < 0 ? low : u + low;
}

double LogImprovementH(double u) {
  if (u >= 0) return std::log(ImprovementH(u));
  return -0.5 * u * u - kLogRootTwoPi + std::log(Gain(-u));
}

void ImprovementBatch(const Eigen::ArrayXd& u, Eigen::ArrayXd& h, Eigen::ArrayXd& cdf,
                      Eigen::ArrayXd& pdf) {
  using Packet = Eigen::Array<double, 8, 1>;
  const Eigen::Index n = u.size();
  h.resize(n);
  cdf.resize(n);
  pdf.resize(n);
  // Whole packets only, the last one padded, so that a number never depends on its place.
  for (Eigen::Index i = 0; i < n; i += 8) {
    const Eigen::Index count = std::min<Eigen::Index>(8, n - i);
    Packet x = Packet::Zero();
    x.head(count) = u.segment(i, count);
    const Packet v = x.abs().min(1e150);
    const Packet t = (v - kCentre) / (v + kCentre);
    const Packet density = (v * v * -0.5).exp() * kInverseRootTwoPi;
    const Packet inverse = (v + 1.0).inverse();
    const Packet tail = density * Series(kMills, t) * inverse;
    const Packet low = density * Series(kGain, t) * inverse * inverse;
    const Packet p = (x < 0.0).select(tail, 1.0 - tail);
    const Packet gain = (x < 0.0).select(low, x + low);
    h.segment(i, count) = gain.head(count);
    cdf.segment(i, count) = p.head(count);
    pdf.segment(i, count) = density.head(count);
  }
}

double NormalQuantile(double p) {
  // Abramowitz and Stegun 26.2.23 as a start (4.5e-4), then Newton to full precision.
  const bool upper = p > 0.5;
  const double q = std::max(upper ? 1.0 - p : p, 1e-300);
  const double r = std::sqrt(-2.0 * std::log(q));
  double x = -(r - (2.515517 + r * (0.802853 + r * 0.010328)) /
                       (1.0 + r * (1.432788 + r * (0.189269 + r * 0.001308))));
  for (int i = 0; i < 4; ++i) {
    // On log Phi, whose curvature is mild even far out.
    const double log_cdf = LogNormalCdf(x);
    x -= (log_cdf - std::log(q)) * Mills(-x);
  }
  return upper ? -x : x;
}

}  // namespace dovetail::search
