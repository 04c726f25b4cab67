// The version this binary was built as.
#ifndef DOVETAIL_SERVICES_CLI_VERSION_H_
#define DOVETAIL_SERVICES_CLI_VERSION_H_

namespace dovetail::cli {

inline constexpr char kVersion[] = DOVETAIL_VERSION;

}  // namespace dovetail::cli

#endif  // DOVETAIL_SERVICES_CLI_VERSION_H_
