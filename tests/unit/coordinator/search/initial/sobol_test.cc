#include "services/coordinator/search/initial/sobol.h"

#include <gtest/gtest.h>

namespace dovetail::search {
namespace {

// scipy 1.x: scipy.stats.qmc.Sobol(160, scramble=False, bits=32).random(1024)
TEST(SobolTest, PlainSequenceEqualsReference) {
  Sobol sobol(160, 1, false);
  const std::vector<double> expected = {0.875, 0.875, 0.125, 0.375, 0.875,
                                        0.625, 0.875, 0.375, 0.375, 0.125};
  const std::vector<double> point = sobol.Point(5);
  for (int d = 0; d < 10; ++d) EXPECT_EQ(point[d], expected[d]) << d;
  EXPECT_EQ(point[159], 0.125);
  EXPECT_EQ(sobol.Point(7)[100], 0.375);
  const std::vector<double> far = sobol.Point(1000);
  EXPECT_EQ(far[1], 0.0966796875);
  EXPECT_EQ(far[50], 0.3525390625);
  EXPECT_EQ(far[120], 0.2548828125);
  EXPECT_EQ(far[159], 0.1455078125);
}

TEST(SobolTest, ScramblingKeepsOnePointPerStratum) {
  for (uint64_t seed : {1, 2, 3}) {
    Sobol sobol(100, seed);
    std::vector<std::vector<int>> counts(100, std::vector<int>(64, 0));
    for (uint32_t i = 0; i < 64; ++i) {
      const std::vector<double> point = sobol.Point(i);
      for (int d = 0; d < 100; ++d) ++counts[d][static_cast<int>(point[d] * 64)];
    }
    for (const auto& row : counts) {
      for (int count : row) EXPECT_EQ(count, 1);
    }
  }
}

TEST(SobolTest, SeedsDifferAndRepeat) {
  EXPECT_EQ(Sobol(5, 7).Point(3), Sobol(5, 7).Point(3));
  EXPECT_NE(Sobol(5, 7).Point(3), Sobol(5, 8).Point(3));
}

TEST(SobolTest, DimensionsBeyondTheTableAreFilled) {
  const std::vector<double> point = Sobol(300, 7).Point(3);
  ASSERT_EQ(point.size(), 300u);
  EXPECT_NE(point[200], point[201]);
}

}  // namespace
}  // namespace dovetail::search
