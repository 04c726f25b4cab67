// The only translation unit with libtorch in it: forward and backward of a GraphPlan. Built as a
// module of its own, loaded by graph_trainer when a network needs it. Tensors are channels-last
// here as in the IR; convolutions and pools permute around themselves.
#include <torch/torch.h>

#include <memory>
#include <utility>

#include "services/worker/train/graph_plan.h"

namespace dovetail::train {
namespace {

using torch::Tensor;
namespace F = torch::nn::functional;

// Straight-through: the value of the cast, the gradient of x where x is not clipped.
Tensor Cast(const Tensor& x, const PlanCast& cast) {
  Tensor clipped = x;
  if (!cast.wraps) {
    clipped = x.clamp(cast.raw_low / cast.scale, cast.raw_high / cast.scale);
  }
  Tensor raw;
  {
    torch::NoGradGuard no_gradient;
    raw = x * cast.scale;
    if (cast.quantization == Quantization::kRndConv) {
      raw = raw.round();
    } else {
      raw = (cast.quantization == Quantization::kRnd ? raw + 0.5 : raw).floor();
    }
    if (cast.wraps) {
      const double period = cast.raw_high - cast.raw_low + 1;
      raw = raw - ((raw - cast.raw_low) / period).floor() * period;
    } else {
      raw = raw.clamp(cast.raw_low, cast.raw_high);
    }
    raw = raw / cast.scale;
  }
  return clipped + (raw - clipped).detach();
}

Tensor CastResult(const Tensor& x, const std::vector<PlanCast>& casts) {
  if (casts.empty()) return x;
  if (casts.size() == 1) return Cast(x, casts[0]);
  std::vector<Tensor> channels = x.unbind(-1);
  for (size_t c = 0; c < channels.size(); ++c) {
    channels[c] = Cast(channels[c], casts[c % casts.size()]);
  }
  return torch::stack(channels, -1);
}

Tensor ChannelsFirst(const Tensor& x) { return x.movedim(-1, 1); }
Tensor ChannelsLast(const Tensor& x) { return x.movedim(1, -1); }

// libtorch wants padding of the last dimension first; x is channels-first.
Tensor Pad(const Tensor& x, const PlanNode& node, double value) {
  std::vector<int64_t> amounts;
  bool is_any = false;
  for (size_t d = node.pad_begin.size(); d-- > 0;) {
    amounts.push_back(node.pad_begin[d]);
    amounts.push_back(node.pad_end[d]);
    is_any = is_any || node.pad_begin[d] > 0 || node.pad_end[d] > 0;
  }
  if (!is_any) return x;
  return torch::constant_pad_nd(x, amounts, value);
}

class TorchNet final : public GradientNet {
 public:
  explicit TorchNet(const GraphPlan& plan)
      : plan_(plan),
        options_(torch::TensorOptions()
                     .dtype(plan.is_double ? torch::kFloat64 : torch::kFloat32)
                     .device(torch::cuda::is_available() ? torch::kCUDA : torch::kCPU)) {}

  std::vector<ParameterRef> Renumber(
      const std::vector<absl::Span<const uint8_t>>& is_kept) override {
    order_.clear();
    begin_.assign(1, 0);
    for (size_t b = 0; b < is_kept.size(); ++b) {
      for (size_t i = 0; i < is_kept[b].size(); ++i) {
        if (is_kept[b][i]) order_.push_back({static_cast<int32_t>(b), static_cast<int32_t>(i)});
      }
      begin_.push_back(order_.size());
    }
    return order_;
  }

  void Load(absl::Span<const float> values) override {
    blocks_.clear();
    for (size_t b = 0; b + 1 < begin_.size(); ++b) {
      Tensor block = torch::zeros(plan_.block_shapes[b], torch::kFloat32);
      float* const data = block.data_ptr<float>();
      for (size_t k = begin_[b]; k < begin_[b + 1]; ++k) data[order_[k].element] = values[k];
      blocks_.push_back(block.to(options_).requires_grad_(true));
    }
  }

  LossSum Train(absl::Span<const float* const> rows, absl::Span<const int32_t> labels) override {
    const Tensor logits = Forward(Batch(rows));
    const Tensor targets = Targets(labels);
    const Tensor loss = F::cross_entropy(logits, targets);
    loss.backward();
    LossSum sum;
    sum.count = static_cast<int64_t>(rows.size());
    sum.loss = loss.item<double>() * static_cast<double>(sum.count);
    return sum;
  }

  void TakeGradient(std::vector<float>& gradient) override {
    gradient.assign(order_.size(), 0.0f);
    for (size_t b = 0; b < blocks_.size(); ++b) {
      if (!blocks_[b].grad().defined()) continue;
      const Tensor block = blocks_[b].grad().to(torch::kCPU, torch::kFloat32).contiguous();
      const float* const data = block.data_ptr<float>();
      for (size_t k = begin_[b]; k < begin_[b + 1]; ++k) gradient[k] = data[order_[k].element];
    }
  }

  LossSum Evaluate(absl::Span<const float* const> rows, absl::Span<const int32_t> labels) override {
    torch::NoGradGuard no_gradient;
    const Tensor logits = Forward(Batch(rows));
    const Tensor targets = Targets(labels);
    LossSum sum;
    sum.count = static_cast<int64_t>(rows.size());
    sum.loss =
        F::cross_entropy(logits, targets, F::CrossEntropyFuncOptions().reduction(torch::kSum))
            .item<double>();
    // The first maximum wins.
    const Tensor host = logits.to(torch::kCPU, torch::kFloat64).contiguous();
    const int64_t classes = host.size(1);
    for (int64_t r = 0; r < sum.count; ++r) {
      const double* const row = host.data_ptr<double>() + r * classes;
      int64_t best = 0;
      for (int64_t j = 1; j < classes; ++j) {
        if (row[j] > row[best]) best = j;
      }
      sum.hits += best == labels[r];
    }
    return sum;
  }

 private:
  Tensor Batch(absl::Span<const float* const> rows) const {
    const std::vector<int64_t>& shape = plan_.nodes[0].shape;
    std::vector<int64_t> batch_shape = {static_cast<int64_t>(rows.size())};
    int64_t width = 1;
    for (const int64_t extent : shape) {
      batch_shape.push_back(extent);
      width *= extent;
    }
    Tensor batch = torch::empty(batch_shape, torch::kFloat32);
    float* data = batch.data_ptr<float>();
    for (const float* row : rows) data = std::copy(row, row + width, data);
    return batch.to(options_);
  }

  Tensor Targets(absl::Span<const int32_t> labels) const {
    Tensor targets = torch::empty({static_cast<int64_t>(labels.size())}, torch::kInt64);
    std::copy(labels.begin(), labels.end(), targets.data_ptr<int64_t>());
    return targets.to(options_.device());
  }

  Tensor Forward(const Tensor& batch) const {
    std::vector<Tensor> results;
    for (const PlanNode& node : plan_.nodes) {
      std::vector<Tensor> inputs;
      for (const int input : node.inputs) inputs.push_back(results[input]);
      const Tensor x = inputs.empty() ? batch : inputs[0];
      results.push_back(CastResult(Apply(node, x, inputs), node.casts));
    }
    return results.back().reshape({batch.size(0), -1});
  }

  Tensor Block(const PlanNode& node, const char* role) const {
    return blocks_[node.blocks.at(role)];
  }
  bool Has(const PlanNode& node, const char* role) const { return node.blocks.contains(role); }

  Tensor Apply(const PlanNode& node, const Tensor& x, const std::vector<Tensor>& inputs) const {
    switch (node.op) {
      case nn::Op::kInput:
      case nn::Op::kQuantize:
        return x;
      case nn::Op::kDense: {
        const Tensor product = torch::matmul(x, Block(node, "kernel"));
        return Has(node, "bias") ? product + Block(node, "bias") : product;
      }
      case nn::Op::kConv1D:
      case nn::Op::kConv2D:
        return Convolve(node, x);
      case nn::Op::kMaxPool:
      case nn::Op::kAveragePool:
      case nn::Op::kGlobalMaxPool:
      case nn::Op::kGlobalAveragePool:
        return Pool(node, x);
      case nn::Op::kAdd: {
        Tensor sum = Has(node, "offset") ? x + Block(node, "offset") : x;
        for (size_t i = 1; i < inputs.size(); ++i) sum = sum + inputs[i];
        return sum;
      }
      case nn::Op::kConcat:
        return torch::cat(inputs, node.axis + 1);
      case nn::Op::kFlatten:
      case nn::Op::kReshape:
      case nn::Op::kTranspose:
      case nn::Op::kZeroPad:
      case nn::Op::kUpSample:
        return Move(node, x);
      case nn::Op::kMultiply:
        return x * Block(node, "scale");
      case nn::Op::kBatchNormalization:
        return x * Block(node, "scale") + Block(node, "offset");
      case nn::Op::kPRelu:
        return torch::where(x > 0, x, x * Block(node, "alpha"));
      default:
        return Activate(node, x);
    }
  }

  Tensor Convolve(const PlanNode& node, const Tensor& x) const {
    const Tensor padded = Pad(ChannelsFirst(x), node, 0);
    const Tensor bias = Has(node, "bias") ? Block(node, "bias") : Tensor();
    // [spatial..., in / groups, out] -> [out, in / groups, spatial...]
    const Tensor kernel = Block(node, "kernel");
    const std::vector<int64_t> none(node.size.size(), 0);
    if (node.op == nn::Op::kConv1D) {
      return ChannelsLast(torch::conv1d(padded, kernel.permute({2, 1, 0}), bias, node.stride, none,
                                        node.dilation, node.groups));
    }
    return ChannelsLast(torch::conv2d(padded, kernel.permute({3, 2, 0, 1}), bias, node.stride, none,
                                      node.dilation, node.groups));
  }

  Tensor Pool(const PlanNode& node, const Tensor& x) const {
    const Tensor channels_first = ChannelsFirst(x);
    std::vector<int64_t> spatial;
    for (int64_t d = 2; d < channels_first.dim(); ++d) spatial.push_back(d);
    std::vector<int64_t> shape = node.shape;
    shape.insert(shape.begin(), x.size(0));
    if (node.op == nn::Op::kGlobalMaxPool) return channels_first.amax(spatial).reshape(shape);
    if (node.op == nn::Op::kGlobalAveragePool) return channels_first.mean(spatial).reshape(shape);
    const std::vector<int64_t> none(node.size.size(), 0);
    const bool is_1d = node.size.size() == 1;
    if (node.op == nn::Op::kMaxPool) {
      const Tensor padded = Pad(channels_first, node, -1e30);
      return ChannelsLast(is_1d ? torch::max_pool1d(padded, node.size, node.stride)
                                : torch::max_pool2d(padded, node.size, node.stride));
    }
    const Tensor padded = Pad(channels_first, node, 0);
    const auto average = [&](const Tensor& of) {
      return is_1d ? torch::avg_pool1d(of, node.size, node.stride)
                   : torch::avg_pool2d(of, node.size, node.stride);
    };
    if (node.counts_padding) return ChannelsLast(average(padded));
    // The divisor is the number of elements that are not padding.
    const Tensor share = average(Pad(torch::ones_like(channels_first), node, 0));
    return ChannelsLast(average(padded) / share);
  }

  Tensor Move(const PlanNode& node, const Tensor& x) const {
    if (node.op == nn::Op::kTranspose) {
      std::vector<int64_t> permutation = {0};
      for (const int64_t from : node.permutation) permutation.push_back(from + 1);
      return x.permute(permutation);
    }
    if (node.op == nn::Op::kZeroPad) return ChannelsLast(Pad(ChannelsFirst(x), node, 0));
    if (node.op == nn::Op::kUpSample) {
      Tensor grown = x;
      for (size_t d = 0; d < node.factors.size(); ++d) {
        grown = grown.repeat_interleave(node.factors[d], static_cast<int64_t>(d) + 1);
      }
      return grown;
    }
    std::vector<int64_t> shape = node.shape;
    shape.insert(shape.begin(), x.size(0));
    return x.reshape(shape);
  }

  Tensor Activate(const PlanNode& node, const Tensor& x) const {
    switch (node.op) {
      case nn::Op::kRelu:
        return torch::relu(x);
      case nn::Op::kLeakyRelu:
        return torch::leaky_relu(x, node.alpha);
      case nn::Op::kElu:
        return torch::elu(x, node.alpha);
      case nn::Op::kSigmoid:
        return torch::sigmoid(x);
      case nn::Op::kTanh:
        return torch::tanh(x);
      case nn::Op::kHardSigmoid:
        return (x * node.alpha + node.beta).clamp(0, 1);
      case nn::Op::kHardTanh:
        return x.clamp(node.minimum, node.maximum);
      case nn::Op::kSoftmax:
        return torch::softmax(x, -1);
      default:
        throw std::runtime_error("an operator without a libtorch form");
    }
  }

  const GraphPlan plan_;
  const torch::TensorOptions options_;
  std::vector<ParameterRef> order_;
  std::vector<size_t> begin_;  // of each block in order_, and the end
  std::vector<Tensor> blocks_;
};

}  // namespace

extern "C" __attribute__((visibility("default"))) GradientNet* DovetailMakeTorchNet(
    const GraphPlan& plan, std::string& error) {
  try {
    torch::set_num_threads(plan.thread_count);
    torch::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/true);
    return new TorchNet(plan);
  } catch (const std::exception& thrown) {
    error = thrown.what();
    return nullptr;
  }
}

}  // namespace dovetail::train
