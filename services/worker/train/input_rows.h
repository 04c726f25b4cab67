// The samples of a split as pointers to rows, inputs cast once to the network's input type instead
// of in every epoch. Called from the trainers.
#ifndef DOVETAIL_SERVICES_WORKER_TRAIN_INPUT_ROWS_H_
#define DOVETAIL_SERVICES_WORKER_TRAIN_INPUT_ROWS_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "services/worker/nn/dataset.h"
#include "services/worker/train/parameter_block.h"

namespace dovetail::train {

class InputRows {
 public:
  // A view of `split`'s memory where there is no type, else a copy.
  InputRows(const nn::Split& split, const QuantizerSet& type)
      : labels_(split.labels),
        width_(nn::ElementCount(split.sample_shape)),
        features_(split.features) {
    if (type.empty()) return;
    cast_.resize(split.features.size());
    for (size_t k = 0; k < cast_.size(); ++k) {
      cast_[k] = static_cast<float>(type.At(k % width_).Apply(split.features[k]));
    }
    features_ = cast_;
  }
  InputRows(const InputRows&) = delete;
  InputRows& operator=(const InputRows&) = delete;

  const float* row(int64_t i) const { return features_.data() + i * width_; }
  int32_t label(int64_t i) const { return labels_[i]; }
  int64_t count() const { return static_cast<int64_t>(labels_.size()); }

 private:
  absl::Span<const int32_t> labels_;
  int64_t width_;
  absl::Span<const float> features_;
  std::vector<float> cast_;
};

}  // namespace dovetail::train

#endif  // DOVETAIL_SERVICES_WORKER_TRAIN_INPUT_ROWS_H_
