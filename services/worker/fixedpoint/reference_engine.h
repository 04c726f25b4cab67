// The engine written for reading: one sample at a time, 128-bit integers, one function per kind of
// layer. It defines what the fast engine must give bit for bit, and runs what that does not cover.
//
// Semantics, layer by layer (exact means: no rounding before the cast to types["result"]):
//   input, quantize       cast of the value
//   dense, conv           exact sum of products and bias, then cast; with types["accumulator"] A:
//                         sum = cast_A(bias), then in order sum = cast_A(sum + cast_A(x w))
//   batch_normalization   exact x scale + offset, then cast
//   multiply, add, relu, leaky_relu, prelu, hard_tanh   exact, then cast
//   max_pool              the largest, then cast
//   average_pool          exact sum divided by the count, truncated towards zero at the input's
//                         fraction bits (hls4ml's `y /= length`), then cast
//   flatten, reshape, transpose, concat, zero_pad, up_sample   moved, then cast
//   sigmoid, tanh, ...    tables, see tables.h
#ifndef DOVETAIL_SERVICES_WORKER_FIXEDPOINT_REFERENCE_ENGINE_H_
#define DOVETAIL_SERVICES_WORKER_FIXEDPOINT_REFERENCE_ENGINE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "services/worker/fixedpoint/engine.h"

namespace dovetail::fixedpoint {

// Errors: as Engine::Make.
absl::StatusOr<std::unique_ptr<Engine>> MakeReferenceEngine(const nn::Network& network,
                                                            const EngineOptions& options = {});

}  // namespace dovetail::fixedpoint

#endif  // DOVETAIL_SERVICES_WORKER_FIXEDPOINT_REFERENCE_ENGINE_H_
