// train: fit a network in floating point (or with its fake quantisers, where it has types).
#include <cmath>
#include <utility>

#include "common/base/rng.h"
#include "common/base/status_macros.h"
#include "services/worker/train/task_support.h"
#include "services/worker/train/training_tasks.h"

namespace dovetail::train {
namespace {

bool IsBeforeRelu(const nn::Network& network, const nn::Layer& layer) {
  for (const nn::Layer& reader : network.layers) {
    if (reader.op != nn::Op::kRelu || reader.inputs.empty()) continue;
    if (reader.inputs[0] == layer.name) return true;
  }
  return false;
}

// New weights, normal with variance 2 / fan-in before a relu (He et al. 2015, equation 10), else
// 1 / fan-in (LeCun et al. 1998, section 4.6); biases 0. Masks stay.
void DrawWeights(uint64_t seed, nn::Network& network) {
  for (nn::Layer& layer : network.layers) {
    if (!layer.HasWeights()) continue;
    Rng rng = Rng::Derive(seed, "weights of " + layer.name);
    nn::Tensor& kernel = layer.parameters.at("kernel");
    const double fan_in =
        static_cast<double>(kernel.values.size()) / static_cast<double>(kernel.shape.back());
    const double gain = IsBeforeRelu(network, layer) ? 2.0 : 1.0;
    const double sigma = std::sqrt(gain / fan_in);
    for (float& value : kernel.values) value = static_cast<float>(sigma * rng.Normal());
    if (const auto mask = layer.masks.find("kernel"); mask != layer.masks.end()) {
      for (size_t i = 0; i < kernel.values.size(); ++i) {
        if (mask->second.values[i] == 0.0f) kernel.values[i] = 0.0f;
      }
    }
    const auto bias = layer.parameters.find("bias");
    if (bias != layer.parameters.end()) {
      bias->second.values.assign(bias->second.values.size(), 0.0f);
    }
  }
}

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
