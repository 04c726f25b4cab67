#include "services/worker/fixedpoint/engine.h"

#include "services/worker/fixedpoint/reference_engine.h"

namespace dovetail::fixedpoint {

absl::StatusOr<std::unique_ptr<Engine>> Engine::Make(const nn::Network& network,
                                                     const EngineOptions& options) {
  return MakeReferenceEngine(network, options);
}

}  // namespace dovetail::fixedpoint
