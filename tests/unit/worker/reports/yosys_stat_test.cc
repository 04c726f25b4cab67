#include "services/worker/reports/yosys_stat.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace dovetail::reports {
namespace {

using ::dovetail::testing::StatusIs;
using ::testing::HasSubstr;

// As Yosys 0.23 prints it.
constexpr char kReport[] = R"(
22. Printing statistics.

=== add_s4_s4_5 ===

   Number of wires:                  7
   Number of wire bits:             31
   Number of cells:                  6
     CARRY4                          2
     LUT2                            4

=== layer1 ===

   Number of wires:                513
   Number of memories:               0
   Number of cells:                 99
     FDRE                           30
     FDSE                            2
     INV                             3
     LUT4                            5
     LUT6                           10
     MUXF7                           2
     RAM32M                          3
     RAMB18E2                        3
     SRL16E                          4
     add_s4_s4_5                    40

=== design hierarchy ===

   layer1                            1
)";

TEST(YosysStatTest, CellsAreReadModuleByModule) {
  ASSERT_OK_AND_ASSIGN(const auto modules, ParseYosysStat(kReport));
  ASSERT_EQ(modules.size(), 2);
  EXPECT_EQ(modules.at("add_s4_s4_5"), (CellCounts{{"CARRY4", 2}, {"LUT2", 4}}));
  CellCounts instances;
  const XilinxUsage usage = UsageOf(modules.at("layer1"), &instances);
  EXPECT_EQ(usage.lut_logic, 15);
  EXPECT_EQ(usage.inverters, 3);
  EXPECT_EQ(usage.lut_ram, 12);
  EXPECT_EQ(usage.lut_shift, 4);
  EXPECT_EQ(usage.Lut(), 34);
  EXPECT_EQ(usage.wide_mux, 2);
  EXPECT_EQ(usage.ff, 32);
  EXPECT_EQ(usage.bram, 1.5);
  EXPECT_EQ(instances, (CellCounts{{"add_s4_s4_5", 40}}));
}

TEST(YosysStatTest, GarbageIsDataLoss) {
  EXPECT_THAT(ParseYosysStat("Segmentation fault"),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("no module")));
  EXPECT_THAT(ParseYosysStat("=== m ===\n   Number of cells:   1\n     LUT2   many\n"),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("many")));
}

}  // namespace
}  // namespace dovetail::reports
