// prune: weights (or whole neurons) leave while the rest is retrained; at a given rate, or at the
// highest rate a tolerance allows.
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/worker/train/auto_search.h"
#include "services/worker/train/probe_cache.h"
#include "services/worker/train/shrink.h"
#include "services/worker/train/task_support.h"
#include "services/worker/train/training_tasks.h"

namespace dovetail::train {
namespace {

struct PruneParameters {
  std::vector<double> rates;
  PruneScope scope = PruneScope::kGlobal;
  bool is_structured = false;
  bool is_automatic = false;
};

absl::StatusOr<PruneParameters> ReadParameters(const Value& parameters) {
  PruneParameters read;
  const Value& rate = parameters["rate"];
  if (rate.is_list()) {
    for (const Value& each : rate.AsList()) read.rates.push_back(each.AsNumber());
  } else {
    read.rates.push_back(rate.AsNumber());
  }
  for (const double each : read.rates) {
    if (each >= 0 && each < 1) continue;
    return absl::InvalidArgumentError(absl::StrCat("rate is ", each, ", not in [0, 1)"));
  }
  const std::string& scope = parameters["scope"].AsString();
  if (scope != "global" && scope != "layer" && scope != "neurons") {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no scope \"", scope, "\"; known: global, layer, neurons"));
  }
  read.scope = scope == "layer" ? PruneScope::kLayer : PruneScope::kGlobal;
  read.is_structured = scope == "neurons";
  const std::string& mode = parameters["mode"].AsString();
  if (mode != "fixed" && mode != "auto") {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no mode \"", mode, "\"; known: fixed, auto"));
  }
  read.is_automatic = mode == "auto";
  if (read.rates.size() > 1 && (read.is_automatic || read.is_structured)) {
    return absl::InvalidArgumentError(
        "mode auto and scope neurons take one rate, not one per layer");
  }
  if (read.is_automatic && !(parameters["tolerance"].AsNumber() > 0)) {
    return absl::InvalidArgumentError("mode auto needs a tolerance above 0");
  }
  return read;
}

class Pruner {
 public:
  Pruner(const TaskContext& context, const TrainingInputs& inputs, PruneParameters parameters,
         TrainOptions options)
      : context_(context),
        inputs_(inputs),
        parameters_(std::move(parameters)),
        options_(std::move(options)) {}

  absl::StatusOr<Measurement> RunFixed() {
    nn::Network network;
    std::string trainer;
    ASSIGN_OR_RETURN(const TrainResult result, PruneTo(parameters_.rates, network, trainer));
    RETURN_IF_ERROR(WriteTrainedNetwork(context_, "prune", inputs_, network));
    return MeasureTraining(result, network, inputs_.validation, trainer);
  }

  absl::StatusOr<Measurement> RunAutomatic() {
    BisectionOptions bisection;
    ASSIGN_OR_RETURN(bisection.reference_accuracy, ReferenceAccuracy());
    bisection.tolerance = context_.parameters["tolerance"].AsNumber();
    bisection.resolution = context_.parameters["resolution"].AsNumber();
    bisection.start = parameters_.rates[0];
    bisection.max_evaluations = static_cast<int>(context_.parameters["max_evaluations"].AsNumber());
    ASSIGN_OR_RETURN(const std::string dataset, FileDigest(context_.InputFile("dataset")));
    const ProbeCache cache(context_, "prune", inputs_.network_digest, dataset);
    Probe best{inputs_.network, bisection.reference_accuracy};
    const auto measure = [&](double rate) -> absl::StatusOr<double> {
      Value point = context_.parameters;
      point.Set("mode", "fixed");
      point.Set("rate", rate);
      ASSIGN_OR_RETURN(Probe probe, cache.GetOrRun(point, [&] { return RunProbe(rate); }));
      const double accuracy = probe.validation_accuracy;
      if (accuracy >= bisection.reference_accuracy - bisection.tolerance) best = std::move(probe);
      return accuracy;
    };
    ASSIGN_OR_RETURN(const SearchTrace trace, Bisect(bisection, measure));
    RETURN_IF_ERROR(WriteTrainedNetwork(context_, "prune", inputs_, best.network));
    return Measure(trace, best, bisection);
  }

 private:
  absl::StatusOr<TrainResult> PruneTo(const std::vector<double>& rates, nn::Network& network,
                                      std::string& trainer_name) {
    network = inputs_.network;
    TrainOptions options = options_;
    if (parameters_.is_structured) {
      ASSIGN_OR_RETURN(const std::vector<int> layers, ShrinkableLayers(network));
      KeepNeurons(BestOverall(NeuronScores(network, layers), rates[0]), network);
    } else {
      options.pruning = PruneSchedule{rates, parameters_.scope};
    }
    ASSIGN_OR_RETURN(const std::unique_ptr<Trainer> trainer, MakeTrainer(network));
    trainer_name = trainer->name();
    return trainer->Fit(inputs_.train, inputs_.validation, options, network);
  }

  absl::StatusOr<Probe> RunProbe(double rate) {
    Probe probe;
    std::string trainer;
    ASSIGN_OR_RETURN(const TrainResult result, PruneTo({rate}, probe.network, trainer));
    probe.validation_accuracy = result.validation_accuracy;
    return probe;
  }

  absl::StatusOr<double> ReferenceAccuracy() {
    nn::Network network = inputs_.network;
    TrainOptions options = options_;
    options.epochs = 0;
    ASSIGN_OR_RETURN(const std::unique_ptr<Trainer> trainer, MakeTrainer(network));
    ASSIGN_OR_RETURN(const TrainResult result,
                     trainer->Fit(inputs_.train, inputs_.validation, options, network));
    return result.validation_accuracy;
  }

  Measurement Measure(const SearchTrace& trace, const Probe& best,
                      const BisectionOptions& bisection) const {
    TrainResult result;
    result.validation_accuracy = best.validation_accuracy;
    Measurement measurement =
        MeasureTraining(result, best.network, inputs_.validation, "bisection");
    measurement.metrics.erase("train_loss");
    measurement.metrics.erase("validation_loss");
    measurement.metrics.erase("epochs_run");
    measurement.Put("evaluations", static_cast<double>(trace.steps.size()), "count",
                    "dovetail bisection");
    measurement.Put("reference_accuracy", bisection.reference_accuracy, "fraction",
                    "dovetail bisection");
    measurement.log = Value(Value::Map());
    measurement.log.Set("trace", trace.ToTable());
    measurement.log.Set("plot", trace.ToPlot(bisection.reference_accuracy));
    AddNoiseWarning(bisection.tolerance, measurement);
    if (trace.best < 0) {
      measurement.log.Set("warning", "no rate was acceptable: the network is as it came");
    }
    return measurement;
  }

  const TaskContext& context_;
  const TrainingInputs& inputs_;
  const PruneParameters parameters_;
  const TrainOptions options_;
};

class PruneTask final : public Task {
 public:
  absl::StatusOr<Measurement> Run(const TaskContext& context) override {
    ASSIGN_OR_RETURN(PruneParameters parameters, ReadParameters(context.parameters));
    ASSIGN_OR_RETURN(TrainOptions options, OptionsFromParameters(context));
    ASSIGN_OR_RETURN(const TrainingInputs inputs, ReadTrainingInputs(context));
    const bool is_automatic = parameters.is_automatic;
    Pruner pruner(context, inputs, std::move(parameters), std::move(options));
    return is_automatic ? pruner.RunAutomatic() : pruner.RunFixed();
  }
};

}  // namespace

std::unique_ptr<Task> MakePruneTask() { return std::make_unique<PruneTask>(); }

}  // namespace dovetail::train
