// The normal distribution where acquisitions need it: far into its tails, in logarithms, in
// batches. Called by acquisition and initial; knows nothing else.
//
// For v >= 0 both the Mills ratio R(v) = (1 - Phi(v)) / phi(v) (the scaled erfcx) and
// 1 - v R(v) are Chebyshev series in t = (v - 5) / (v + 5) after multiplying by (1 + v) and
// (1 + v)^2: no cancellation anywhere, relative error below 1e-15 to v = 1e8.
// Source: Ament et al. 2023, "Unexpected improvements to expected improvement", eq. 9 (log EI).
// Departures: the series replaces their three branches.
#ifndef DOVETAIL_SERVICES_COORDINATOR_SEARCH_ACQUISITION_NORMAL_H_
#define DOVETAIL_SERVICES_COORDINATOR_SEARCH_ACQUISITION_NORMAL_H_

#include <Eigen/Core>

namespace dovetail::search {

double NormalPdf(double u);
double NormalCdf(double u);
double LogNormalCdf(double u);
// Phi^-1(p), p in (0,1). Source: Abramowitz and Stegun 26.2.23, then Newton.
double NormalQuantile(double p);

// h(u) = phi(u) + u Phi(u): expected improvement of a unit normal over threshold u; h' = Phi.
double ImprovementH(double u);
double LogImprovementH(double u);

// h, Phi and phi for each of u (all resized). Plain numbers: they underflow below u = -37.
void ImprovementBatch(const Eigen::ArrayXd& u, Eigen::ArrayXd& h, Eigen::ArrayXd& cdf,
                      Eigen::ArrayXd& pdf);

}  // namespace dovetail::search

#endif  // DOVETAIL_SERVICES_COORDINATOR_SEARCH_ACQUISITION_NORMAL_H_
