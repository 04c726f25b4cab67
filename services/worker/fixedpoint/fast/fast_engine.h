// The fast engine: tiles of 64 samples in integer lanes as narrow as the ranges allow, vector
// kernels chosen at run time, one thread per run of samples. Bit for bit the reference engine.
#ifndef DOVETAIL_SERVICES_WORKER_FIXEDPOINT_FAST_FAST_ENGINE_H_
#define DOVETAIL_SERVICES_WORKER_FIXEDPOINT_FAST_FAST_ENGINE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "services/worker/fixedpoint/engine.h"

namespace dovetail::fixedpoint {

// Errors: as Engine::Make; Unimplemented also where a layer needs more than 64 bits or has a
// narrower accumulator, which only the reference engine runs.
absl::StatusOr<std::unique_ptr<Engine>> MakeFastEngine(const nn::Network& network,
                                                       const EngineOptions& options = {});

}  // namespace dovetail::fixedpoint

#endif  // DOVETAIL_SERVICES_WORKER_FIXEDPOINT_FAST_FAST_ENGINE_H_
