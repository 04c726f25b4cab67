// Prepared datasets: what `check_dataset` makes of a user's .npz and every other task maps
// read-only. Train and validation are in one file; the test split is a file of its own, so that no
// task can select on it.
#ifndef DOVETAIL_SERVICES_WORKER_NN_DATASET_H_
#define DOVETAIL_SERVICES_WORKER_NN_DATASET_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "services/worker/nn/network.h"

namespace dovetail::nn {

// A view; valid while its Dataset lives.
struct Split {
  Shape sample_shape;  // without the batch dimension, channels last
  int64_t count = 0;
  absl::Span<const float> features;  // [count x ElementCount(sample_shape)], row-major
  absl::Span<const int32_t> labels;  // [count], class index in [0, class_count)
};

// A file mapped read-only: a hundred tasks on one machine share its pages.
class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual int class_count() const = 0;
  virtual std::vector<std::string> class_names() const = 0;
  // Errors: NotFound naming the splits there are ("train", "validation", "test").
  virtual absl::StatusOr<Split> Get(const std::string& split_name) const = 0;

  // Errors: NotFound, InvalidArgument (not a prepared dataset), DataLoss (truncated).
  static absl::StatusOr<std::unique_ptr<Dataset>> Map(const std::string& file);

  // Names of the splits there are, sorted.
  virtual std::vector<std::string> SplitNames() const { return {}; }
  // Empty, or one per feature.
  virtual std::vector<std::string> FeatureNames() const { return {}; }
  // How the features came to be (task, normalisation, digest of the source); may be null.
  virtual Value Provenance() const { return {}; }
};

// What WritePreparedDataset writes; the splits' memory belongs to the caller.
struct PreparedDataset {
  std::vector<std::string> class_names;    // class i is labelled i
  std::vector<std::string> feature_names;  // empty, or one per feature
  std::map<std::string, Split> splits;     // by name; all of one sample shape
  Value provenance;
};

// The file: "DOVETDS1", the size of a JSON header (8 bytes, little-endian), the header (class and
// feature names, per split its count and the offsets of its blobs), then the blobs, each aligned to
// 64 bytes: features as float32, labels as int32. Equal datasets give equal bytes; the file appears
// complete or not at all.
// Errors: InvalidArgument (sizes that do not fit, labels out of range); see WriteFileAtomically.
absl::Status WritePreparedDataset(const PreparedDataset& dataset, const std::string& file);

}  // namespace dovetail::nn

#endif  // DOVETAIL_SERVICES_WORKER_NN_DATASET_H_
