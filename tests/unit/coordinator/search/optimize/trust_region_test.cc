#include "services/coordinator/search/optimize/trust_region.h"

#include <gtest/gtest.h>

namespace dovetail::search {
namespace {

TEST(TrustRegionTest, GrowsWithSuccessAndShrinksWithFailure) {
  EXPECT_EQ(TrustRegionSide({}, 5), 0.8);
  EXPECT_EQ(TrustRegionSide({true, true, true}, 5), 1.6);
  EXPECT_EQ(TrustRegionSide(std::vector<bool>(5, false), 5), 0.4);
  EXPECT_EQ(TrustRegionSide(std::vector<bool>(10, false), 5), 0.2);
  EXPECT_EQ(TrustRegionSide(std::vector<bool>(35, false), 5), 0.8);  // shrunk away: anew
}

TEST(TrustRegionTest, BoxFollowsLengthScalesAndStaysInTheCube) {
  const Eigen::Vector2d lengths(0.5, 2.0);
  const Box box = TrustRegionBox({0.5, 0.95}, lengths, 0.2);
  EXPECT_NEAR(box.upper[0] - box.lower[0], 0.1, 1e-12);
  EXPECT_NEAR(box.lower[1], 0.95 - 0.2, 1e-12);
  EXPECT_EQ(box.upper[1], 1.0);
}

}  // namespace
}  // namespace dovetail::search
