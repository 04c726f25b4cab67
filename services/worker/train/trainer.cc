#include "services/worker/train/trainer.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/worker/train/dense_model.h"
#include "services/worker/train/graph_model.h"

namespace dovetail::train {
namespace {

absl::Status Bad(absl::string_view option, double value, absl::string_view legal) {
  return absl::InvalidArgumentError(absl::StrCat(option, " is ", value, ", not ", legal));
}

}  // namespace

absl::Status CheckOptions(const TrainOptions& options, const nn::Network& network) {
  if (options.epochs < 0 || options.epochs > 100000) {
    return Bad("epochs", options.epochs, "in 0..100000");
  }
  if (options.batch_size < 1) return Bad("batch_size", options.batch_size, "at least 1");
  if (!(options.learning_rate > 0) || !std::isfinite(options.learning_rate)) {
    return Bad("learning_rate", options.learning_rate, "a positive number");
  }
  if (!(options.optimizer.l1 >= 0)) return Bad("l1", options.optimizer.l1, "at least 0");
  if (!(options.optimizer.l2 >= 0)) return Bad("l2", options.optimizer.l2, "at least 0");
  if (!options.pruning.has_value()) return absl::OkStatus();
  for (const double rate : options.pruning->rates) {
    if (!(rate >= 0 && rate < 1)) return Bad("the pruning rate", rate, "in [0, 1)");
  }
  size_t layer_count = 0;
  for (const nn::Layer& layer : network.layers) layer_count += layer.HasWeights();
  const size_t rate_count = options.pruning->rates.size();
  if (rate_count != 1 && rate_count != layer_count) {
    return absl::InvalidArgumentError(absl::StrCat("there are ", rate_count, " pruning rates for ",
                                                   layer_count, " layers with weights"));
  }
  return absl::OkStatus();
}

absl::Status CheckSplit(const nn::Network& network, const nn::Split& split,
                        const std::string& name) {
  if (split.count < 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the dataset's ", name, " split is empty: training needs a train and a validation split"));
  }
  const std::vector<int> inputs = network.InputIndices();
  const int64_t network_count =
      inputs.size() == 1 ? nn::ElementCount(network.layers[inputs[0]].output_shape) : -1;
  const int64_t count = nn::ElementCount(split.sample_shape);
  if (count != network_count) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the dataset's samples have ", count, " elements, the network's input ", network_count));
  }
  const int64_t class_count = nn::ElementCount(network.layers[network.LogitsIndex()].output_shape);
  for (const int32_t label : split.labels) {
    if (label >= 0 && label < class_count) continue;
    return absl::InvalidArgumentError(absl::StrCat("the ", name, " split has a label ", label,
                                                   ", the network ", class_count, " classes"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Trainer>> MakeTrainer(const nn::Network& network) {
  if (ReadDenseModel(network).ok()) return MakeDenseTrainer();
  RETURN_IF_ERROR(ReadGraphModel(network).status());
  return MakeGraphTrainer();
}

}  // namespace dovetail::train
