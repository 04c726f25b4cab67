// Sources: AMD DS180 (7 series), DS190 (Zynq-7000), DS890 (UltraScale, UltraScale+), DS891 (Zynq
// UltraScale+), DS950 (Versal), DS962/DS963/DS965 (Alveo U250/U280/U50: the full device, no shell
// taken off); Lattice FPGA-DS-02012 (ECP5), FPGA-DS-02008 (iCE40 UltraPlus).
#include "common/hardware/device_catalogue.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/nearest.h"

namespace dovetail::hardware {
namespace {

std::vector<Device> MakeCatalogue() {
  constexpr Family k7 = Family::kSeries7;
  constexpr Family kUs = Family::kUltraScale;
  constexpr Family kUsp = Family::kUltraScalePlus;
  // name, family, LUT, FF, DSP, BRAM, URAM, kbits of a BRAM, DSP operand widths
  return {
      {"xcu250", kUsp, 1728000, 3456000, 12288, 2688, 1280, 36, 27, 18},
      {"xcu50", kUsp, 871680, 1743360, 5952, 1344, 640, 36, 27, 18},
      {"xcu55c", kUsp, 1303680, 2607360, 9024, 2016, 960, 36, 27, 18},
      {"xcu200", kUsp, 1182240, 2364480, 6840, 2160, 960, 36, 27, 18},
      {"xcu280", kUsp, 1303680, 2607360, 9024, 2016, 960, 36, 27, 18},
      {"xcku115", kUs, 663360, 1326720, 5520, 2160, 0, 36, 27, 18},
      {"xcvu9p", kUsp, 1182240, 2364480, 6840, 2160, 960, 36, 27, 18},
      {"xcvu13p", kUsp, 1728000, 3456000, 12288, 2688, 1280, 36, 27, 18},
      {"xczu3eg", kUsp, 70560, 141120, 360, 216, 0, 36, 27, 18},
      {"xczu7ev", kUsp, 230400, 460800, 1728, 312, 96, 36, 27, 18},
      {"xczu9eg", kUsp, 274080, 548160, 2520, 912, 0, 36, 27, 18},
      {"xc7z007s", k7, 14400, 28800, 66, 50, 0, 36, 25, 18},
      {"xc7z020", k7, 53200, 106400, 220, 140, 0, 36, 25, 18},
      {"xc7z045", k7, 218600, 437200, 900, 545, 0, 36, 25, 18},
      {"xc7a35t", k7, 20800, 41600, 90, 50, 0, 36, 25, 18},
      {"xc7a100t", k7, 63400, 126800, 240, 135, 0, 36, 25, 18},
      {"xc7a200t", k7, 134600, 269200, 740, 365, 0, 36, 25, 18},
      {"xcvc1902", Family::kVersal, 899840, 1799680, 1968, 967, 463, 36, 27, 24},
      {"lfe5u-85f", Family::kEcp5, 83640, 83640, 156, 208, 0, 18, 18, 18},
      {"ice40up5k", Family::kIce40, 5280, 5280, 8, 30, 0, 4, 16, 16},
  };
}

}  // namespace

absl::string_view FamilyName(Family family) {
  switch (family) {
    case Family::kSeries7:
      return "series7";
    case Family::kUltraScale:
      return "ultrascale";
    case Family::kUltraScalePlus:
      return "ultrascale_plus";
    case Family::kVersal:
      return "versal";
    case Family::kEcp5:
      return "ecp5";
    case Family::kIce40:
      return "ice40";
  }
  return "unknown";
}

const std::vector<Device>& DeviceCatalogue() {
  static const std::vector<Device> catalogue = MakeCatalogue();
  return catalogue;
}

absl::StatusOr<const Device*> FindDevice(absl::string_view part) {
  const std::string wanted = absl::AsciiStrToLower(absl::StripAsciiWhitespace(part));
  const Device* best = nullptr;
  std::vector<std::string> names;
  for (const Device& device : DeviceCatalogue()) {
    names.push_back(device.name);
    if (absl::StartsWith(wanted, device.name) &&
        (best == nullptr || device.name.size() > best->name.size())) {
      best = &device;
    }
  }
  if (best != nullptr) return best;
  const std::string stem = wanted.substr(0, wanted.find('-'));
  return absl::NotFoundError(absl::StrCat("the part \"", part, "\" is unknown; did you mean \"",
                                          NearestName(stem, names),
                                          "\"? Known: ", absl::StrJoin(names, ", ")));
}

}  // namespace dovetail::hardware
