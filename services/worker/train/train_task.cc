// train: fit a network in floating point (or with its fake quantisers, where it has types).
#include <utility>

#include "common/base/status_macros.h"
#include "services/worker/train/draw_weights.h"
#include "services/worker/train/task_support.h"
#include "services/worker/train/training_tasks.h"

namespace dovetail::train {
namespace {

class TrainTask final : public Task {
 public:
  absl::StatusOr<Measurement> Run(const TaskContext& context) override {
    ASSIGN_OR_RETURN(TrainingInputs inputs, ReadTrainingInputs(context));
    ASSIGN_OR_RETURN(const TrainOptions options, OptionsFromParameters(context));
    nn::Network network = inputs.network;
    if (context.parameters["from_scratch"].AsBool()) DrawWeights(context.seed, network);
    ASSIGN_OR_RETURN(const std::unique_ptr<Trainer> trainer, MakeTrainer(network));
    ASSIGN_OR_RETURN(const TrainResult result,
                     trainer->Fit(inputs.train, inputs.validation, options, network));
    RETURN_IF_ERROR(WriteTrainedNetwork(context, "train", inputs, network));
    return MeasureTraining(result, network, inputs.validation, trainer->name());
  }
};

}  // namespace

std::unique_ptr<Task> MakeTrainTask() { return std::make_unique<TrainTask>(); }

}  // namespace dovetail::train
