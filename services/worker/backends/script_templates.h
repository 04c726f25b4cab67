// The tools' script templates, built into the binary from the files beside the backends.
#ifndef DOVETAIL_SERVICES_WORKER_BACKENDS_SCRIPT_TEMPLATES_H_
#define DOVETAIL_SERVICES_WORKER_BACKENDS_SCRIPT_TEMPLATES_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace dovetail::backends {

// File name below backends/ ("yosys/layer.ys.in") -> content.
const std::map<std::string, std::string>& ScriptTemplates();

// The template with every {{NAME}} replaced.
// Errors: NotFound: no such template; InvalidArgument: a name without a value.
absl::StatusOr<std::string> FillTemplate(absl::string_view file,
                                         const std::map<std::string, std::string>& values);

}  // namespace dovetail::backends

#endif  // DOVETAIL_SERVICES_WORKER_BACKENDS_SCRIPT_TEMPLATES_H_
