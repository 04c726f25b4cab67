#include "services/worker/train/bit_learning.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/rng.h"
#include "common/base/status_macros.h"
#include "services/worker/train/dense_net.h"
#include "services/worker/train/learnt_bits.h"

namespace dovetail::train {
namespace {

// Results are clipped at this share of the largest seen: the tail beyond is rare and costs a bit.
constexpr double kRangeShare = 0.6;
constexpr double kAddersPerBit = 0.3;
constexpr double kAdderExtraBits = 2;  // an adder is wider than its operand
constexpr double kMinFractionBits = -8;
constexpr double kMaxFractionBits = 10;

// Adders that a weight of so many bits costs: one in the sum, and what its product costs, shared
// with equal products of other outputs.
double AdderCount(double weight_bits) {
  return weight_bits <= 0 ? 0 : 1 + kAddersPerBit * (weight_bits - 1);
}

class BitLearner {
 public:
  BitLearner(const nn::Split& train, const TrainOptions& options, const BitOptions& bit_options,
             int epochs, DenseModel& model)
      : train_(train),
        options_(options),
        bit_options_(bit_options),
        epochs_(epochs),
        model_(model),
        net_(model),
        optimizer_(options.optimizer),
        bit_optimizer_(OptimizerOptions{}) {}

  // False where the loss is no longer finite.
  bool Run() {
    Prepare();
    std::vector<int32_t> order(train_.count);
    std::iota(order.begin(), order.end(), 0);
    Rng rng = Rng::Derive(options_.seed, "order of samples while learning bits");
    const int64_t batches = (train_.count + options_.batch_size - 1) / options_.batch_size;
    step_count_ = batches * epochs_;
    for (int epoch = 0; epoch < epochs_; ++epoch) {
      rng.Shuffle(order);
      for (int64_t first = 0; first < train_.count; first += options_.batch_size) {
        if (!Step(order, first, std::min(first + options_.batch_size, train_.count))) return false;
      }
      FollowRanges();
    }
    Scatter();
    return true;
  }

  double EffectiveBitOperations() const { return operations_; }
  LearntBits Learnt() const { return {input_, results_, weight_fraction_}; }

 private:
  void Prepare() {
    std::vector<absl::Span<const uint8_t>> is_kept;
    for (const ParameterBlock& block : model_.blocks) is_kept.push_back(block.is_kept);
    order_ = net_.Renumber(is_kept);
    for (const ParameterRef& ref : order_) {
      masters_.push_back(model_.blocks[ref.block].values[ref.element]);
      is_kernel_.push_back(model_.blocks[ref.block].is_prunable ? 1.0f : 0.0f);
    }
    const float infinity = std::numeric_limits<float>::infinity();
    low_.assign(order_.size(), -infinity);
    high_.assign(order_.size(), infinity);
    optimizer_.Reset(static_cast<int64_t>(order_.size()));
    PrepareInput();
    for (const DenseStage& stage : model_.stages) {
      ChannelBits bits;
      bits.fraction.assign(stage.n_out, static_cast<float>(bit_options_.result_fraction_bits));
      bits.integer.assign(stage.n_out, 12);
      results_.push_back(std::move(bits));
    }
    bits_.assign(order_.size(), static_cast<float>(bit_options_.weight_fraction_bits));
    for (size_t s = 0; s + 1 < results_.size(); ++s) {
      bits_.insert(bits_.end(), results_[s].fraction.begin(), results_[s].fraction.end());
    }
    bits_.insert(bits_.end(), input_.fraction.begin(), input_.fraction.end());
    bit_optimizer_.Reset(static_cast<int64_t>(bits_.size()));
    bit_low_.assign(bits_.size(), kMinFractionBits);
    bit_high_.assign(bits_.size(), kMaxFractionBits);
    no_kernel_.assign(bits_.size(), 0.0f);
    FirstRanges();
  }

  void PrepareInput() {
    input_.is_signed = true;
    const int n = model_.input_count;
    input_.fraction.assign(n, static_cast<float>(bit_options_.input_fraction_bits));
    std::vector<double> largest(n, 1e-6);
    for (size_t k = 0; k < train_.features.size(); ++k) {
      largest[k % n] = std::max(largest[k % n], std::fabs(double{train_.features[k]}));
    }
    for (const double range : largest) {
      input_.integer.push_back(1 + static_cast<int>(std::ceil(std::log2(kRangeShare * range))));
    }
  }

  // Ranges of the results of the network it came with, from a first look at some samples.
  void FirstRanges() {
    UpdateTypes();
    std::vector<const float*> rows;
    std::vector<int32_t> labels;
    const int64_t count = std::min<int64_t>(train_.count, 8192);
    for (int64_t i = 0; i < count; ++i) {
      rows.push_back(train_.features.data() + i * model_.input_count);
      labels.push_back(train_.labels[i]);
    }
    net_.Load(masters_);
    net_.Train(rows, labels);
    FollowRanges();
  }

  void FollowRanges() {
    for (size_t s = 0; s + 1 < model_.stages.size(); ++s) {
      const std::vector<double> largest = net_.TakeLargest(s);
      for (size_t c = 0; c < largest.size(); ++c) {
        results_[s].integer[c] =
            largest[c] > 0 ? static_cast<int>(std::ceil(std::log2(kRangeShare * largest[c]))) : -8;
      }
    }
    UpdateTypes();
  }

  void UpdateTypes() {
    size_t next = order_.size();
    for (size_t s = 0; s + 1 < results_.size(); ++s) {
      for (float& fraction : results_[s].fraction) fraction = bits_[next++];
      net_.SetResultTypes(s, results_[s].Quantizers());
    }
    for (float& fraction : input_.fraction) fraction = bits_[next++];
    net_.SetInputTypes(input_.Quantizers());
  }

  bool Step(const std::vector<int32_t>& order, int64_t first, int64_t last) {
    std::vector<const float*> rows;
    std::vector<int32_t> labels;
    for (int64_t i = first; i < last; ++i) {
      rows.push_back(train_.features.data() + int64_t{order[i]} * model_.input_count);
      labels.push_back(train_.labels[order[i]]);
    }
    values_ = masters_;
    for (size_t k = 0; k < order_.size(); ++k) {
      if (is_kernel_[k] == 0) continue;
      const double scale = std::ldexp(1.0, Rounded(bits_[k]));
      values_[k] = static_cast<float>(std::floor(masters_[k] * scale + 0.5) / scale);
    }
    net_.Load(values_);
    if (!std::isfinite(net_.Train(rows, labels).loss)) return false;
    net_.TakeGradient(gradient_);
    BitGradients();
    const double progress = static_cast<double>(step_) / static_cast<double>(step_count_);
    const double factor = LearningRateFactor(options_.schedule, progress);
    optimizer_.Step(options_.learning_rate * factor, gradient_, is_kernel_, low_, high_, masters_);
    // Bits move at full speed to the end: they are frozen right after.
    bit_optimizer_.Step(bit_options_.bit_learning_rate * std::max(factor, 0.1), bit_gradient_,
                        no_kernel_, bit_low_, bit_high_, bits_);
    UpdateTypes();
    ++step_;
    return true;
  }

  // d (loss + resource term) / d bits.
  void BitGradients() {
    const double progress = static_cast<double>(step_) / static_cast<double>(step_count_);
    // From a tenth of the weight to all of it over the first half.
    const double beta =
        bit_options_.resource_weight * std::pow(10.0, std::min(0.0, 2 * progress - 1));
    bit_gradient_.assign(bits_.size(), 0.0f);
    operations_ = 0;
    std::vector<double> input_cost(model_.input_count, 0.0);
    std::vector<std::vector<double>> result_cost(model_.stages.size());
    for (size_t s = 0; s < model_.stages.size(); ++s) {
      result_cost[s].assign(model_.stages[s].n_out, 0.0);
    }
    for (size_t k = 0; k < order_.size(); ++k) {
      if (is_kernel_[k] == 0) continue;
      const size_t s = order_[k].block / 2;
      const size_t i = order_[k].element / model_.stages[s].n_out;
      const ChannelBits& source = s == 0 ? input_ : results_[s - 1];
      const double source_bits = source.Width(i);
      const double weight_bits =
          values_[k] == 0 ? 0 : MagnitudeBits(values_[k]) + Rounded(bits_[k]);
      (s == 0 ? input_cost : result_cost[s - 1])[i] += AdderCount(weight_bits);
      operations_ += AdderCount(weight_bits) * (source_bits + kAdderExtraBits);
      const double saved = AdderCount(weight_bits) - AdderCount(weight_bits - 1);
      bit_gradient_[k] = static_cast<float>(M_LN2 * gradient_[k] * (masters_[k] - values_[k]) +
                                            beta * saved * (source_bits + kAdderExtraBits));
    }
    size_t next = order_.size();
    for (size_t s = 0; s + 1 < model_.stages.size(); ++s) {
      const std::vector<double>& of_loss = net_.BitGradient(static_cast<int>(s));
      for (size_t c = 0; c < of_loss.size(); ++c) {
        bit_gradient_[next++] = static_cast<float>(
            of_loss[c] + (results_[s].Width(c) > 0 ? beta * result_cost[s][c] : 0.0));
      }
    }
    const std::vector<double>& of_loss = net_.BitGradient(-1);
    for (size_t c = 0; c < of_loss.size(); ++c) {
      bit_gradient_[next++] =
          static_cast<float>(of_loss[c] + (input_.Width(c) > 0 ? beta * input_cost[c] : 0.0));
    }
  }

  void Scatter() {
    weight_fraction_.resize(model_.stages.size());
    for (size_t s = 0; s < model_.stages.size(); ++s) {
      weight_fraction_[s].assign(model_.kernel(s).values.size(), 0);
    }
    for (size_t k = 0; k < order_.size(); ++k) {
      model_.blocks[order_[k].block].values[order_[k].element] = masters_[k];
      if (is_kernel_[k] != 0) {
        weight_fraction_[order_[k].block / 2][order_[k].element] = Rounded(bits_[k]);
      }
    }
  }

  const nn::Split& train_;
  const TrainOptions& options_;
  const BitOptions& bit_options_;
  const int epochs_;
  DenseModel& model_;
  DenseNet<float> net_;
  Optimizer optimizer_, bit_optimizer_;
  std::vector<ParameterRef> order_;
  std::vector<float> masters_, values_, gradient_, is_kernel_, low_, high_;
  // Fraction bits: of the parameters (those of biases unused), of results, of inputs.
  std::vector<float> bits_, bit_gradient_, bit_low_, bit_high_, no_kernel_;
  ChannelBits input_;
  std::vector<ChannelBits> results_;
  std::vector<std::vector<int>> weight_fraction_;
  double operations_ = 0;
  int64_t step_ = 0;
  int64_t step_count_ = 0;
};

}  // namespace

absl::StatusOr<BitResult> LearnBits(const nn::Split& train, const nn::Split& validation,
                                    const TrainOptions& options, const BitOptions& bit_options,
                                    nn::Network& network) {
  RETURN_IF_ERROR(CheckOptions(options, network));
  RETURN_IF_ERROR(CheckSplit(network, train, "train"));
  RETURN_IF_ERROR(CheckSplit(network, validation, "validation"));
  if (!(bit_options.resource_weight >= 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("resource_weight is ", bit_options.resource_weight, ", not at least 0"));
  }
  for (nn::Layer& layer : network.layers) layer.types.clear();
  ASSIGN_OR_RETURN(DenseModel model, ReadDenseModel(network));
  std::vector<int> dense_layers, relu_layers;
  for (int i = 0; i < static_cast<int>(network.layers.size()); ++i) {
    if (network.layers[i].op == nn::Op::kDense) {
      dense_layers.push_back(i);
      relu_layers.push_back(-1);
    } else if (network.layers[i].op == nn::Op::kRelu) {
      relu_layers.back() = i;
    }
  }
  for (size_t s = 0; s + 1 < relu_layers.size(); ++s) {
    if (relu_layers[s] >= 0) continue;
    return absl::UnimplementedError(absl::StrCat("layer \"", network.layers[dense_layers[s]].name,
                                                 "\": bits are learnt for dense layers followed "
                                                 "by a relu"));
  }
  if (relu_layers.back() >= 0) {
    return absl::UnimplementedError("bits are learnt for networks whose logits have no relu");
  }
  const int bit_epochs = options.epochs - options.epochs / 3;
  BitLearner learner(train, options, bit_options, bit_epochs, model);
  if (!learner.Run()) {
    return absl::FailedPreconditionError(
        "the loss was no longer finite while bits were learnt: try a lower learning_rate");
  }
  WriteLearntTypes(learner.Learnt(), model, network);
  BitResult result;
  result.effective_bit_operations = learner.EffectiveBitOperations();
  TrainOptions rest = options;
  rest.epochs = options.epochs / 3;
  rest.learning_rate = options.learning_rate / 2;
  ASSIGN_OR_RETURN(result.training, MakeDenseTrainer()->Fit(train, validation, rest, network));
  double bits = 0;
  double kept = 0;
  for (const int index : dense_layers) {
    const nn::Layer& layer = network.layers[index];
    const std::vector<float>& values = layer.parameters.at("kernel").values;
    for (size_t k = 0; k < values.size(); ++k) {
      if (values[k] == 0) continue;
      bits += layer.types.at("kernel").elements[k].width_bits - 1;
      kept += 1;
    }
  }
  result.mean_weight_bits = kept > 0 ? bits / kept : 0;
  return result;
}

}  // namespace dovetail::train
