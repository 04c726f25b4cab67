// Prepared datasets: what `check_dataset` makes of a user's .npz and every other task maps
// read-only. Train and validation are in one file; the test split is a file of its own, so that no
// task can select on it.
#ifndef DOVETAIL_SERVICES_WORKER_NN_DATASET_H_
#define DOVETAIL_SERVICES_WORKER_NN_DATASET_H_

#include <cstdint>
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
};

}  // namespace dovetail::nn

#endif  // DOVETAIL_SERVICES_WORKER_NN_DATASET_H_
