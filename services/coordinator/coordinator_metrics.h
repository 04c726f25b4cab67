// The coordinator's metrics, read off the leader at every scrape.
#ifndef DOVETAIL_SERVICES_COORDINATOR_COORDINATOR_METRICS_H_
#define DOVETAIL_SERVICES_COORDINATOR_COORDINATOR_METRICS_H_

#include "common/telemetry/metrics.h"
#include "services/coordinator/leader.h"

namespace dovetail {

// `leader` outlives the registry's server.
void ExportLeader(MetricsRegistry& registry, const Leader& leader);

}  // namespace dovetail

#endif  // DOVETAIL_SERVICES_COORDINATOR_COORDINATOR_METRICS_H_
