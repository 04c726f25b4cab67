// Whether a measured design fits the job's part. Pure.
#ifndef DOVETAIL_SERVICES_COORDINATOR_FIT_H_
#define DOVETAIL_SERVICES_COORDINATOR_FIT_H_

#include <string>

#include "absl/strings/str_cat.h"
#include "common/domain/job.h"
#include "common/domain/measurement.h"
#include "common/hardware/device_catalogue.h"

namespace dovetail {

// "" where it does, or where nothing is known against it; else a line for the user.
inline std::string FitsPart(const JobSpec& spec, const Measurement& measurement) {
  const auto device = hardware::FindDevice(spec.part);
  if (!device.ok()) return "";
  const std::pair<const char*, int64_t> totals[] = {{"lut", (*device)->lut},
                                                    {"ff", (*device)->ff},
                                                    {"dsp", (*device)->dsp},
                                                    {"bram", (*device)->bram}};
  for (const auto& [metric, total] : totals) {
    const double used = measurement.Get(metric);
    if (used > spec.fit_margin_fraction * static_cast<double>(total)) {
      return absl::StrCat("does not fit ", (*device)->name, ": ", metric, " ", used, " of ", total,
                          ", at most ", 100 * spec.fit_margin_fraction, " % may be used");
    }
  }
  return "";
}

}  // namespace dovetail

#endif  // DOVETAIL_SERVICES_COORDINATOR_FIT_H_
