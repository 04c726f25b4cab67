// The fixed-point engine: runs a quantised network exactly as its hardware does, batched.
// Called from evaluate, simulate, quantisation-aware training and tests. Accuracy comes from the
// argmax of the logits, first maximum wins.
#ifndef DOVETAIL_SERVICES_WORKER_FIXEDPOINT_ENGINE_H_
#define DOVETAIL_SERVICES_WORKER_FIXEDPOINT_ENGINE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "services/worker/nn/network.h"

namespace dovetail::fixedpoint {

struct EngineOptions {
  int thread_count = 1;
  int64_t batch_count = 1024;  // samples in flight per thread: bounds the memory
  // "": the best this machine has; "baseline", "avx2", "avx512", "avx512_vnni", "reference" for
  // comparisons. Results never depend on it.
  std::string instruction_set;
};

// Immutable after Make; Run is thread-safe.
class Engine {
 public:
  virtual ~Engine() = default;

  // features: [count x input elements], real values, cast to the input type first.
  // Returns raw integers of the logits, [count x output elements]; the real value is
  // raw * 2^-fraction_bits of logits_type().
  // Errors: InvalidArgument: wrong size.
  virtual absl::StatusOr<std::vector<int64_t>> RunRaw(absl::Span<const float> features,
                                                      int64_t count) const = 0;
  // The raw integers of the inputs after the cast to the input type, as hardware receives them.
  virtual absl::StatusOr<std::vector<int64_t>> QuantizeInputs(absl::Span<const float> features,
                                                              int64_t count) const = 0;
  virtual const nn::TensorType& input_type() const = 0;
  virtual const nn::TensorType& logits_type() const = 0;
  virtual int64_t output_count() const = 0;

  // Errors: InvalidArgument: a layer without types (named); Unimplemented: an op (named).
  static absl::StatusOr<std::unique_ptr<Engine>> Make(const nn::Network& network,
                                                      const EngineOptions& options = {});
};

// Float reference through the same IR: logits [count x output elements].
absl::StatusOr<std::vector<float>> RunFloat(const nn::Network& network,
                                            absl::Span<const float> features, int64_t count);

// Exact type of the accumulator of a dense or convolution layer: wide enough for every product and
// sum, in any order, of every input of `input_type` with this layer's weights and bias. May be
// wider than 64 bits (then no fast lanes). Shared by the engine and the hardware lowering.
FixedType ExactAccumulatorType(const nn::Layer& layer, const nn::TensorType& input_type);

}  // namespace dovetail::fixedpoint

#endif  // DOVETAIL_SERVICES_WORKER_FIXEDPOINT_ENGINE_H_
