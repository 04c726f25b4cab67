#include "services/worker/tasks/check_dataset_task.h"

#include "absl/strings/str_cat.h"
#include "common/base/digest.h"
#include "common/base/status_macros.h"
#include "services/worker/nn/atomic_file.h"
#include "services/worker/nn/network.h"
#include "services/worker/nn/npz.h"
#include "services/worker/nn/prepare_dataset.h"

namespace dovetail {
namespace {

constexpr char kSource[] = "dovetail check_dataset";

Value LogOf(const nn::CheckedDataset& dataset) {
  Value log;
  for (const auto& [name, split] : dataset.splits) {
    std::vector<int64_t> counts(dataset.class_names.size(), 0);
    for (int32_t label : split.labels) ++counts[label];
    Value by_class{Value::Map()};
    for (size_t c = 0; c < counts.size(); ++c) by_class.Set(dataset.class_names[c], counts[c]);
    log.Set(absl::StrCat(name, "_samples_by_class"), std::move(by_class));
  }
  Value constant{Value::List()};
  for (size_t i = 0; i < dataset.sigma.size(); ++i) {
    if (dataset.sigma[i] > 0) continue;
    constant.Append(dataset.feature_names.empty() ? Value(static_cast<int64_t>(i))
                                                  : Value(dataset.feature_names[i]));
  }
  log.Set("constant_columns", std::move(constant));
  log.Set("split_here", dataset.was_split_here);
  return log;
}

class CheckDatasetTask : public Task {
 public:
  absl::StatusOr<Measurement> Run(const TaskContext& context) override {
    const std::string file = context.InputFile("npz");
    ASSIGN_OR_RETURN(nn::Network network, nn::ReadNetworkFile(context.InputFile("network")));
    ASSIGN_OR_RETURN(const std::string bytes, nn::ReadWholeFile(file, size_t{4} << 30));
    ASSIGN_OR_RETURN_WITH(const auto arrays, nn::ParseNpz(bytes), file);
    ASSIGN_OR_RETURN_WITH(nn::CheckedDataset dataset, nn::CheckDataset(arrays, network), file);
    const Value log = LogOf(dataset);
    const std::string normalization = context.parameters["normalization"].AsString();
    if (normalization == "dataset") {
      nn::Standardize(dataset);
    } else if (normalization == "first_layer") {
      RETURN_IF_ERROR(nn::FoldStandardization(dataset, network));
    } else if (normalization != "none") {
      return absl::InvalidArgumentError(absl::StrCat("normalization \"", normalization,
                                                     "\" is none of none, dataset, first_layer"));
    }
    Value provenance;
    provenance.Set("task", "check_dataset").Set("normalization", normalization);
    provenance.Set("source", Sha256Hex(bytes));
    nn::PreparedDataset prepared = dataset.View({"train", "validation"});
    prepared.provenance = provenance;
    RETURN_IF_ERROR(nn::WritePreparedDataset(prepared, context.OutputFile("dataset")));
    nn::PreparedDataset test = dataset.View({"test"});
    test.provenance = provenance;
    RETURN_IF_ERROR(nn::WritePreparedDataset(test, context.OutputFile("test")));
    network.provenance.Set("normalization", normalization);
    RETURN_IF_ERROR(nn::WriteNetworkFile(network, context.OutputFile("network")));

    Measurement measurement;
    for (const auto& [name, split] : dataset.splits) {
      measurement.Put(absl::StrCat(name, "_count"), static_cast<double>(split.count), "count",
                      kSource);
    }
    measurement.Put("feature_count", static_cast<double>(dataset.mean.size()), "count", kSource);
    measurement.Put("class_count", static_cast<double>(dataset.class_names.size()), "count",
                    kSource);
    measurement.log = log;
    return measurement;
  }
};

}  // namespace

std::unique_ptr<Task> MakeCheckDatasetTask() { return std::make_unique<CheckDatasetTask>(); }

}  // namespace dovetail
