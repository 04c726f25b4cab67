#include "services/worker/train/dense_net.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace dovetail::train {
namespace {

template <typename T>
std::vector<LaneQuantizer<T>> SpreadOverLanes(const QuantizerSet& set) {
  std::vector<LaneQuantizer<T>> spread;
  for (const Quantizer& item : set.items) spread.emplace_back(item);
  return spread;
}

template <typename T>
const LaneQuantizer<T>& ForRow(const std::vector<LaneQuantizer<T>>& set, int row) {
  return set.size() == 1 ? set[0] : set[row];
}

}  // namespace

template <typename T>
DenseNet<T>::DenseNet(const DenseModel& model) : model_(model) {
  stages_.resize(model.stages.size());
  for (size_t s = 0; s < stages_.size(); ++s) {
    const DenseStage& from = model.stages[s];
    Stage& stage = stages_[s];
    stage.n_in = from.n_in;
    stage.n_out = from.n_out;
    stage.has_relu = from.has_relu;
    stage.result_type = SpreadOverLanes<T>(from.result_type);
    stage.activation_type = SpreadOverLanes<T>(from.activation_type);
    stage.z.Resize(int64_t{kTile} * from.n_out);
    stage.y.Resize(int64_t{kTile} * from.n_out);
    stage.dz.Resize(int64_t{kTile} * from.n_out);
    stage.bias.resize(from.n_out);
    stage.bias_gradient.Resize(int64_t{Lanes<T>::kCount} * from.n_out);
  }
  input_.Resize(int64_t{kTile} * model.input_count);
}

template <typename T>
std::vector<ParameterRef> DenseNet<T>::Renumber(
    const std::vector<absl::Span<const uint8_t>>& is_kept) {
  std::vector<ParameterRef> order;
  for (size_t s = 0; s < stages_.size(); ++s) {
    NumberStage(s, is_kept[2 * s]);
    const Stage& stage = stages_[s];
    order.insert(order.end(), stage.entries.begin(), stage.entries.end());
    const int32_t bias_block = static_cast<int32_t>(2 * s + 1);
    for (int32_t j = 0; j < stage.n_out; ++j) order.push_back({bias_block, j});
  }
  parameter_count_ = static_cast<int64_t>(order.size());
  return order;
}

template <typename T>
void DenseNet<T>::NumberStage(size_t s, absl::Span<const uint8_t> is_kept) {
  Stage& stage = stages_[s];
  stage.by_output = {{0}, {}};
  stage.by_input = {{0}, {}};
  stage.entries.clear();
  stage.transpose.clear();
  std::vector<std::vector<int32_t>> entries_of_input(stage.n_in);
  std::vector<int32_t> output_of_entry;
  for (int j = 0; j < stage.n_out; ++j) {
    for (int i = 0; i < stage.n_in; ++i) {
      const int32_t element = i * stage.n_out + j;
      if (!is_kept[element]) continue;
      entries_of_input[i].push_back(static_cast<int32_t>(stage.entries.size()));
      output_of_entry.push_back(j);
      stage.entries.push_back({static_cast<int32_t>(2 * s), element});
      stage.by_output.column.push_back(i);
    }
    stage.by_output.begin.push_back(static_cast<int32_t>(stage.entries.size()));
  }
  for (const std::vector<int32_t>& entries : entries_of_input) {
    for (const int32_t entry : entries) {
      stage.transpose.push_back(entry);
      stage.by_input.column.push_back(output_of_entry[entry]);
    }
    stage.by_input.begin.push_back(static_cast<int32_t>(stage.transpose.size()));
  }
  stage.weights.resize(stage.entries.size());
  stage.weights_by_input.resize(stage.entries.size());
  stage.gradient.Resize(static_cast<int64_t>(stage.entries.size()) * Lanes<T>::kCount);
}

template <typename T>
void DenseNet<T>::Load(absl::Span<const float> values) {
  size_t next = 0;
  for (Stage& stage : stages_) {
    for (T& weight : stage.weights) weight = values[next++];
    for (T& bias : stage.bias) bias = values[next++];
    for (size_t k = 0; k < stage.transpose.size(); ++k) {
      stage.weights_by_input[k] = stage.weights[stage.transpose[k]];
    }
  }
}

template <typename T>
void DenseNet<T>::LoadTile(absl::Span<const float* const> rows) {
  const int n = model_.input_count;
  T* tile = input_.data();
  for (size_t r = 0; r < static_cast<size_t>(kTile); ++r) {
    if (r < rows.size()) {
      for (int i = 0; i < n; ++i) tile[int64_t{i} * kTile + r] = rows[r][i];
    } else {
      for (int i = 0; i < n; ++i) tile[int64_t{i} * kTile + r] = 0;
    }
  }
  if (!learns_bits_) return;
  using L = Lanes<T>;
  std::copy(tile, tile + int64_t{n} * kTile, raw_input_.data());
  for (int64_t k = 0; k < int64_t{n} * kTile; k += L::kCount) {
    const auto& type = ForRow(input_type_, static_cast<int>(k / kTile));
    L::Store(tile + k, type.Apply(L::Load(tile + k)));
  }
}

template <typename T>
void DenseNet<T>::SetInputTypes(const std::vector<Quantizer>& types) {
  learns_bits_ = true;
  input_type_ = SpreadOverLanes<T>({types});
  raw_input_.Resize(int64_t{kTile} * model_.input_count);
  dinput_.Resize(int64_t{kTile} * model_.input_count);
}

template <typename T>
void DenseNet<T>::SetResultTypes(size_t stage, const std::vector<Quantizer>& types) {
  stages_[stage].activation_type = SpreadOverLanes<T>({types});
  stages_[stage].largest.resize(types.size(), 0.0);
}

template <typename T>
const std::vector<double>& DenseNet<T>::BitGradient(int stage) const {
  return stage < 0 ? input_bit_gradient_ : stages_[stage].bit_gradient;
}

template <typename T>
std::vector<double> DenseNet<T>::TakeLargest(size_t stage) {
  std::vector<double> largest(stages_[stage].n_out, 0.0);
  largest.swap(stages_[stage].largest);
  return largest;
}

// With q(x) the cast of x to f fraction bits, the error q(x) - x shrinks as 2^-f, so
// d q / d f = ln 2 (x - q(x)). Source: Sun et al. 2024 (arXiv 2405.00645), HGQ, equation 15.
template <typename T>
void DenseNet<T>::ObserveResults(Stage& stage) {
  if (stage.largest.empty()) return;
  using L = Lanes<T>;
  for (int j = 0; j < stage.n_out; ++j) {
    const LaneQuantizer<T>& type = ForRow(stage.activation_type, j);
    const T* z = stage.z.data() + int64_t{j} * kTile;
    const T* y = stage.y.data() + int64_t{j} * kTile;
    const T* dy = stage.dz.data() + int64_t{j} * kTile;
    auto sum = L::Zero();
    auto top = L::Zero();
    for (int v = 0; v < kTile; v += L::kCount) {
      const auto value = L::Load(z + v);
      top = L::Max(top, value);
      const auto clipped = L::Min(L::Max(value, L::Zero()), type.high);
      sum = L::Fma(L::Load(dy + v), L::Sub(clipped, L::Load(y + v)), sum);
    }
    alignas(64) T lanes[L::kCount];
    L::Store(lanes, sum);
    for (const T lane : lanes) stage.bit_gradient[j] += M_LN2 * lane;
    L::Store(lanes, top);
    for (const T lane : lanes) stage.largest[j] = std::max<double>(stage.largest[j], lane);
  }
}

template <typename T>
void DenseNet<T>::ObserveInputs() {
  MultiplyRows<T>(stages_[0].by_input, stages_[0].weights_by_input.data(), nullptr,
                  stages_[0].dz.data(), dinput_.data());
  for (int i = 0; i < model_.input_count; ++i) {
    const int64_t row = int64_t{i} * kTile;
    double sum = 0;
    for (int r = 0; r < kTile; ++r) {
      const double error = double{raw_input_.data()[row + r]} - input_.data()[row + r];
      sum += dinput_.data()[row + r] * error;
    }
    input_bit_gradient_[i] += M_LN2 * sum;
  }
}

template <typename T>
void DenseNet<T>::Activate(Stage& stage) {
  using L = Lanes<T>;
  for (int j = 0; j < stage.n_out; ++j) {
    const T* z = stage.z.data() + int64_t{j} * kTile;
    T* y = stage.y.data() + int64_t{j} * kTile;
    for (int v = 0; v < kTile; v += L::kCount) {
      auto value = L::Load(z + v);
      if (!stage.result_type.empty()) value = ForRow(stage.result_type, j).Apply(value);
      if (stage.has_relu) value = L::Max(value, L::Zero());
      if (!stage.activation_type.empty()) value = ForRow(stage.activation_type, j).Apply(value);
      L::Store(y + v, value);
    }
  }
}

template <typename T>
void DenseNet<T>::GateGradient(Stage& stage) {
  using L = Lanes<T>;
  for (int j = 0; j < stage.n_out; ++j) {
    const T* z = stage.z.data() + int64_t{j} * kTile;
    T* dz = stage.dz.data() + int64_t{j} * kTile;
    for (int v = 0; v < kTile; v += L::kCount) {
      const auto value = L::Load(z + v);
      auto gradient = L::Load(dz + v);
      if (!stage.activation_type.empty()) {
        gradient = ForRow(stage.activation_type, j).PassGradient(value, gradient);
      }
      if (stage.has_relu) gradient = L::And(L::Greater(value, L::Zero()), gradient);
      if (!stage.result_type.empty()) {
        gradient = ForRow(stage.result_type, j).PassGradient(value, gradient);
      }
      L::Store(dz + v, gradient);
    }
  }
}

template <typename T>
void DenseNet<T>::Forward() {
  const T* x = input_.data();
  for (Stage& stage : stages_) {
    MultiplyRows<T>(stage.by_output, stage.weights.data(), stage.bias.data(), x, stage.z.data());
    Activate(stage);
    x = stage.y.data();
  }
}

template <typename T>
LossSum DenseNet<T>::Loss(absl::Span<const int32_t> labels, T scale) {
  using L = Lanes<T>;
  Stage& last = stages_.back();
  const T* y = last.y.data();
  T* p = last.dz.data();
  alignas(64) T log_sum[kTile];  // maximum and sum of exponentials: log-sum-exp is made of both
  alignas(64) T sums[kTile];
  for (int v = 0; v < kTile; v += L::kCount) {
    auto top = L::Load(y + v);
    for (int j = 1; j < last.n_out; ++j) top = L::Max(top, L::Load(y + int64_t{j} * kTile + v));
    auto sum = L::Zero();
    for (int j = 0; j < last.n_out; ++j) {
      const auto e = ExpOfNonPositive<T>(L::Sub(L::Load(y + int64_t{j} * kTile + v), top));
      L::Store(p + int64_t{j} * kTile + v, e);
      sum = L::Add(sum, e);
    }
    const auto factor = L::Div(L::Set1(scale), sum);
    for (int j = 0; j < last.n_out; ++j) {
      T* e = p + int64_t{j} * kTile + v;
      L::Store(e, L::Mul(L::Load(e), factor));
    }
    L::Store(log_sum + v, top);
    L::Store(sums + v, sum);
  }
  LossSum result;
  result.count = static_cast<int64_t>(labels.size());
  for (size_t r = 0; r < labels.size(); ++r) {
    const int32_t label = labels[r];
    const T of_label = y[int64_t{label} * kTile + r];
    result.loss += std::log(static_cast<double>(sums[r])) + log_sum[r] - of_label;
    int best = 0;
    for (int j = 1; j < last.n_out; ++j) {
      if (y[int64_t{j} * kTile + r] > y[int64_t{best} * kTile + r]) best = j;
    }
    result.hits += best == label;
    p[int64_t{label} * kTile + r] -= scale;
  }
  for (size_t r = labels.size(); r < static_cast<size_t>(kTile); ++r) {
    for (int j = 0; j < last.n_out; ++j) p[int64_t{j} * kTile + r] = 0;
  }
  return result;
}

template <typename T>
void DenseNet<T>::Backward() {
  for (size_t s = stages_.size(); s-- > 0;) {
    Stage& stage = stages_[s];
    if (learns_bits_) ObserveResults(stage);
    GateGradient(stage);
    const T* x = s == 0 ? input_.data() : stages_[s - 1].y.data();
    AccumulateGradient<T>(stage.by_output, x, stage.dz.data(), stage.gradient.data(),
                          stage.bias_gradient.data());
    if (s == 0 && learns_bits_) ObserveInputs();
    if (s == 0) break;
    MultiplyRows<T>(stage.by_input, stage.weights_by_input.data(), nullptr, stage.dz.data(),
                    stages_[s - 1].dz.data());
  }
}

template <typename T>
LossSum DenseNet<T>::Train(absl::Span<const float* const> rows, absl::Span<const int32_t> labels) {
  for (Stage& stage : stages_) {
    stage.gradient.Fill(0);
    stage.bias_gradient.Fill(0);
    stage.bit_gradient.assign(stage.n_out, 0.0);
  }
  input_bit_gradient_.assign(model_.input_count, 0.0);
  const T scale = static_cast<T>(1.0 / static_cast<double>(rows.size()));
  LossSum sum;
  for (size_t first = 0; first < rows.size(); first += kTile) {
    LoadTile(rows.subspan(first, kTile));
    Forward();
    const LossSum tile = Loss(labels.subspan(first, kTile), scale);
    Backward();
    sum.loss += tile.loss;
    sum.hits += tile.hits;
    sum.count += tile.count;
  }
  return sum;
}

template <typename T>
void DenseNet<T>::TakeGradient(std::vector<float>& gradient) {
  constexpr int kLanes = Lanes<T>::kCount;
  gradient.resize(parameter_count_);
  const auto sum_lanes = [](const T* lanes) {
    T sum = 0;
    for (int v = 0; v < kLanes; ++v) sum += lanes[v];
    return static_cast<float>(sum);
  };
  size_t next = 0;
  for (const Stage& stage : stages_) {
    const T* lanes = stage.gradient.data();
    for (size_t k = 0; k < stage.entries.size(); ++k) {
      gradient[next++] = sum_lanes(lanes + k * kLanes);
    }
    const T* bias_lanes = stage.bias_gradient.data();
    for (int j = 0; j < stage.n_out; ++j) gradient[next++] = sum_lanes(bias_lanes + j * kLanes);
  }
}

template <typename T>
LossSum DenseNet<T>::Evaluate(absl::Span<const float* const> rows,
                              absl::Span<const int32_t> labels) {
  LossSum sum;
  for (size_t first = 0; first < rows.size(); first += kTile) {
    LoadTile(rows.subspan(first, kTile));
    Forward();
    const LossSum tile = Loss(labels.subspan(first, kTile), 1);
    sum.loss += tile.loss;
    sum.hits += tile.hits;
    sum.count += tile.count;
  }
  return sum;
}

template <typename T>
std::vector<T> DenseNet<T>::Logits(absl::Span<const float* const> rows) {
  const Stage& last = stages_.back();
  std::vector<T> logits;
  logits.reserve(rows.size() * last.n_out);
  for (size_t first = 0; first < rows.size(); first += kTile) {
    LoadTile(rows.subspan(first, kTile));
    Forward();
    const size_t count = std::min<size_t>(kTile, rows.size() - first);
    for (size_t r = 0; r < count; ++r) {
      for (int j = 0; j < last.n_out; ++j) {
        logits.push_back(last.y.data()[int64_t{j} * kTile + r]);
      }
    }
  }
  return logits;
}

template class DenseNet<float>;
template class DenseNet<double>;

}  // namespace dovetail::train
