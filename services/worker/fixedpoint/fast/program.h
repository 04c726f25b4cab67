// A network compiled to steps over rows of lanes: what the fast engine runs for every tile.
#ifndef DOVETAIL_SERVICES_WORKER_FIXEDPOINT_FAST_PROGRAM_H_
#define DOVETAIL_SERVICES_WORKER_FIXEDPOINT_FAST_PROGRAM_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/worker/fixedpoint/fast/kernels.h"
#include "services/worker/fixedpoint/tensor_grid.h"
#include "services/worker/nn/network.h"

namespace dovetail::fixedpoint::fast {

// A row of one element, kTile samples: its place in the arena, in bytes.
using RowOffset = int64_t;

struct TensorPlan {
  std::vector<RowOffset> rows;  // per element; elements that are only moved share rows
  Lane lane = kLane16;
  nn::TensorType type;
  std::vector<Interval> ranges;  // per element
};

// sums of products of gathered rows, then one or two casts.
struct MatrixOp {
  bool in_16_bits = true;  // else in 64
  Lane in_lane = kLane16;
  int64_t rows = 0;    // gathered per block
  int64_t blocks = 0;  // positions * groups
  int64_t groups = 1;
  int64_t columns = 0;            // outputs of a block
  std::vector<RowOffset> gather;  // [blocks x rows]
  // Per group, per run of kBlockOutputs outputs.
  std::vector<int32_t> weights16, bias16;
  std::vector<int64_t> weights64, bias64;
  std::vector<CastParams> first, second;  // [1], or per column of a group, or per output
  bool has_second = false;
  bool cast_in_64 = false;
  std::vector<RowOffset> out;  // [blocks x columns]
  Lane out_lane = kLane16;
};

struct ElementOp {
  std::vector<RowOffset> in, out;
  std::vector<AffineParams> affine;  // [1] or per element
  std::vector<CastParams> cast;
  Lane in_lane = kLane16, out_lane = kLane16;
  bool in_64_bits = false;
};

struct CombineOp {
  std::vector<RowOffset> in;  // element e: [begin[e], begin[e + 1])
  std::vector<Lane> lanes;
  std::vector<int32_t> shifts;
  std::vector<int64_t> begin, divisor;
  std::vector<CastParams> cast;
  std::vector<RowOffset> out;
  Lane out_lane = kLane16;
  bool is_max = false;
  bool in_64_bits = false;
};

struct Step {
  enum Kind { kMatrix, kElement, kCombine } kind = kElement;
  int index = 0;  // into the program's list of that kind
};

struct Program {
  std::vector<MatrixOp> matrices;
  std::vector<ElementOp> elements;
  std::vector<CombineOp> combines;
  std::vector<Step> steps;
  TensorPlan input, logits;
  int64_t arena_bytes = 0;  // row 0 is zeros
  int64_t max_pairs = 0;    // scratch of the 16-bit products
};

// Errors: InvalidArgument (types missing, weights off their grid); Unimplemented: an op, a range or
// an accumulator these kernels do not cover.
absl::StatusOr<Program> Compile(const nn::Network& network);

}  // namespace dovetail::fixedpoint::fast

#endif  // DOVETAIL_SERVICES_WORKER_FIXEDPOINT_FAST_PROGRAM_H_
