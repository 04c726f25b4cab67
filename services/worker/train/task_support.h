// What train, prune and quantize share: reading their inputs, options from parameters, provenance,
// metrics and the trace. Called from the tasks of this room only.
#ifndef DOVETAIL_SERVICES_WORKER_TRAIN_TASK_SUPPORT_H_
#define DOVETAIL_SERVICES_WORKER_TRAIN_TASK_SUPPORT_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "services/worker/nn/dataset.h"
#include "services/worker/nn/network.h"
#include "services/worker/tasks/task.h"
#include "services/worker/train/trainer.h"

namespace dovetail::train {

struct TrainingInputs {
  nn::Network network;
  std::string network_digest;
  std::unique_ptr<nn::Dataset> dataset;
  nn::Split train;  // views of dataset
  nn::Split validation;
};

// Ports "network" and "dataset". Errors: InvalidArgument, NotFound (a split), DataLoss.
absl::StatusOr<TrainingInputs> ReadTrainingInputs(const TaskContext& context);

// epochs, batch_size, learning_rate, optimizer, schedule, l1, l2, patience: those the task
// declares; seed, threads and progress from the context.
absl::StatusOr<TrainOptions> OptionsFromParameters(const TaskContext& context);

// Writes port "network" with its provenance: task, parameters, seed, parent and the parent's own.
absl::Status WriteTrainedNetwork(const TaskContext& context, const std::string& task,
                                 const TrainingInputs& inputs, nn::Network network);

// kept_fraction of the network's prunable weights.
double KeptFraction(const nn::Network& network);

// train_loss, validation_loss, validation_accuracy, float_validation_accuracy, kept_fraction,
// epochs_run, and the log: a table of epochs, and what went wrong.
Measurement MeasureTraining(const TrainResult& result, const nn::Network& network,
                            const nn::Split& validation, const std::string& trainer);

// Says so in the log where a tolerance is within one standard error of the accuracy.
void AddNoiseWarning(double tolerance, Measurement& measurement);

}  // namespace dovetail::train

#endif  // DOVETAIL_SERVICES_WORKER_TRAIN_TASK_SUPPORT_H_
