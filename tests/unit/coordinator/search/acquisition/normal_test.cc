#include "services/coordinator/search/acquisition/normal.h"

#include <gtest/gtest.h>

#include <cmath>
#include <utility>
#include <vector>

namespace dovetail::search {
namespace {

// mpmath, 400 digits (60 and the asymptotic series of erfc below -37):
//   log(exp(-u*u/2)/sqrt(2*pi) + u*erfc(-u/sqrt(2))/2)
TEST(NormalTest, LogImprovementEqualsReferenceDownToMinusAMillion) {
  const std::vector<std::pair<double, double>> reference = {
      {5, 1.6094379231264313851},     {1, 0.080026218849306940029},
      {0, -0.91893853320467274178},   {-0.5, -1.6205162643873199193},
      {-1, -2.4851210257126413368},   {-2.5, -6.2125416454435128635},
      {-6, -22.578879392169797367},   {-12, -77.909100545007348277},
      {-25, -319.86146358149595433},  {-37, -692.64296016327040574},
      {-100, -5010.1295788002497923}, {-1e3, -500014.73445209115845},
      {-1e5, -5000000023.9447894634}, {-1e6, -500000000028.54995965}};
  for (const auto& [u, expected] : reference) {
    EXPECT_NEAR(LogImprovementH(u), expected, 4e-15 * std::max(1.0, std::abs(expected))) << u;
  }
}

// mpmath, 400 digits: log(erfc(-u/sqrt(2))/2)
TEST(NormalTest, LogCdfEqualsReference) {
  const std::vector<std::pair<double, double>> reference = {
      {3, -0.0013508099647481937988}, {0, -0.69314718055994530942},  {-1, -1.8410216450092635058},
      {-5, -15.064998393988725736},   {-20, -203.91715537109726394}, {-37, -689.0305855768905936}};
  for (const auto& [u, expected] : reference) {
    EXPECT_NEAR(LogNormalCdf(u), expected, 2e-15 * std::max(1.0, std::abs(expected))) << u;
  }
}

TEST(NormalTest, BatchEqualsSingleValues) {
  for (int n : {1, 7, 8, 9, 33}) {
    const Eigen::ArrayXd u = Eigen::ArrayXd::LinSpaced(n, -30, 6);
    Eigen::ArrayXd h, cdf, pdf;
    ImprovementBatch(u, h, cdf, pdf);
    for (int i = 0; i < n; ++i) {
      EXPECT_NEAR(h[i] / ImprovementH(u[i]), 1, 1e-13) << u[i];
      EXPECT_NEAR(cdf[i] / NormalCdf(u[i]), 1, 1e-13) << u[i];
      EXPECT_NEAR(pdf[i] / NormalPdf(u[i]), 1, 1e-13) << u[i];
      EXPECT_NEAR(NormalCdf(u[i]), 0.5 * std::erfc(-u[i] / std::sqrt(2.0)), 1e-15);
    }
  }
}

TEST(NormalTest, QuantileInvertsTheCdf) {
  for (double p : {1e-12, 1e-6, 0.01, 0.3, 0.5, 0.7, 0.99, 1 - 1e-9}) {
    EXPECT_NEAR(NormalCdf(NormalQuantile(p)), p, 1e-14 + 1e-10 * p) << p;
  }
}

}  // namespace
}  // namespace dovetail::search
