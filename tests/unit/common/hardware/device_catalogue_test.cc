#include "common/hardware/device_catalogue.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace dovetail::hardware {
namespace {

using ::dovetail::testing::StatusIs;
using ::testing::HasSubstr;

TEST(DeviceCatalogueTest, PartStringsFindTheirDeviceByPrefix) {
  ASSERT_OK_AND_ASSIGN(const Device* u250, FindDevice("xcu250-figd2104-2L-e"));
  EXPECT_EQ(u250->name, "xcu250");
  EXPECT_EQ(u250->dsp, 12288);
  ASSERT_OK_AND_ASSIGN(const Device* z20, FindDevice("XC7Z020clg400-1"));
  EXPECT_EQ(z20->lut, 53200);
  ASSERT_OK_AND_ASSIGN(const Device* ecp5, FindDevice("LFE5U-85F-6BG381C"));
  EXPECT_EQ(ecp5->family, Family::kEcp5);
  ASSERT_OK_AND_ASSIGN(const Device* u50, FindDevice("xcu50-fsvh2104-2-e"));
  EXPECT_EQ(u50->name, "xcu50");
}

TEST(DeviceCatalogueTest, EveryDeviceIsFoundByItsOwnName) {
  for (const Device& device : DeviceCatalogue()) {
    ASSERT_OK_AND_ASSIGN(const Device* found, FindDevice(device.name));
    EXPECT_EQ(found->name, device.name);
    EXPECT_GT(device.lut, 0);
  }
}

TEST(DeviceCatalogueTest, AnUnknownPartNamesTheNearest) {
  EXPECT_THAT(FindDevice("xc7z021-clg400"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("did you mean \"xc7z020\"")));
}

}  // namespace
}  // namespace dovetail::hardware
