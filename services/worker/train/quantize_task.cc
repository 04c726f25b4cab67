// quantize: ap_fixed types for every tensor, then retraining with straight-through estimators.
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/worker/fixedpoint/engine.h"
#include "services/worker/train/bit_learning.h"
#include "services/worker/train/task_support.h"
#include "services/worker/train/training_tasks.h"
#include "services/worker/train/type_choice.h"
#include "services/worker/train/type_grid.h"

namespace dovetail::train {
namespace {

absl::Status CheckBitsParameter(const Value& parameters) {
  const std::string& bits = parameters["bits"].AsString();
  if (bits != "uniform" && bits != "trainable") {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no bits \"", bits, "\"; known: uniform, trainable"));
  }
  if (bits == "uniform") return absl::OkStatus();
  if (!parameters["Precision"].AsString().empty()) {
    return absl::InvalidArgumentError(
        "bits: trainable finds the types itself: leave Precision out");
  }
  if (parameters["epochs"].AsNumber() >= 3) return absl::OkStatus();
  return absl::InvalidArgumentError("bits: trainable needs at least 3 epochs, and better 30");
}

absl::Status GiveTypes(const Value& parameters, const nn::Split& train, nn::Network& network) {
  const std::string& precision = parameters["Precision"].AsString();
  if (!precision.empty()) {
    ASSIGN_OR_RETURN_WITH(const FixedType type, ParseFixedType(precision), "Precision");
    SetUniformType(type, network);
    return absl::OkStatus();
  }
  TypeOptions options;
  options.weight_bits = static_cast<int>(parameters["weight_bits"].AsNumber());
  options.activation_bits = static_cast<int>(parameters["activation_bits"].AsNumber());
  options.input_bits = static_cast<int>(parameters["input_bits"].AsNumber());
  return ChooseTypes(train, options, network);
}

// Accuracy of the rounded network on the validation split, by the bit-exact engine.
absl::StatusOr<double> EngineAccuracy(const nn::Network& network, const nn::Split& split,
                                      int thread_count) {
  ASSIGN_OR_RETURN(const std::unique_ptr<fixedpoint::Engine> engine,
                   fixedpoint::Engine::Make(network, {.thread_count = thread_count}));
  ASSIGN_OR_RETURN(const std::vector<int64_t> raw, engine->RunRaw(split.features, split.count));
  const int64_t classes = engine->output_count();
  int64_t hits = 0;
  for (int64_t i = 0; i < split.count; ++i) {
    int64_t best = 0;
    for (int64_t j = 1; j < classes; ++j) {
      if (raw[i * classes + j] > raw[i * classes + best]) best = j;
    }
    hits += best == split.labels[i];
  }
  return static_cast<double>(hits) / static_cast<double>(split.count);
}

// Puts every parameter on its grid and remakes result types that are exact accumulators.
void RoundNetwork(nn::Network& network) {
  for (nn::Layer& layer : network.layers) {
    const nn::Layer* source = layer.inputs.empty() ? nullptr : network.Find(layer.inputs[0]);
    const bool has_exact_result = source != nullptr && HasExactResult(layer, *source);
    CastParameters(layer);
    if (has_exact_result) SetExactResult(layer, *source);
  }
}

class QuantizeTask final : public Task {
 public:
  absl::StatusOr<Measurement> Run(const TaskContext& context) override {
    ASSIGN_OR_RETURN(const TrainOptions options, OptionsFromParameters(context));
    ASSIGN_OR_RETURN(TrainingInputs inputs, ReadTrainingInputs(context));
    RETURN_IF_ERROR(CheckSplit(inputs.network, inputs.train, "train"));
    RETURN_IF_ERROR(CheckSplit(inputs.network, inputs.validation, "validation"));
    nn::Network network = inputs.network;
    RETURN_IF_ERROR(CheckBitsParameter(context.parameters));
    RETURN_IF_ERROR(GiveTypes(context.parameters, inputs.train, network));
    TrainResult result;
    std::string trainer_name = "fixed-point engine";
    const bool learns_bits = context.parameters["bits"].AsString() == "trainable";
    BitResult learnt;
    if (learns_bits) {
      const BitOptions bit_options{.resource_weight =
                                       context.parameters["resource_weight"].AsNumber()};
      ASSIGN_OR_RETURN(learnt,
                       LearnBits(inputs.train, inputs.validation, options, bit_options, network));
      result = learnt.training;
      trainer_name = "dense";
    } else if (options.epochs == 0) {
      RoundNetwork(network);
      ASSIGN_OR_RETURN(result.validation_accuracy,
                       EngineAccuracy(network, inputs.validation, context.thread_count));
    } else {
      ASSIGN_OR_RETURN(const std::unique_ptr<Trainer> trainer, MakeTrainer(network));
      ASSIGN_OR_RETURN(result, trainer->Fit(inputs.train, inputs.validation, options, network));
      trainer_name = trainer->name();
    }
    RETURN_IF_ERROR(WriteTrainedNetwork(context, "quantize", inputs, network));
    Measurement measurement = MeasureTraining(result, network, inputs.validation, trainer_name);
    if (learns_bits) {
      const std::string source = "dovetail bit learning";
      measurement.Put("effective_bit_operations", learnt.effective_bit_operations, "count", source);
      measurement.Put("mean_weight_bits", learnt.mean_weight_bits, "bits", source);
    }
    Value types{Value::Map()};
    for (const nn::Layer& layer : network.layers) {
      for (const auto& [role, type] : layer.types) {
        types.Set(absl::StrCat(layer.name, ".", role), FixedTypeToText(type.type));
      }
    }
    measurement.log.Set("types", types);
    return measurement;
  }
};

}  // namespace

std::unique_ptr<Task> MakeQuantizeTask() { return std::make_unique<QuantizeTask>(); }

}  // namespace dovetail::train
