// A user's arrays against a network: shapes, labels, numbers that are none, and standardisation.
// Called by the check_dataset task. Pure: no files.
#ifndef DOVETAIL_SERVICES_WORKER_NN_PREPARE_DATASET_H_
#define DOVETAIL_SERVICES_WORKER_NN_PREPARE_DATASET_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/worker/nn/dataset.h"
#include "services/worker/nn/network.h"
#include "services/worker/nn/npz.h"

namespace dovetail::nn {

struct SplitArrays {
  int64_t count = 0;
  std::vector<float> features;
  std::vector<int32_t> labels;
};

struct CheckedDataset {
  Shape sample_shape;
  std::vector<std::string> class_names;
  std::vector<std::string> feature_names;
  std::map<std::string, SplitArrays> splits;  // "train", "validation", "test"
  std::vector<double> mean;                   // per element of the sample, of the train split
  std::vector<double> sigma;
  bool was_split_here = false;  // only x and y were given

  // A view of the named splits, for WritePreparedDataset.
  PreparedDataset View(const std::vector<std::string>& split_names) const;
};

// Classes a network tells apart: its output elements, 2 where it has one.
int ClassCount(const Network& network);

// Arrays: x_train, y_train, x_validation, y_validation, x_test, y_test (x_val and y_val too), or
// only x and y, which are then shuffled by a fixed seed and split 60 : 20 : 20. Labels are class
// indices [n] or one-hot rows [n, classes]. Optional: class_names, feature_names, mean, sigma (of
// the train split; absent: computed).
// Errors: InvalidArgument naming the array, and row and column of a value that is not finite.
absl::StatusOr<CheckedDataset> CheckDataset(const std::map<std::string, NpyArray>& arrays,
                                            const Network& network);

// (x - mean) / sigma in every split; a column with sigma 0 becomes 0.
void Standardize(CheckedDataset& dataset);

// The same standardisation folded into the dense layer that reads the input: kernel rows divided by
// sigma, the bias less mean / sigma times the kernel. The network then takes raw features.
// Errors: InvalidArgument: no float dense layer alone reads the input.
absl::Status FoldStandardization(const CheckedDataset& dataset, Network& network);

}  // namespace dovetail::nn

#endif  // DOVETAIL_SERVICES_WORKER_NN_PREPARE_DATASET_H_
