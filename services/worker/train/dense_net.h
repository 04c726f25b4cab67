// The forward and backward pass of a chain of dense layers, fake quantisers included, over tiles of
// samples; parameters and gradients as flat arrays for an optimiser. Called from DenseTrainer.
//
// The forward pass in T equals the fixed-point engine bit for bit where ExactMantissaBits(model) is
// at most 24 (float) or 53 (double): every product and sum is then exact in any order.
#ifndef DOVETAIL_SERVICES_WORKER_TRAIN_DENSE_NET_H_
#define DOVETAIL_SERVICES_WORKER_TRAIN_DENSE_NET_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "services/worker/train/dense_kernels.h"
#include "services/worker/train/dense_model.h"
#include "services/worker/train/gradient_net.h"

namespace dovetail::train {

// Parameters are the kept weights and all biases, stage after stage.
template <typename T>
class DenseNet final : public GradientNet {
 public:
  // `model` must outlive the net; its values are not read (Load gives them).
  explicit DenseNet(const DenseModel& model);

  std::vector<ParameterRef> Renumber(
      const std::vector<absl::Span<const uint8_t>>& is_kept) override;
  void Load(absl::Span<const float> values) override;
  LossSum Train(absl::Span<const float* const> rows, absl::Span<const int32_t> labels) override;
  void TakeGradient(std::vector<float>& gradient) override;
  LossSum Evaluate(absl::Span<const float* const> rows, absl::Span<const int32_t> labels) override;

  // What learning of bit widths needs: casts that change every step, one per channel, and how the
  // loss changes with their fraction bits. SetResultTypes: of the relu of a stage.
  void SetInputTypes(const std::vector<Quantizer>& types);
  void SetResultTypes(size_t stage, const std::vector<Quantizer>& types);
  // Of the last Train, per channel: d loss / d fraction bits of the stage's relu results; stage -1:
  // of the input.
  const std::vector<double>& BitGradient(int stage) const;
  // Largest relu result (before its cast) per channel since the last call.
  std::vector<double> TakeLargest(size_t stage);

  // [rows x output_count] logits.
  std::vector<T> Logits(absl::Span<const float* const> rows);

 private:
  struct Stage {
    int n_in = 0;
    int n_out = 0;
    bool has_relu = false;
    SparseRows by_output;               // entry order of the parameters
    SparseRows by_input;                // the transpose
    std::vector<int32_t> transpose;     // entry of by_input -> entry of by_output
    std::vector<ParameterRef> entries;  // by_output order
    std::vector<T> weights;             // by_output order
    std::vector<T> weights_by_input;
    std::vector<T> bias;
    std::vector<LaneQuantizer<T>> result_type;
    std::vector<LaneQuantizer<T>> activation_type;
    AlignedArray<T> z;                 // before any cast
    AlignedArray<T> y;                 // the stage's result
    AlignedArray<T> dz;                // loss gradient of z
    AlignedArray<T> gradient;          // lanes per entry
    AlignedArray<T> bias_gradient;     // lanes per output
    std::vector<double> bit_gradient;  // per output, where bits are learnt
    std::vector<double> largest;
  };

  void NumberStage(size_t s, absl::Span<const uint8_t> is_kept);
  void LoadTile(absl::Span<const float* const> rows);
  void Forward();
  void Activate(Stage& stage);
  // dz := gradient of z from the gradient of y that stands in dz.
  void GateGradient(Stage& stage);
  void Backward();
  // Adds up bit_gradient and largest from the gradient of y that stands in dz.
  void ObserveResults(Stage& stage);
  void ObserveInputs();
  // Softmax cross-entropy of the last stage; its dz is the gradient times `scale`.
  LossSum Loss(absl::Span<const int32_t> labels, T scale);

  const DenseModel& model_;
  std::vector<Stage> stages_;
  AlignedArray<T> input_;
  AlignedArray<T> raw_input_;  // before the cast, where there is one
  AlignedArray<T> dinput_;
  std::vector<LaneQuantizer<T>> input_type_;
  std::vector<double> input_bit_gradient_;
  bool learns_bits_ = false;
  int64_t parameter_count_ = 0;
};

extern template class DenseNet<float>;
extern template class DenseNet<double>;

}  // namespace dovetail::train

#endif  // DOVETAIL_SERVICES_WORKER_TRAIN_DENSE_NET_H_
