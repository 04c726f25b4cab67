// First-order optimisers over flat parameter arrays, and learning-rate schedules. Called from the
// dense trainer; knows no network.
#ifndef DOVETAIL_SERVICES_WORKER_TRAIN_OPTIMIZER_H_
#define DOVETAIL_SERVICES_WORKER_TRAIN_OPTIMIZER_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace dovetail::train {

enum class OptimizerKind { kAdam, kAdamW, kSgd };
absl::StatusOr<OptimizerKind> ParseOptimizerKind(absl::string_view name);  // adam, adamw, sgd

enum class ScheduleKind { kConstant, kCosine, kOneCycle };
absl::StatusOr<ScheduleKind> ParseScheduleKind(absl::string_view name);

// The factor of the learning rate at `progress` in [0, 1] of all steps.
//   constant:  1
//   cosine:    linear from 0 over the first 3 % of steps, then (1 + cos(pi t)) / 2
//   one_cycle: as cosine with a rise over the first 30 %
// Source: Loshchilov and Hutter 2017 (ICLR), SGDR; Smith and Topin 2018, super-convergence.
double LearningRateFactor(ScheduleKind schedule, double progress);

struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::kAdam;
  double beta1 = 0.9;  // of adam; the momentum of sgd
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double l1 = 0;  // added to the gradient of weights as l1 * sign(w)
  double l2 = 0;  // added to the gradient of weights as l2 * w; adamw: decoupled, lr * l2 * w
};

// Source: Kingma and Ba 2015 (ICLR), Adam, algorithm 1; Loshchilov and Hutter 2019 (ICLR), AdamW.
class Optimizer {
 public:
  explicit Optimizer(const OptimizerOptions& options) : options_(options) {}

  void Reset(int64_t parameter_count);
  // Keeps the state of the entries `kept` (indices into the present ones, ascending).
  void Keep(const std::vector<int32_t>& kept);

  // parameters -= learning rate * direction, then clamped to [low, high]. is_kernel[i] is 1 where
  // l1 and l2 apply, else 0. All arrays of the same length.
  void Step(double learning_rate, const std::vector<float>& gradient,
            const std::vector<float>& is_kernel, const std::vector<float>& low,
            const std::vector<float>& high, std::vector<float>& parameters);

 private:
  OptimizerOptions options_;
  int64_t step_ = 0;
  std::vector<float> first_;   // mean of gradients, or velocity
  std::vector<float> second_;  // mean of squares
};

}  // namespace dovetail::train

#endif  // DOVETAIL_SERVICES_WORKER_TRAIN_OPTIMIZER_H_
