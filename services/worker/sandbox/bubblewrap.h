// The bubblewrap command line of a cage. Called by run_caged.cc. Runs nothing.
#ifndef DOVETAIL_SERVICES_WORKER_SANDBOX_BUBBLEWRAP_H_
#define DOVETAIL_SERVICES_WORKER_SANDBOX_BUBBLEWRAP_H_

#include <string>
#include <vector>

#include "services/worker/sandbox/run_caged.h"

namespace dovetail::sandbox {

// The arguments of bwrap before the command's own: the system read-only, of /etc only what programs
// need to start (no keys, no tokens), /tmp private, no network, one process tree, no
// capabilities.
// With `own_users` also a user name space in which no other can be made: not every node allows it.
std::vector<std::string> BubblewrapArguments(const CommandSpec& spec,
                                             const std::string& working_directory, bool own_users);

// Whether a path of the node is seen in the cage.
bool VisibleInCage(const CommandSpec& spec, const std::string& path);

}  // namespace dovetail::sandbox

#endif  // DOVETAIL_SERVICES_WORKER_SANDBOX_BUBBLEWRAP_H_
