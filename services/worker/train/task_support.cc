#include "services/worker/train/task_support.h"

#include <cmath>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/digest.h"
#include "common/base/status_macros.h"

namespace dovetail::train {
namespace {

Value EpochTable(const TrainResult& result) {
  Value table{Value::List()};
  for (const EpochReport& epoch : result.epochs) {
    Value row{Value::Map()};
    row.Set("epoch", epoch.epoch);
    row.Set("train_loss", epoch.train_loss);
    row.Set("validation_loss", epoch.validation_loss);
    row.Set("validation_accuracy", epoch.validation_accuracy);
    row.Set("kept_fraction", epoch.kept_fraction);
    table.Append(std::move(row));
  }
  return table;
}

// Sample error of a fraction over `count` samples.
double BinomialError(double fraction, int64_t count) {
  return std::sqrt(fraction * (1 - fraction) / static_cast<double>(count));
}

}  // namespace

absl::StatusOr<TrainingInputs> ReadTrainingInputs(const TaskContext& context) {
  TrainingInputs inputs;
  const std::string file = context.InputFile("network");
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return absl::NotFoundError(absl::StrCat("cannot read the network file ", file));
  const std::string bytes{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  ASSIGN_OR_RETURN_WITH(inputs.network, nn::ParseNetwork(bytes), "port network");
  inputs.network_digest = Sha256Hex(bytes);
  ASSIGN_OR_RETURN_WITH(inputs.dataset, nn::Dataset::Map(context.InputFile("dataset")),
                        "port dataset");
  ASSIGN_OR_RETURN(inputs.train, inputs.dataset->Get("train"));
  ASSIGN_OR_RETURN_WITH(inputs.validation, inputs.dataset->Get("validation"),
                        "training selects on a validation split");
  return inputs;
}

absl::StatusOr<TrainOptions> OptionsFromParameters(const TaskContext& context) {
  const Value& parameters = context.parameters;
  TrainOptions options;
  options.epochs = static_cast<int>(parameters["epochs"].AsNumber());
  options.batch_size = static_cast<int64_t>(parameters["batch_size"].AsNumber());
  options.learning_rate = parameters["learning_rate"].AsNumber();
  options.patience_epochs = static_cast<int>(parameters["patience"].AsNumber());
  if (parameters.Has("optimizer")) {
    ASSIGN_OR_RETURN(options.optimizer.kind,
                     ParseOptimizerKind(parameters["optimizer"].AsString()));
  }
  if (parameters.Has("schedule")) {
    ASSIGN_OR_RETURN(options.schedule, ParseScheduleKind(parameters["schedule"].AsString()));
  }
  options.optimizer.l1 = parameters["l1"].AsNumber();
  options.optimizer.l2 = parameters["l2"].AsNumber();
  options.seed = context.seed;
  options.thread_count = context.thread_count;
  if (context.progress) {
    options.progress = [report = context.progress](const EpochReport& epoch) {
      Value line{Value::Map()};
      line.Set("epoch", epoch.epoch);
      line.Set("loss", epoch.train_loss);
      line.Set("validation_accuracy", epoch.validation_accuracy);
      report(line);
    };
  }
  return options;
}

absl::Status WriteTrainedNetwork(const TaskContext& context, const std::string& task,
                                 const TrainingInputs& inputs, nn::Network network) {
  Value provenance{Value::Map()};
  provenance.Set("task", task);
  provenance.Set("parameters", context.parameters);
  provenance.Set("seed", context.seed);
  provenance.Set("parent", inputs.network_digest);
  if (!inputs.network.provenance.is_null()) {
    provenance.Set("parent_provenance", inputs.network.provenance);
  }
  network.provenance = std::move(provenance);
  RETURN_IF_ERROR_WITH(nn::Check(network), absl::StrCat("the network that ", task, " made"));
  return nn::WriteNetworkFile(network, context.OutputFile("network"));
}

double KeptFraction(const nn::Network& network) {
  double kept = 0;
  double total = 0;
  for (const nn::Layer& layer : network.layers) {
    if (!layer.HasWeights()) continue;
    const double count = static_cast<double>(layer.parameters.at("kernel").values.size());
    total += count;
    const auto mask = layer.masks.find("kernel");
    if (mask == layer.masks.end()) {
      kept += count;
      continue;
    }
    for (const float bit : mask->second.values) kept += bit != 0.0f;
  }
  return total > 0 ? kept / total : 1;
}

Measurement MeasureTraining(const TrainResult& result, const nn::Network& network,
                            const nn::Split& validation, const std::string& trainer) {
  const std::string source = absl::StrCat("dovetail ", trainer, " trainer");
  Measurement measurement;
  const double accuracy = result.validation_accuracy;
  const double error = BinomialError(accuracy, validation.count);
  measurement.Put("train_loss", result.train_loss, "nats", source);
  measurement.Put("validation_loss", result.validation_loss, "nats", source);
  measurement.Put("validation_accuracy", accuracy, "fraction", source, error);
  measurement.Put("float_validation_accuracy", accuracy, "fraction", source, error);
  measurement.Put("kept_fraction", KeptFraction(network), "fraction", source);
  measurement.Put("epochs_run", static_cast<double>(result.epochs.size()), "epochs", source);
  measurement.log = Value(Value::Map());
  measurement.log.Set("trainer", trainer);
  measurement.log.Set("epochs", EpochTable(result));
  measurement.log.Set("best_epoch", result.best_epoch);
  if (result.diverged) {
    measurement.log.Set(
        "warning", absl::StrCat("the loss was no longer finite in epoch ", result.epochs.size() + 1,
                                "; the weights are those of epoch ", result.best_epoch,
                                "; try a lower learning_rate"));
  }
  if (result.stopped_early) measurement.log.Set("stopped_early", true);
  return measurement;
}

void AddNoiseWarning(double tolerance, Measurement& measurement) {
  const double error = measurement.metrics["validation_accuracy"].standard_error;
  if (tolerance > error) return;
  measurement.log.Set("noise", absl::StrCat("the tolerance of ", tolerance,
                                            " is below the standard error of the accuracy, ", error,
                                            ": the result is as much luck as merit"));
}

}  // namespace dovetail::train
