#include "services/worker/tasks/evaluate_task.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/worker/fixedpoint/engine.h"
#include "services/worker/fixedpoint/fixed_value.h"
#include "services/worker/fixedpoint/metrics.h"
#include "services/worker/fixedpoint/parallel.h"
#include "services/worker/fixedpoint/tensor_grid.h"
#include "services/worker/nn/dataset.h"
#include "services/worker/nn/network.h"
#include "services/worker/nn/prepare_dataset.h"

namespace dovetail {
namespace {

constexpr char kFixedSource[] = "dovetail fixed-point engine";
constexpr char kFloatSource[] = "dovetail float reference";

// Logits of all samples as real numbers, and their argmax.
struct Logits {
  std::vector<double> values;
  std::vector<int32_t> classes;
  int64_t width = 0;
};

absl::StatusOr<Logits> FixedLogits(const nn::Network& network, const nn::Split& split,
                                   int thread_count) {
  fixedpoint::EngineOptions options;
  options.thread_count = thread_count;
  ASSIGN_OR_RETURN(const auto engine, fixedpoint::Engine::Make(network, options));
  ASSIGN_OR_RETURN(const std::vector<int64_t> raws, engine->RunRaw(split.features, split.count));
  Logits logits;
  logits.width = engine->output_count();
  logits.values.reserve(raws.size());
  for (size_t i = 0; i < raws.size(); ++i) {
    logits.values.push_back(fixedpoint::ToDouble(
        raws[i],
        fixedpoint::TypeAt(engine->logits_type(), static_cast<int64_t>(i) % logits.width)));
  }
  // Raw integers compare as the hardware compares them; types may differ by channel.
  const bool one_type = engine->logits_type().elements.empty();
  const bool is_signed = engine->logits_type().type.is_signed;
  logits.classes = one_type && is_signed ? fixedpoint::Classes<int64_t>(raws, logits.width)
                                         : fixedpoint::Classes<double>(logits.values, logits.width);
  return logits;
}

absl::StatusOr<Logits> FloatLogits(const nn::Network& network, const nn::Split& split,
                                   int thread_count) {
  const int64_t width = nn::ElementCount(split.sample_shape);
  const int64_t parts = std::max<int64_t>(1, std::min<int64_t>(thread_count, split.count));
  std::vector<absl::StatusOr<std::vector<float>>> floats(static_cast<size_t>(parts));
  fixedpoint::ParallelFor(thread_count, parts, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) {
      const int64_t first = split.count * part / parts;
      const int64_t count = split.count * (part + 1) / parts - first;
      floats[part] = fixedpoint::RunFloat(
          network, split.features.subspan(first * width, count * width), count);
    }
  });
  Logits logits;
  logits.width = nn::ElementCount(network.layers[network.LogitsIndex()].output_shape);
  for (const auto& part : floats) {
    RETURN_IF_ERROR(part.status());
    logits.values.insert(logits.values.end(), part->begin(), part->end());
  }
  // Floats widen to doubles exactly: the argmax is that of the floats.
  logits.classes = fixedpoint::Classes<double>(logits.values, logits.width);
  return logits;
}

std::string MetricName(absl::string_view class_name) {
  std::string name = "auc_";
  for (char c : absl::AsciiStrToLower(class_name)) {
    name.push_back(absl::ascii_isalnum(static_cast<unsigned char>(c)) ? c : '_');
  }
  return name;
}

Value ConfusionMatrix(const Logits& logits, const nn::Split& split,
                      const std::vector<std::string>& class_names) {
  const size_t count = class_names.size();
  std::vector<int64_t> table(count * count, 0);
  for (size_t i = 0; i < split.labels.size(); ++i) {
    ++table[split.labels[i] * count + logits.classes[i]];
  }
  Value rows{Value::Map()};
  for (size_t r = 0; r < count; ++r) {
    Value row{Value::Map()};
    for (size_t c = 0; c < count; ++c) row.Set(class_names[c], table[r * count + c]);
    rows.Set(class_names[r], std::move(row));
  }
  return rows;
}

void PutMetrics(const Logits& logits, const nn::Split& split, const nn::Dataset& dataset,
                const std::string& source, Measurement& measurement) {
  const double accuracy = fixedpoint::FractionEqual(logits.classes, split.labels);
  measurement.Put("accuracy", accuracy, "fraction", source,
                  fixedpoint::ProportionError(accuracy, split.count));
  const fixedpoint::LogLoss loss = fixedpoint::LogLossOf(logits.values, logits.width, split.labels);
  measurement.Put("log_loss", loss.mean, "nats", source, loss.standard_error);
  const std::vector<std::string> names = dataset.class_names();
  for (size_t c = 0; c < names.size(); ++c) {
    measurement.Put(MetricName(names[c]),
                    fixedpoint::AreaUnderCurve(logits.values, logits.width, split.labels,
                                               static_cast<int32_t>(c)),
                    "fraction", source);
  }
  measurement.log.Set("confusion_matrix", ConfusionMatrix(logits, split, names));
}

absl::Status CheckFit(const nn::Network& network, const nn::Split& split,
                      const nn::Dataset& dataset) {
  const std::vector<int> inputs = network.InputIndices();
  if (inputs.size() != 1 || network.layers[inputs[0]].output_shape != split.sample_shape ||
      nn::ClassCount(network) != dataset.class_count()) {
    return absl::InvalidArgumentError(
        "the dataset was prepared for a network with another input or other classes; run "
        "check_dataset with this network");
  }
  return absl::OkStatus();
}

class EvaluateTask : public Task {
 public:
  absl::StatusOr<Measurement> Run(const TaskContext& context) override {
    ASSIGN_OR_RETURN(const nn::Network network, nn::ReadNetworkFile(context.InputFile("network")));
    ASSIGN_OR_RETURN(const auto dataset, nn::Dataset::Map(context.InputFile("dataset")));
    const std::vector<std::string> splits = dataset->SplitNames();
    const bool test_only = splits == std::vector<std::string>{"test"};
    const std::string split_name = test_only ? "test" : "validation";
    ASSIGN_OR_RETURN(const nn::Split split, dataset->Get(split_name));
    RETURN_IF_ERROR(CheckFit(network, split, *dataset));

    const std::string arithmetic = context.parameters["arithmetic"].AsString();
    if (arithmetic != "auto" && arithmetic != "fixed" && arithmetic != "float") {
      return absl::InvalidArgumentError(
          absl::StrCat("arithmetic \"", arithmetic, "\" is none of auto, fixed, float"));
    }
    const bool fixed = arithmetic == "fixed" || (arithmetic == "auto" && network.IsQuantized());
    Measurement measurement;
    measurement.log.Set("split", split_name).Set("arithmetic", fixed ? "fixed" : "float");
    ASSIGN_OR_RETURN(const Logits reference, FloatLogits(network, split, context.thread_count));
    const double float_accuracy = fixedpoint::FractionEqual(reference.classes, split.labels);
    measurement.Put("float_accuracy", float_accuracy, "fraction", kFloatSource,
                    fixedpoint::ProportionError(float_accuracy, split.count));
    if (!fixed) {
      PutMetrics(reference, split, *dataset, kFloatSource, measurement);
      measurement.Put("agreement_with_float", 1, "fraction", kFloatSource);
      return measurement;
    }
    ASSIGN_OR_RETURN(const Logits logits, FixedLogits(network, split, context.thread_count));
    PutMetrics(logits, split, *dataset, kFixedSource, measurement);
    const double agreement = fixedpoint::FractionEqual(logits.classes, reference.classes);
    measurement.Put("agreement_with_float", agreement, "fraction", kFixedSource,
                    fixedpoint::ProportionError(agreement, split.count));
    return measurement;
  }
};

}  // namespace

std::unique_ptr<Task> MakeEvaluateTask() { return std::make_unique<EvaluateTask>(); }

}  // namespace dovetail
