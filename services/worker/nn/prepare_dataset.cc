#include "services/worker/nn/prepare_dataset.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/rng.h"
#include "common/base/status_macros.h"
#include "services/worker/nn/layer_shapes.h"

namespace dovetail::nn {
namespace {

using Arrays = std::map<std::string, NpyArray>;

absl::Status Wrong(const std::string& array, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("array \"", array, "\": ", why));
}

std::string ArrayNames(const Arrays& arrays) {
  std::vector<std::string> names;
  for (const auto& [name, array] : arrays) names.push_back(name);
  return absl::StrJoin(names, ", ");
}

// The name under which the array is there, "" where it is not.
std::string NameIn(const Arrays& arrays, const std::string& kind, const std::string& split) {
  const std::string name = split.empty() ? kind : absl::StrCat(kind, "_", split);
  if (arrays.contains(name)) return name;
  if (split == "validation" && arrays.contains(kind + "_val")) return kind + "_val";
  return "";
}

Shape WithoutOnes(const Shape& shape) {
  Shape result;
  for (int64_t extent : shape) {
    if (extent != 1) result.push_back(extent);
  }
  return result;
}

absl::Status CheckSampleShape(const std::string& name, const NpyArray& array,
                              const Shape& expected) {
  const Shape sample(array.shape.empty() ? array.shape.begin() : array.shape.begin() + 1,
                     array.shape.end());
  const bool flat = sample.size() == 1 && sample[0] == ElementCount(expected);
  if (!array.shape.empty() && (flat || WithoutOnes(sample) == WithoutOnes(expected))) {
    return absl::OkStatus();
  }
  Shape wanted = expected;
  return Wrong(name, absl::StrCat("its shape ", ShapeText(array.shape),
                                  " does not fit the network's input [n, ",
                                  absl::StrJoin(wanted, ", "), "]"));
}

absl::Status CheckFinite(const std::string& name, const std::vector<float>& features, int64_t width,
                         const std::vector<std::string>& feature_names) {
  for (size_t i = 0; i < features.size(); ++i) {
    if (std::isfinite(features[i])) continue;
    const size_t column = i % static_cast<size_t>(width);
    const std::string column_name =
        feature_names.empty() ? "" : absl::StrCat(" (", feature_names[column], ")");
    return Wrong(name, absl::StrCat("it is ", std::isnan(features[i]) ? "NaN" : "infinite",
                                    " in row ", i / static_cast<size_t>(width), ", column ", column,
                                    column_name, "; remove or repair that row"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<int32_t>> OneHotLabels(const std::string& name, const NpyArray& array,
                                                  int class_count) {
  ASSIGN_OR_RETURN(const std::vector<float> rows, array.ToFloats());
  std::vector<int32_t> labels;
  for (int64_t row = 0; row < array.shape[0]; ++row) {
    int32_t label = -1;
    for (int32_t c = 0; c < class_count; ++c) {
      const float value = rows[static_cast<size_t>(row * class_count + c)];
      if (value != 0 && (value != 1 || label >= 0)) {
        return Wrong(name, absl::StrCat("row ", row, " is not one-hot"));
      }
      if (value == 1) label = c;
    }
    if (label < 0) return Wrong(name, absl::StrCat("row ", row, " is not one-hot"));
    labels.push_back(label);
  }
  return labels;
}

absl::StatusOr<std::vector<int32_t>> Labels(const std::string& name, const NpyArray& array,
                                            int class_count) {
  if (array.shape.size() == 2 && array.shape[1] == class_count && class_count > 1) {
    return OneHotLabels(name, array, class_count);
  }
  if (array.shape.empty() || array.ElementCount() != array.shape[0]) {
    return Wrong(name, absl::StrCat("its shape ", ShapeText(array.shape),
                                    " is neither [n] nor [n, ", class_count, "]"));
  }
  ASSIGN_OR_RETURN_WITH(const std::vector<int64_t> numbers, array.ToIntegers(),
                        absl::StrCat("array \"", name, "\""));
  std::vector<int32_t> labels;
  for (size_t row = 0; row < numbers.size(); ++row) {
    if (numbers[row] < 0 || numbers[row] >= class_count) {
      return Wrong(name, absl::StrCat("the label ", numbers[row], " in row ", row, " is not in 0..",
                                      class_count - 1, ", the classes of the network's output"));
    }
    labels.push_back(static_cast<int32_t>(numbers[row]));
  }
  return labels;
}

absl::StatusOr<SplitArrays> ReadSplit(const Arrays& arrays, const std::string& x_name,
                                      const std::string& y_name, const CheckedDataset& dataset) {
  const NpyArray& x = arrays.at(x_name);
  RETURN_IF_ERROR(CheckSampleShape(x_name, x, dataset.sample_shape));
  SplitArrays split;
  split.count = x.shape[0];
  if (split.count == 0) return Wrong(x_name, "it has no rows");
  ASSIGN_OR_RETURN_WITH(split.features, x.ToFloats(), absl::StrCat("array \"", x_name, "\""));
  RETURN_IF_ERROR(CheckFinite(x_name, split.features, ElementCount(dataset.sample_shape),
                              dataset.feature_names));
  ASSIGN_OR_RETURN(split.labels,
                   Labels(y_name, arrays.at(y_name), static_cast<int>(dataset.class_names.size())));
  if (static_cast<int64_t>(split.labels.size()) != split.count) {
    return Wrong(y_name, absl::StrCat("it has ", split.labels.size(), " labels for ", split.count,
                                      " rows of \"", x_name, "\""));
  }
  return split;
}

// 60 : 20 : 20 of a shuffle that depends on nothing but the count.
absl::Status SplitHere(const Arrays& arrays, CheckedDataset& dataset) {
  if (!arrays.contains("y")) return Wrong("y", "it is missing beside \"x\"");
  ASSIGN_OR_RETURN(const SplitArrays all, ReadSplit(arrays, "x", "y", dataset));
  if (all.count < 5) return Wrong("x", "fewer than 5 rows cannot be split");
  std::vector<int64_t> order(static_cast<size_t>(all.count));
  std::iota(order.begin(), order.end(), 0);
  Rng::Derive(1, "split of x and y").Shuffle(order);
  const int64_t width = ElementCount(dataset.sample_shape);
  const int64_t validation_count = all.count / 5;
  for (int64_t i = 0; i < all.count; ++i) {
    const char* name = i < validation_count       ? "validation"
                       : i < 2 * validation_count ? "test"
                                                  : "train";
    SplitArrays& split = dataset.splits[name];
    const auto row = all.features.begin() + order[i] * width;
    split.features.insert(split.features.end(), row, row + width);
    split.labels.push_back(all.labels[order[i]]);
    ++split.count;
  }
  dataset.was_split_here = true;
  return absl::OkStatus();
}

absl::Status ReadSplits(const Arrays& arrays, CheckedDataset& dataset) {
  if (arrays.contains("x") && NameIn(arrays, "x", "train").empty()) {
    return SplitHere(arrays, dataset);
  }
  for (const char* name : {"train", "validation", "test"}) {
    const std::string x = NameIn(arrays, "x", name);
    const std::string y = NameIn(arrays, "y", name);
    if (x.empty() || y.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the dataset has no x_", name, " and y_", name, " (it has ", ArrayNames(arrays),
          "); give x_ and y_ of train, validation and test, or only x and y to have them split"));
    }
    ASSIGN_OR_RETURN(dataset.splits[name], ReadSplit(arrays, x, y, dataset));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> Names(const Arrays& arrays, const std::string& array,
                                               size_t expected) {
  const auto it = arrays.find(array);
  if (it == arrays.end()) return std::vector<std::string>();
  ASSIGN_OR_RETURN_WITH(std::vector<std::string> names, it->second.ToStrings(),
                        absl::StrCat("array \"", array, "\""));
  if (names.size() != expected) {
    return Wrong(array, absl::StrCat("it has ", names.size(), " names, not ", expected));
  }
  return names;
}

// One number, one per channel or one per element, as one per element.
absl::StatusOr<std::vector<double>> Statistic(const Arrays& arrays, const std::string& name,
                                              const Shape& sample_shape) {
  ASSIGN_OR_RETURN_WITH(const std::vector<float> given, arrays.at(name).ToFloats(),
                        absl::StrCat("array \"", name, "\""));
  const int64_t width = ElementCount(sample_shape);
  const int64_t count = static_cast<int64_t>(given.size());
  if (count != 1 && count != width && count != sample_shape.back()) {
    return Wrong(name, absl::StrCat("it has ", count, " numbers, not ", width));
  }
  std::vector<double> result;
  for (int64_t i = 0; i < width; ++i) {
    const double value = given[static_cast<size_t>(i % count)];
    if (!std::isfinite(value) || (name == "sigma" && value < 0)) {
      return Wrong(name, absl::StrCat("its value for column ", i, " is ", value));
    }
    result.push_back(value);
  }
  return result;
}

void ComputeStatistics(const SplitArrays& train, size_t width, CheckedDataset& dataset) {
  dataset.mean.assign(width, 0);
  dataset.sigma.assign(width, 0);
  const double count = static_cast<double>(train.count);
  for (size_t i = 0; i < train.features.size(); ++i) dataset.mean[i % width] += train.features[i];
  for (double& mean : dataset.mean) mean /= count;
  for (size_t i = 0; i < train.features.size(); ++i) {
    const double difference = train.features[i] - dataset.mean[i % width];
    dataset.sigma[i % width] += difference * difference;
  }
  for (double& sigma : dataset.sigma) sigma = std::sqrt(sigma / count);
}

}  // namespace

PreparedDataset CheckedDataset::View(const std::vector<std::string>& split_names) const {
  PreparedDataset prepared;
  prepared.class_names = class_names;
  prepared.feature_names = feature_names;
  for (const std::string& name : split_names) {
    const SplitArrays& split = splits.at(name);
    prepared.splits[name] = {sample_shape, split.count, split.features, split.labels};
  }
  return prepared;
}

int ClassCount(const Network& network) {
  const int logits = network.LogitsIndex();
  if (logits < 0) return 0;
  const int64_t count = ElementCount(network.layers[logits].output_shape);
  return count == 1 ? 2 : static_cast<int>(count);
}

absl::StatusOr<CheckedDataset> CheckDataset(const Arrays& arrays, const Network& network) {
  const std::vector<int> inputs = network.InputIndices();
  if (inputs.size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat("the network has ", inputs.size(),
                                                   " inputs; a dataset is for networks with one"));
  }
  CheckedDataset dataset;
  dataset.sample_shape = network.layers[inputs[0]].output_shape;
  const size_t width = static_cast<size_t>(ElementCount(dataset.sample_shape));
  const size_t class_count = static_cast<size_t>(ClassCount(network));
  ASSIGN_OR_RETURN(dataset.feature_names, Names(arrays, "feature_names", width));
  ASSIGN_OR_RETURN(dataset.class_names, Names(arrays, "class_names", class_count));
  for (size_t c = dataset.class_names.size(); c < class_count; ++c) {
    dataset.class_names.push_back(absl::StrCat("class", c));
  }
  RETURN_IF_ERROR(ReadSplits(arrays, dataset));
  ComputeStatistics(dataset.splits["train"], width, dataset);
  if (arrays.contains("mean")) {
    ASSIGN_OR_RETURN(dataset.mean, Statistic(arrays, "mean", dataset.sample_shape));
  }
  if (arrays.contains("sigma")) {
    ASSIGN_OR_RETURN(dataset.sigma, Statistic(arrays, "sigma", dataset.sample_shape));
  }
  return dataset;
}

void Standardize(CheckedDataset& dataset) {
  const size_t width = dataset.mean.size();
  for (auto& [name, split] : dataset.splits) {
    for (size_t i = 0; i < split.features.size(); ++i) {
      const double sigma = dataset.sigma[i % width];
      split.features[i] =
          sigma > 0 ? static_cast<float>((split.features[i] - dataset.mean[i % width]) / sigma)
                    : 0.0f;
    }
  }
}

absl::Status FoldStandardization(const CheckedDataset& dataset, Network& network) {
  const std::string input = network.layers[network.InputIndices()[0]].name;
  Layer* first = nullptr;
  int readers = 0;
  for (Layer& layer : network.layers) {
    if (std::count(layer.inputs.begin(), layer.inputs.end(), input) == 0) continue;
    first = &layer;
    ++readers;
  }
  const bool foldable =
      readers == 1 && first->op == Op::kDense && first->types.empty() &&
      first->parameters["kernel"].shape[0] == static_cast<int64_t>(dataset.mean.size());
  if (!foldable) {
    return absl::InvalidArgumentError(
        "normalization first_layer needs one float dense layer that alone reads the input; "
        "use \"dataset\"");
  }
  Tensor& kernel = first->parameters["kernel"];
  const size_t n_out = static_cast<size_t>(kernel.shape[1]);
  std::vector<double> bias(n_out, 0);
  if (const auto it = first->parameters.find("bias"); it != first->parameters.end()) {
    bias.assign(it->second.values.begin(), it->second.values.end());
  }
  for (size_t i = 0; i < dataset.mean.size(); ++i) {
    const double gain = dataset.sigma[i] > 0 ? 1 / dataset.sigma[i] : 0;
    for (size_t j = 0; j < n_out; ++j) {
      const double weight = kernel.values[i * n_out + j] * gain;
      bias[j] -= weight * dataset.mean[i];
      kernel.values[i * n_out + j] = static_cast<float>(weight);
    }
  }
  first->parameters["bias"] = {{static_cast<int64_t>(n_out)},
                               std::vector<float>(bias.begin(), bias.end())};
  return Check(network);
}

}  // namespace dovetail::nn
