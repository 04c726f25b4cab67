// A flow as inline SVG: its tasks as boxes in columns, left to right, with their parameters.
#ifndef DOVETAIL_SERVICES_COORDINATOR_WEB_FLOW_PICTURE_H_
#define DOVETAIL_SERVICES_COORDINATOR_WEB_FLOW_PICTURE_H_

#include <string>

#include "common/domain/flow.h"

namespace dovetail::report {

// Reads what the flow says of its order (after, inputs, edges, else the list); edges that lead back
// are drawn dashed. Judges nothing.
std::string FlowSvg(const Flow& flow);

}  // namespace dovetail::report

#endif  // DOVETAIL_SERVICES_COORDINATOR_WEB_FLOW_PICTURE_H_
