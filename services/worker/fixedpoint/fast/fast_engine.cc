#include "services/worker/fixedpoint/fast/fast_engine.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/worker/fixedpoint/fast/cast_plan.h"
#include "services/worker/fixedpoint/fast/kernels.h"
#include "services/worker/fixedpoint/fast/program.h"
#include "services/worker/fixedpoint/parallel.h"

namespace dovetail::fixedpoint {
namespace {

using fast::CastParams;
using fast::kTile;
using fast::Lane;
using fast::Program;
using fast::RowOffset;

struct FreeAligned {
  void operator()(char* memory) const { std::free(memory); }
};

// Memory of one thread: the arena of rows and the scratch of one step.
class Workspace {
 public:
  explicit Workspace(const Program& program)
      : arena_(Allocate(program.arena_bytes)),
        pairs_(Allocate(std::max<int64_t>(program.max_pairs, 1) * kTile * 4)),
        sums_(Allocate(fast::kBlockOutputs * kTile * 8)) {
    std::memset(arena_.get(), 0, kTile * 8);
  }
  char* Row(RowOffset offset) { return arena_.get() + offset; }
  int32_t* pairs() { return reinterpret_cast<int32_t*>(pairs_.get()); }
  char* sums() { return sums_.get(); }

 private:
  using Memory = std::unique_ptr<char, FreeAligned>;
  static Memory Allocate(int64_t bytes) {
    void* memory = std::aligned_alloc(64, static_cast<size_t>((bytes + 63) / 64 * 64));
    if (memory == nullptr) throw std::bad_alloc();
    return Memory(static_cast<char*>(memory));
  }
  Memory arena_, pairs_, sums_;
};

const CastParams& At(const std::vector<CastParams>& casts, int64_t e) {
  return casts[casts.size() == 1 ? 0 : static_cast<size_t>(e)];
}

void RunMatrix(const fast::Kernels& kernels, const fast::MatrixOp& op, Workspace& work,
               std::vector<const void*>& rows) {
  rows.resize(static_cast<size_t>(op.rows));
  const int64_t steps = op.in_16_bits ? (op.rows + 1) / 2 : op.rows;
  for (int64_t block = 0; block < op.blocks; ++block) {
    const RowOffset* gather = op.gather.data() + block * op.rows;
    for (int64_t r = 0; r < op.rows; ++r) rows[r] = work.Row(gather[r]);
    if (op.in_16_bits) {
      kernels.pack_pairs(reinterpret_cast<const int16_t* const*>(rows.data()), op.rows,
                         work.pairs());
    }
    const int64_t group = block % op.groups;
    for (int64_t start = 0; start < op.columns; start += fast::kBlockOutputs) {
      const int outputs =
          static_cast<int>(std::min<int64_t>(fast::kBlockOutputs, op.columns - start));
      const int64_t column = group * op.columns + start;
      const int64_t weights = column * steps;
      if (op.in_16_bits) {
        kernels.matrix16(work.pairs(), steps, op.weights16.data() + weights,
                         op.bias16.data() + column, outputs,
                         reinterpret_cast<int32_t*>(work.sums()));
      } else {
        kernels.matrix64(rows.data(), op.in_lane, op.rows, op.weights64.data() + weights,
                         op.bias64.data() + column, outputs,
                         reinterpret_cast<int64_t*>(work.sums()));
      }
      for (int o = 0; o < outputs; ++o) {
        const int64_t e = block * op.columns + start + o;
        const CastParams* first = &At(op.first, e);
        const CastParams* second = op.has_second ? &At(op.second, e) : nullptr;
        char* out = work.Row(op.out[e]);
        if (!op.in_16_bits) {
          kernels.cast64(reinterpret_cast<const int64_t*>(work.sums()) + o * kTile, first, second,
                         out, op.out_lane);
        } else if (!op.cast_in_64) {
          kernels.cast32(reinterpret_cast<const int32_t*>(work.sums()) + o * kTile, first, second,
                         out, op.out_lane);
        } else {
          alignas(64) int64_t wide[kTile];
          const int32_t* sums = reinterpret_cast<const int32_t*>(work.sums()) + o * kTile;
          for (int b = 0; b < kTile; ++b) wide[b] = sums[b];
          kernels.cast64(wide, first, second, out, op.out_lane);
        }
      }
    }
  }
}

void RunElements(const fast::Kernels& kernels, const fast::ElementOp& op, Workspace& work) {
  for (size_t e = 0; e < op.out.size(); ++e) {
    const fast::AffineParams& affine = op.affine[op.affine.size() == 1 ? 0 : e];
    kernels.affine(work.Row(op.in[e]), op.in_lane, &affine, &At(op.cast, static_cast<int64_t>(e)),
                   work.Row(op.out[e]), op.out_lane, op.in_64_bits ? 1 : 0);
  }
}

void RunCombine(const fast::Kernels& kernels, const fast::CombineOp& op, Workspace& work,
                std::vector<const void*>& rows) {
  for (size_t e = 0; e < op.out.size(); ++e) {
    const int64_t begin = op.begin[e];
    const int64_t count = op.begin[e + 1] - begin;
    rows.resize(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i) rows[i] = work.Row(op.in[begin + i]);
    kernels.combine(rows.data(), op.lanes.data() + begin, op.shifts.data() + begin, count,
                    op.is_max ? 1 : 0, op.divisor[e], &At(op.cast, static_cast<int64_t>(e)),
                    work.Row(op.out[e]), op.out_lane, op.in_64_bits ? 1 : 0);
  }
}

int64_t ReadLane(const char* row, Lane lane, int64_t b) {
  if (lane == fast::kLane16) return reinterpret_cast<const int16_t*>(row)[b];
  if (lane == fast::kLane32) return reinterpret_cast<const int32_t*>(row)[b];
  return reinterpret_cast<const int64_t*>(row)[b];
}

void WriteLane(char* row, Lane lane, int64_t b, int64_t value) {
  if (lane == fast::kLane16) {
    reinterpret_cast<int16_t*>(row)[b] = static_cast<int16_t>(value);
  } else if (lane == fast::kLane32) {
    reinterpret_cast<int32_t*>(row)[b] = static_cast<int32_t>(value);
  } else {
    reinterpret_cast<int64_t*>(row)[b] = value;
  }
}

class FastEngine : public Engine {
 public:
  FastEngine(Program program, const fast::Kernels& kernels, int thread_count)
      : program_(std::move(program)), kernels_(kernels), thread_count_(thread_count) {
    for (size_t e = 0; e < program_.input.rows.size(); ++e) {
      inputs_.push_back(PlanInput(TypeAt(program_.input.type, static_cast<int64_t>(e))));
    }
  }

  absl::StatusOr<std::vector<int64_t>> RunRaw(absl::Span<const float> features,
                                              int64_t count) const override {
    return RunTiles(features, count, program_.logits, true);
  }

  absl::StatusOr<std::vector<int64_t>> QuantizeInputs(absl::Span<const float> features,
                                                      int64_t count) const override {
    return RunTiles(features, count, program_.input, false);
  }

  const nn::TensorType& input_type() const override { return program_.input.type; }
  const nn::TensorType& logits_type() const override { return program_.logits.type; }
  int64_t output_count() const override {
    return static_cast<int64_t>(program_.logits.rows.size());
  }

 private:
  struct InputPlan {
    FixedType type;
    fast::InputParams params;
    bool has_kernel = false;
  };

  static InputPlan PlanInput(const FixedType& type) {
    InputPlan plan;
    plan.type = type;
    // Up to 24 bits the limits are exact floats; beyond, and for odd modes, value by value.
    plan.has_kernel = type.width_bits <= 23 && std::abs(type.fraction_bits()) <= 60 &&
                      type.overflow != Overflow::kWrapSm;
    if (!plan.has_kernel) return plan;
    fast::InputParams& params = plan.params;
    params.scale = std::ldexp(1.0f, type.fraction_bits());
    params.quantization = ModeIndex(type.quantization);
    // The floor is an integer already: the cast only looks after overflow.
    params.cast =
        fast::PlanCast({-(Wide{1} << 30), Wide{1} << 30}, type.fraction_bits(), type).params;
    params.low = -0x1p30f;
    params.high = 0x1p30f;
    return plan;
  }

  static int32_t ModeIndex(Quantization mode) {
    switch (mode) {
      case Quantization::kTrn:
        return 0;
      case Quantization::kTrnZero:
        return 1;
      case Quantization::kRnd:
        return 2;
      case Quantization::kRndZero:
        return 3;
      case Quantization::kRndMinInf:
        return 4;
      case Quantization::kRndInf:
        return 5;
      case Quantization::kRndConv:
        return 6;
    }
    return 0;
  }

  absl::StatusOr<std::vector<int64_t>> RunTiles(absl::Span<const float> features, int64_t count,
                                                const fast::TensorPlan& wanted, bool run) const {
    const int64_t width = static_cast<int64_t>(program_.input.rows.size());
    if (count < 0 || static_cast<int64_t>(features.size()) != count * width) {
      return absl::InvalidArgumentError(
          absl::StrCat(features.size(), " features are not ", count, " samples of ", width));
    }
    const int64_t out_width = static_cast<int64_t>(wanted.rows.size());
    std::vector<int64_t> results(static_cast<size_t>(count * out_width));
    const int64_t tiles = (count + kTile - 1) / kTile;
    ParallelFor(thread_count_, tiles, [&](int64_t begin, int64_t end) {
      Workspace work(program_);
      std::vector<float> columns(static_cast<size_t>(width * kTile));
      std::vector<const void*> rows;
      for (int64_t tile = begin; tile < end; ++tile) {
        const int64_t first = tile * kTile;
        const int64_t samples = std::min<int64_t>(kTile, count - first);
        QuantizeTile(features.data() + first * width, samples, columns, work);
        if (run) RunSteps(work, rows);
        for (int64_t o = 0; o < out_width; ++o) {
          const char* row = work.Row(wanted.rows[o]);
          for (int64_t b = 0; b < samples; ++b) {
            results[(first + b) * out_width + o] = ReadLane(row, wanted.lane, b);
          }
        }
      }
    });
    return results;
  }

  void QuantizeTile(const float* features, int64_t samples, std::vector<float>& columns,
                    Workspace& work) const {
    const int64_t width = static_cast<int64_t>(inputs_.size());
    constexpr int64_t kStrip = 16;  // floats of a cache line
    for (int64_t start = 0; start < width; start += kStrip) {
      const int64_t end = std::min(width, start + kStrip);
      for (int64_t b = 0; b < samples; ++b) {
        for (int64_t e = start; e < end; ++e) columns[e * kTile + b] = features[b * width + e];
      }
    }
    for (int64_t e = 0; e < width; ++e) {
      const InputPlan& plan = inputs_[e];
      const float* column = columns.data() + e * kTile;
      char* row = work.Row(program_.input.rows[e]);
      if (plan.has_kernel &&
          kernels_.quantize(column, &plan.params, row, program_.input.lane) != 0) {
        continue;
      }
      for (int64_t b = 0; b < samples; ++b) {
        WriteLane(row, program_.input.lane, b, FromDouble(column[b], plan.type));
      }
    }
  }

  void RunSteps(Workspace& work, std::vector<const void*>& rows) const {
    for (const fast::Step& step : program_.steps) {
      switch (step.kind) {
        case fast::Step::kMatrix:
          RunMatrix(kernels_, program_.matrices[step.index], work, rows);
          break;
        case fast::Step::kElement:
          RunElements(kernels_, program_.elements[step.index], work);
          break;
        case fast::Step::kCombine:
          RunCombine(kernels_, program_.combines[step.index], work, rows);
          break;
      }
    }
  }

  const Program program_;
  const fast::Kernels& kernels_;
  const int thread_count_;
  std::vector<InputPlan> inputs_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> MakeFastEngine(const nn::Network& network,
                                                       const EngineOptions& options) {
  RETURN_IF_ERROR(Check(network));
  const fast::Kernels* kernels = fast::ChooseKernels(options.instruction_set.c_str());
  if (kernels == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("this machine cannot run the kernels \"", options.instruction_set,
                     "\"; known are baseline, avx2, avx512, avx512_vnni"));
  }
  ASSIGN_OR_RETURN(Program program, fast::Compile(network));
  return std::make_unique<FastEngine>(std::move(program), *kernels, options.thread_count);
}

}  // namespace dovetail::fixedpoint
