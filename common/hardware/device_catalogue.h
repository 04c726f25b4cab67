// The devices Dovetail knows: totals and family of each part.
// Called from job validation, lowering, reports and the analytic model. Pure data.
#ifndef DOVETAIL_COMMON_HARDWARE_DEVICE_CATALOGUE_H_
#define DOVETAIL_COMMON_HARDWARE_DEVICE_CATALOGUE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace dovetail::hardware {

enum class Family { kSeries7, kUltraScale, kUltraScalePlus, kVersal, kEcp5, kIce40 };
absl::string_view FamilyName(Family family);  // "ultrascale_plus"

struct Device {
  std::string name;  // "xcu250": a part string starts with it
  Family family = Family::kUltraScalePlus;
  int64_t lut = 0;
  int64_t ff = 0;
  int64_t dsp = 0;
  int64_t bram = 0;  // blocks of bram_kbits
  int64_t uram = 0;
  int bram_kbits = 36;
  // Signed operand widths of one multiplier of a DSP block; 0 where there is none.
  int dsp_wide_bits = 0;
  int dsp_narrow_bits = 0;
};

const std::vector<Device>& DeviceCatalogue();

// The device whose name is the longest prefix of `part` ("xcu250-figd2104-2L-e" -> xcu250; case
// ignored). Errors: NotFound naming the nearest device and the list.
absl::StatusOr<const Device*> FindDevice(absl::string_view part);

}  // namespace dovetail::hardware

#endif  // DOVETAIL_COMMON_HARDWARE_DEVICE_CATALOGUE_H_
