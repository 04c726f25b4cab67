// scale: narrower hidden layers, from the largest neurons or from scratch, retrained; by a given
// factor, or by the smallest a tolerance allows.
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/worker/train/auto_search.h"
#include "services/worker/train/draw_weights.h"
#include "services/worker/train/probe_cache.h"
#include "services/worker/train/shrink.h"
#include "services/worker/train/task_support.h"
#include "services/worker/train/training_tasks.h"

namespace dovetail::train {
namespace {

struct ScaleParameters {
  std::vector<double> factors;
  bool is_from_scratch = false;
  bool is_automatic = false;
};

absl::StatusOr<ScaleParameters> ReadParameters(const Value& parameters) {
  ScaleParameters read;
  const Value& factor = parameters["factor"];
  if (factor.is_list()) {
    for (const Value& each : factor.AsList()) read.factors.push_back(each.AsNumber());
  } else {
    read.factors.push_back(factor.AsNumber());
  }
  for (const double each : read.factors) {
    if (each > 0 && each <= 1) continue;
    return absl::InvalidArgumentError(absl::StrCat("factor is ", each, ", not in (0, 1]"));
  }
  const std::string& from = parameters["from"].AsString();
  if (from != "largest" && from != "scratch") {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no from \"", from, "\"; known: largest, scratch"));
  }
  read.is_from_scratch = from == "scratch";
  const std::string& mode = parameters["mode"].AsString();
  if (mode != "fixed" && mode != "auto") {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no mode \"", mode, "\"; known: fixed, auto"));
  }
  read.is_automatic = mode == "auto";
  return read;
}

class Scaler {
 public:
  Scaler(const TaskContext& context, const TrainingInputs& inputs, ScaleParameters parameters,
         TrainOptions options)
      : context_(context),
        inputs_(inputs),
        parameters_(std::move(parameters)),
        options_(std::move(options)) {}

  absl::StatusOr<Measurement> RunFixed() {
    nn::Network network;
    std::string trainer;
    ASSIGN_OR_RETURN(const TrainResult result, ScaleBy(parameters_.factors, network, trainer));
    RETURN_IF_ERROR(WriteTrainedNetwork(context_, "scale", inputs_, network));
    return MeasureTraining(result, network, inputs_.validation, trainer);
  }

  // 1 - i / steps for i = 1, 2, ... while the tolerance allows.
  absl::StatusOr<Measurement> RunAutomatic() {
    DescentOptions descent;
    ASSIGN_OR_RETURN(const Probe reference, RunProbe(0));
    descent.reference_accuracy = reference.validation_accuracy;
    descent.tolerance = context_.parameters["tolerance"].AsNumber();
    descent.patience = static_cast<int>(context_.parameters["patience_trials"].AsNumber());
    descent.max_evaluations = static_cast<int>(context_.parameters["max_evaluations"].AsNumber());
    const int steps = static_cast<int>(context_.parameters["steps"].AsNumber());
    std::vector<double> factors;
    for (int i = 1; i < steps; ++i) factors.push_back(1 - static_cast<double>(i) / steps);
    ASSIGN_OR_RETURN(const std::string dataset, FileDigest(context_.InputFile("dataset")));
    const ProbeCache cache(context_, "scale", inputs_.network_digest, dataset);
    Probe best = reference;
    const auto measure = [&](double factor) -> absl::StatusOr<double> {
      Value point = context_.parameters;
      point.Set("mode", "fixed");
      point.Set("factor", factor);
      ASSIGN_OR_RETURN(Probe probe, cache.GetOrRun(point, [&] { return RunProbe(factor); }));
      const double accuracy = probe.validation_accuracy;
      if (accuracy >= descent.reference_accuracy - descent.tolerance) best = std::move(probe);
      return accuracy;
    };
    ASSIGN_OR_RETURN(const SearchTrace trace, Descend(factors, descent, measure));
    RETURN_IF_ERROR(WriteTrainedNetwork(context_, "scale", inputs_, best.network));
    TrainResult result;
    result.validation_accuracy = best.validation_accuracy;
    Measurement measurement = MeasureTraining(result, best.network, inputs_.validation, "descent");
    for (const char* name : {"train_loss", "validation_loss", "epochs_run"}) {
      measurement.metrics.erase(name);
    }
    measurement.Put("evaluations", static_cast<double>(trace.steps.size()), "count",
                    "dovetail descent");
    measurement.log = Value(Value::Map());
    measurement.log.Set("trace", trace.ToTable());
    measurement.log.Set("plot", trace.ToPlot(descent.reference_accuracy));
    AddNoiseWarning(descent.tolerance, measurement);
    return measurement;
  }

 private:
  absl::StatusOr<TrainResult> ScaleBy(const std::vector<double>& factors, nn::Network& network,
                                      std::string& trainer_name) {
    network = inputs_.network;
    ASSIGN_OR_RETURN(const std::vector<int> layers, ShrinkableLayers(network));
    if (factors.size() != 1 && factors.size() != layers.size()) {
      return absl::InvalidArgumentError(absl::StrCat("there are ", factors.size(), " factors for ",
                                                     layers.size(), " hidden layers"));
    }
    KeepNeurons(BestPerLayer(NeuronScores(network, layers), factors), network);
    if (parameters_.is_from_scratch) DrawWeights(context_.seed, network);
    ASSIGN_OR_RETURN(const std::unique_ptr<Trainer> trainer, MakeTrainer(network));
    trainer_name = trainer->name();
    return trainer->Fit(inputs_.train, inputs_.validation, options_, network);
  }

  // Factor 0: the network as it came.
  absl::StatusOr<Probe> RunProbe(double factor) {
    Probe probe;
    if (factor == 0) {
      probe.network = inputs_.network;
      TrainOptions options = options_;
      options.epochs = 0;
      ASSIGN_OR_RETURN(const std::unique_ptr<Trainer> trainer, MakeTrainer(probe.network));
      ASSIGN_OR_RETURN(const TrainResult result,
                       trainer->Fit(inputs_.train, inputs_.validation, options, probe.network));
      probe.validation_accuracy = result.validation_accuracy;
      return probe;
    }
    std::string trainer;
    ASSIGN_OR_RETURN(const TrainResult result, ScaleBy({factor}, probe.network, trainer));
    probe.validation_accuracy = result.validation_accuracy;
    return probe;
  }

  const TaskContext& context_;
  const TrainingInputs& inputs_;
  const ScaleParameters parameters_;
  const TrainOptions options_;
};

class ScaleTask final : public Task {
 public:
  absl::StatusOr<Measurement> Run(const TaskContext& context) override {
    ASSIGN_OR_RETURN(ScaleParameters parameters, ReadParameters(context.parameters));
    ASSIGN_OR_RETURN(TrainOptions options, OptionsFromParameters(context));
    ASSIGN_OR_RETURN(const TrainingInputs inputs, ReadTrainingInputs(context));
    const bool is_automatic = parameters.is_automatic;
    Scaler scaler(context, inputs, std::move(parameters), std::move(options));
    return is_automatic ? scaler.RunAutomatic() : scaler.RunFixed();
  }
};

}  // namespace

std::unique_ptr<Task> MakeScaleTask() { return std::make_unique<ScaleTask>(); }

}  // namespace dovetail::train
