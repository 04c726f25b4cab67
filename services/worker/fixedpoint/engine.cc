#include "services/worker/fixedpoint/engine.h"

#include "services/worker/fixedpoint/fast/fast_engine.h"
#include "services/worker/fixedpoint/reference_engine.h"

namespace dovetail::fixedpoint {

absl::StatusOr<std::unique_ptr<Engine>> Engine::Make(const nn::Network& network,
                                                     const EngineOptions& options) {
  if (options.instruction_set == "reference") return MakeReferenceEngine(network, options);
  absl::StatusOr<std::unique_ptr<Engine>> fast = MakeFastEngine(network, options);
  if (fast.ok() || !absl::IsUnimplemented(fast.status())) return fast;
  return MakeReferenceEngine(network, options);
}

}  // namespace dovetail::fixedpoint
