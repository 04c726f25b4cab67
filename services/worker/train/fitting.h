// One training run: epochs, mini-batches, the pruning schedule, the best weights, divergence. The
// same loop for every kind of net. Called from the trainers.
#ifndef DOVETAIL_SERVICES_WORKER_TRAIN_FITTING_H_
#define DOVETAIL_SERVICES_WORKER_TRAIN_FITTING_H_

#include <cstdint>
#include <vector>

#include "common/base/rng.h"
#include "services/worker/train/gradient_net.h"
#include "services/worker/train/input_rows.h"
#include "services/worker/train/optimizer.h"
#include "services/worker/train/parameter_block.h"
#include "services/worker/train/parameter_cast.h"
#include "services/worker/train/trainer.h"

namespace dovetail::train {

// Use once. Not thread-safe.
class Fitting {
 public:
  // Trains `blocks` in place; everything must outlive the call of Run.
  Fitting(const TrainOptions& options, const InputRows& train, const InputRows& validation,
          GradientNet& net, std::vector<ParameterBlock>& blocks);

  TrainResult Run();

 private:
  void Renumber();
  void Gather();
  void Scatter(const std::vector<float>& masters);
  void PreparePruning();
  // Brings the masks to the sparsity of `progress` in [0, 1].
  void PruneTo(double progress);
  void PruneBlocks(const std::vector<double>& rates);
  // False where the loss is no longer finite; so below.
  bool TrainEpoch(const std::vector<int32_t>& order);
  bool FinishEpoch(int epoch);
  LossSum EvaluateAll();
  // Takes the present weights as the ones to return where they are the best so far.
  void Offer(int epoch, const LossSum& validation);
  void Conclude();
  double Progress() const;

  const TrainOptions& options_;
  const InputRows& train_;
  const InputRows& validation_;
  GradientNet& net_;
  std::vector<ParameterBlock>& blocks_;
  const std::vector<ParameterBlock> initial_blocks_;
  Optimizer optimizer_;
  Rng rng_;
  TrainResult result_;

  std::vector<ParameterRef> order_;
  ParameterCast cast_;
  std::vector<float> masters_, values_, gradient_, is_kernel_;
  std::vector<float> best_masters_;
  std::vector<double> initial_sparsity_;
  std::vector<const float*> rows_;
  std::vector<int32_t> labels_;
  int64_t step_count_ = 0;
  int64_t step_ = 0;
  int64_t pruning_interval_ = 1;
  bool has_best_ = false;
  bool is_pruned_ = false;
};

}  // namespace dovetail::train

#endif  // DOVETAIL_SERVICES_WORKER_TRAIN_FITTING_H_
