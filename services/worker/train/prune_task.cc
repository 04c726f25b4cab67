// prune: magnitude pruning on a gradual schedule while retraining.
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/worker/train/task_support.h"
#include "services/worker/train/training_tasks.h"

namespace dovetail::train {
namespace {

absl::StatusOr<PruneSchedule> ScheduleFromParameters(const Value& parameters) {
  PruneSchedule schedule;
  const Value& rate = parameters["rate"];
  if (rate.is_list()) {
    for (const Value& each : rate.AsList()) schedule.rates.push_back(each.AsNumber());
  } else {
    schedule.rates.push_back(rate.AsNumber());
  }
  for (const double each : schedule.rates) {
    if (each >= 0 && each < 1) continue;
    return absl::InvalidArgumentError(absl::StrCat("rate is ", each, ", not in [0, 1)"));
  }
  const std::string& scope = parameters["scope"].AsString();
  if (scope != "global" && scope != "layer") {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no scope \"", scope, "\"; known: global, layer"));
  }
  schedule.scope = scope == "layer" ? PruneScope::kLayer : PruneScope::kGlobal;
  return schedule;
}

class PruneTask final : public Task {
 public:
  absl::StatusOr<Measurement> Run(const TaskContext& context) override {
    ASSIGN_OR_RETURN(const PruneSchedule schedule, ScheduleFromParameters(context.parameters));
    ASSIGN_OR_RETURN(TrainOptions options, OptionsFromParameters(context));
    options.pruning = schedule;
    ASSIGN_OR_RETURN(TrainingInputs inputs, ReadTrainingInputs(context));
    nn::Network network = inputs.network;
    ASSIGN_OR_RETURN(const std::unique_ptr<Trainer> trainer, MakeTrainer(network));
    ASSIGN_OR_RETURN(const TrainResult result,
                     trainer->Fit(inputs.train, inputs.validation, options, network));
    RETURN_IF_ERROR(WriteTrainedNetwork(context, "prune", inputs, network));
    return MeasureTraining(result, network, inputs.validation, trainer->name());
  }
};

}  // namespace

std::unique_ptr<Task> MakePruneTask() { return std::make_unique<PruneTask>(); }

}  // namespace dovetail::train
