// The shape of a flow: edges from what the user wrote, which tasks each fork holds, and the checks
// that need no data: unreachable tasks, cycles without a bound, mixed ways in. Called when a plan
// is made.
#ifndef DOVETAIL_SERVICES_COORDINATOR_FLOW_GRAPH_H_
#define DOVETAIL_SERVICES_COORDINATOR_FLOW_GRAPH_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "services/coordinator/flow/plan.h"

namespace dovetail::flow {

// Fills in edges, and of the nodes: in_edges, out_edges, rule, fork. `index` maps names to nodes.
// Precondition: tasks, kinds, explicit inputs and controls are filled in.
// Errors: InvalidArgument naming the task and its line.
absl::Status BuildGraph(const std::map<std::string, int>& index, std::vector<Node>& nodes,
                        std::vector<Edge>& edges);

// What holds on every way to a node: `added` is what each node adds. Returns what holds
// before each node. Facts are opaque strings; nodes that wait for all inputs have the union of
// their predecessors' facts, others what all of them share.
std::vector<std::set<std::string>> FactsBefore(const std::vector<Node>& nodes,
                                               const std::vector<Edge>& edges,
                                               const std::set<std::string>& at_start,
                                               const std::vector<std::set<std::string>>& added);

}  // namespace dovetail::flow

#endif  // DOVETAIL_SERVICES_COORDINATOR_FLOW_GRAPH_H_
