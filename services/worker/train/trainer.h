// Fitting a network to the train split, with pruning on a schedule and fake quantisers: the one
// door to training. Called from the tasks of this room. Selects on the validation split only; no
// test split is ever handed in.
#ifndef DOVETAIL_SERVICES_WORKER_TRAIN_TRAINER_H_
#define DOVETAIL_SERVICES_WORKER_TRAIN_TRAINER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/worker/nn/dataset.h"
#include "services/worker/nn/network.h"
#include "services/worker/train/magnitude_pruning.h"
#include "services/worker/train/optimizer.h"

namespace dovetail::train {

struct EpochReport {
  int epoch = 0;          // 1 is the first
  double train_loss = 0;  // mean over the epoch, nats
  double validation_loss = 0;
  double validation_accuracy = 0;  // fraction
  double kept_fraction = 1;        // of weights not pruned, at the epoch's end
};

struct TrainOptions {
  int epochs = 6;
  int64_t batch_size = 1024;     // samples per step; the last batch of an epoch may be smaller
  double learning_rate = 0.002;  // the highest of the schedule
  ScheduleKind schedule = ScheduleKind::kCosine;
  OptimizerOptions optimizer;
  int patience_epochs = 0;  // stop after so many epochs without a better validation loss; 0: never
  // Return the weights of the epoch with the lowest validation loss (of those after the pruning
  // window) rather than the last.
  bool restores_best = true;
  std::optional<PruneSchedule> pruning;
  uint64_t seed = 1;  // of the order of samples
  int thread_count = 1;
  std::function<void(const EpochReport&)> progress;  // may be null
};

struct TrainResult {
  std::vector<EpochReport> epochs;
  int best_epoch = 0;  // whose weights the network has; 0: those it came with
  bool diverged = false;
  bool stopped_early = false;
  double train_loss = 0;       // of the last whole epoch
  double validation_loss = 0;  // of the weights returned
  double validation_accuracy = 0;
};

class Trainer {
 public:
  virtual ~Trainer() = default;
  // "dense" or "torch": who did the work, for the log.
  virtual std::string name() const = 0;
  // Trains `network` in place: values, masks, and values on the grid where there are types (the
  // forward pass is then the fixed-point engine's, bit for bit). Pruned weights stay 0. A loss that
  // is not finite ends training with the last good weights and diverged = true.
  // Deterministic for equal arguments. epochs 0: prunes at once, rounds, and evaluates.
  // Errors: InvalidArgument: options out of range, a split that does not fit the network;
  // Unimplemented: a type retraining does not know.
  virtual absl::StatusOr<TrainResult> Fit(const nn::Split& train, const nn::Split& validation,
                                          const TrainOptions& options, nn::Network& network) = 0;
};

// The quickest trainer that knows every layer of `network`.
// Errors: Unimplemented naming the layer no trainer knows.
absl::StatusOr<std::unique_ptr<Trainer>> MakeTrainer(const nn::Network& network);

std::unique_ptr<Trainer> MakeDenseTrainer();  // dense chains, in this room's own kernels
std::unique_ptr<Trainer> MakeGraphTrainer();  // any layers but recurrent ones, over libtorch

// Errors: InvalidArgument naming the option.
absl::Status CheckOptions(const TrainOptions& options, const nn::Network& network);
// Errors: InvalidArgument: a split that is empty or of another shape than the network's input.
absl::Status CheckSplit(const nn::Network& network, const nn::Split& split,
                        const std::string& name);

}  // namespace dovetail::train

#endif  // DOVETAIL_SERVICES_WORKER_TRAIN_TRAINER_H_
