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

// Training is offered where a task that trains is carried. Each known tool is asked for its
// version; one that is absent or does not answer in 10 s is not offered.
Capabilities ProbeCapabilities(const std::vector<std::string>& carried);

// The first word of `text` that starts with a digit and has a point: "Yosys 0.23 (git ...)" is
// 0.23; "" where there is none.
std::string VersionIn(absl::string_view text);

// Implementation versions of the carried tasks, by the catalogue.
std::map<std::string, int> TaskVersions(const std::vector<std::string>& carried);

}  // namespace dovetail::link

#endif  // DOVETAIL_SERVICES_WORKER_LINK_CAPABILITIES_H_
