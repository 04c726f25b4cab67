// What this machine offers: tools with their versions, training. Called by the daemon at start.
#ifndef DOVETAIL_SERVICES_WORKER_LINK_CAPABILITIES_H_
#define DOVETAIL_SERVICES_WORKER_LINK_CAPABILITIES_H_

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace dovetail::link {

struct Capabilities {
  std::vector<std::string> names;            // "train", "yosys", ...
  std::map<std::string, std::string> tools;  // "yosys" -> "0.23"
};

// Asks each known tool for its version; one that is absent or does not answer in 10 s is not
// offered.
Capabilities ProbeCapabilities(bool can_train);

// The first word of `text` that starts with a digit and has a point: "Yosys 0.23 (git ...)" is
// 0.23; "" where there is none.
std::string VersionIn(absl::string_view text);

// Implementation versions of the tasks this worker can run, by the catalogue: those of `carried`,
// and the training tasks where can_train.
std::map<std::string, int> TaskVersions(const std::vector<std::string>& carried, bool can_train);

}  // namespace dovetail::link

#endif  // DOVETAIL_SERVICES_WORKER_LINK_CAPABILITIES_H_
