// LUTs a layer will map to, counted on its graph: near exact, since the adders are known.
// Called by the lowering; the estimate fidelity and the analytic model's calibration stand on it.
#ifndef DOVETAIL_SERVICES_WORKER_HARDWARE_LUT_COUNT_H_
#define DOVETAIL_SERVICES_WORKER_HARDWARE_LUT_COUNT_H_

#include <cstdint>
#include <vector>

#include "services/worker/hardware/graph.h"
#include "services/worker/hardware/schedule.h"

namespace dovetail::hardware {

// As the open path's script maps: one LUT for each bit of an adder at which both operands have a
// bit of their own, one for each bit of a clamped or compared result, shift registers from three
// cycles on. `outputs`: nodes that leave the layer.
int64_t CountLuts(const Graph& graph, const std::vector<int>& outputs, const Schedule& schedule);

}  // namespace dovetail::hardware

#endif  // DOVETAIL_SERVICES_WORKER_HARDWARE_LUT_COUNT_H_
