#include "services/worker/train/fitting.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace dovetail::train {
namespace {

// Mask updates of one pruning schedule: more bring no accuracy, each renumbers the parameters.
constexpr int kPruningEvents = 40;

// Samples per call of GradientNet::Evaluate.
constexpr int64_t kEvaluationBatch = 4096;

double MeanLoss(const LossSum& sum) { return sum.loss / static_cast<double>(sum.count); }

double Accuracy(const LossSum& sum) {
  return static_cast<double>(sum.hits) / static_cast<double>(sum.count);
}

}  // namespace

Fitting::Fitting(const TrainOptions& options, const InputRows& train, const InputRows& validation,
                 GradientNet& net, std::vector<ParameterBlock>& blocks)
    : options_(options),
      train_(train),
      validation_(validation),
      net_(net),
      blocks_(blocks),
      initial_blocks_(blocks),
      optimizer_(options.optimizer),
      rng_(Rng::Derive(options.seed, "order of samples")) {}

TrainResult Fitting::Run() {
  Renumber();
  optimizer_.Reset(static_cast<int64_t>(order_.size()));
  const int64_t batches = (train_.count() + options_.batch_size - 1) / options_.batch_size;
  step_count_ = batches * options_.epochs;
  if (options_.pruning.has_value()) PreparePruning();
  if (!options_.pruning.has_value() || options_.epochs == 0) {
    PruneTo(1);
    Offer(0, EvaluateAll());
  }
  std::vector<int32_t> order(train_.count());
  std::iota(order.begin(), order.end(), 0);
  for (int epoch = 1; epoch <= options_.epochs && !result_.stopped_early; ++epoch) {
    rng_.Shuffle(order);
    if (TrainEpoch(order) && FinishEpoch(epoch)) continue;
    result_.diverged = true;
    break;
  }
  Conclude();
  return std::move(result_);
}

void Fitting::Renumber() {
  std::vector<absl::Span<const uint8_t>> is_kept;
  for (const ParameterBlock& block : blocks_) is_kept.push_back(block.is_kept);
  order_ = net_.Renumber(is_kept);
  cast_.Reset(blocks_, order_);
  Gather();
}

void Fitting::Gather() {
  masters_.clear();
  is_kernel_.clear();
  for (const ParameterRef& ref : order_) {
    masters_.push_back(blocks_[ref.block].values[ref.element]);
    is_kernel_.push_back(blocks_[ref.block].is_prunable ? 1.0f : 0.0f);
  }
}

void Fitting::Scatter(const std::vector<float>& masters) {
  for (size_t i = 0; i < order_.size(); ++i) {
    blocks_[order_[i].block].values[order_[i].element] = masters[i];
  }
}

double Fitting::Progress() const {
  return static_cast<double>(step_) / static_cast<double>(step_count_);
}

void Fitting::PreparePruning() {
  const PruneSchedule& schedule = *options_.pruning;
  if (schedule.rates.size() == 1) {
    initial_sparsity_.push_back(1 - KeptFraction(blocks_));
  } else {
    for (const ParameterBlock& block : blocks_) {
      if (!block.is_prunable) continue;
      initial_sparsity_.push_back(1 - static_cast<double>(block.KeptCount()) /
                                          static_cast<double>(block.values.size()));
    }
  }
  const double window = (schedule.end - schedule.begin) * static_cast<double>(step_count_);
  pruning_interval_ = std::max<int64_t>(1, static_cast<int64_t>(window / kPruningEvents));
}

void Fitting::PruneTo(double progress) {
  if (!options_.pruning.has_value() || is_pruned_) return;
  const PruneSchedule& schedule = *options_.pruning;
  std::vector<double> rates;
  for (size_t r = 0; r < schedule.rates.size(); ++r) {
    rates.push_back(CubicSparsity(initial_sparsity_[r], schedule.rates[r], schedule.begin,
                                  schedule.end, progress));
  }
  is_pruned_ = progress >= schedule.end;
  Scatter(masters_);
  const std::vector<ParameterRef> before = order_;
  PruneBlocks(rates);
  std::vector<int32_t> surviving;
  for (size_t i = 0; i < before.size(); ++i) {
    if (blocks_[before[i].block].is_kept[before[i].element]) {
      surviving.push_back(static_cast<int32_t>(i));
    }
  }
  if (surviving.size() == before.size()) return;
  optimizer_.Keep(surviving);
  Renumber();
}

void Fitting::PruneBlocks(const std::vector<double>& rates) {
  std::vector<PrunableTensor> tensors;
  for (ParameterBlock& block : blocks_) {
    if (block.is_prunable) tensors.push_back({block.values, absl::MakeSpan(block.is_kept)});
  }
  if (rates.size() == 1 && options_.pruning->scope == PruneScope::kGlobal) {
    RemoveSmallest(rates[0], absl::MakeSpan(tensors));
    return;
  }
  for (size_t t = 0; t < tensors.size(); ++t) {
    RemoveSmallest(rates.size() == 1 ? rates[0] : rates[t], absl::MakeSpan(&tensors[t], 1));
  }
}

bool Fitting::TrainEpoch(const std::vector<int32_t>& order) {
  LossSum sum;
  for (int64_t first = 0; first < train_.count(); first += options_.batch_size) {
    const int64_t last = std::min(first + options_.batch_size, train_.count());
    if (options_.pruning.has_value() && step_ % pruning_interval_ == 0) PruneTo(Progress());
    rows_.clear();
    labels_.clear();
    for (int64_t i = first; i < last; ++i) {
      rows_.push_back(train_.row(order[i]));
      labels_.push_back(train_.label(order[i]));
    }
    cast_.Apply(masters_, values_);
    net_.Load(values_);
    const LossSum batch = net_.Train(rows_, labels_);
    if (!std::isfinite(batch.loss)) return false;
    sum.loss += batch.loss;
    sum.count += batch.count;
    net_.TakeGradient(gradient_);
    const double rate = options_.learning_rate * LearningRateFactor(options_.schedule, Progress());
    optimizer_.Step(rate, gradient_, is_kernel_, cast_.low(), cast_.high(), masters_);
    ++step_;
  }
  result_.train_loss = MeanLoss(sum);
  return true;
}

LossSum Fitting::EvaluateAll() {
  cast_.Apply(masters_, values_);
  net_.Load(values_);
  LossSum sum;
  for (int64_t first = 0; first < validation_.count(); first += kEvaluationBatch) {
    const int64_t last = std::min(first + kEvaluationBatch, validation_.count());
    rows_.clear();
    labels_.clear();
    for (int64_t i = first; i < last; ++i) {
      rows_.push_back(validation_.row(i));
      labels_.push_back(validation_.label(i));
    }
    const LossSum part = net_.Evaluate(rows_, labels_);
    sum.loss += part.loss;
    sum.hits += part.hits;
    sum.count += part.count;
  }
  return sum;
}

bool Fitting::FinishEpoch(int epoch) {
  PruneTo(Progress());
  const LossSum validation = EvaluateAll();
  if (!std::isfinite(validation.loss)) return false;
  EpochReport report;
  report.epoch = epoch;
  report.train_loss = result_.train_loss;
  report.validation_loss = MeanLoss(validation);
  report.validation_accuracy = Accuracy(validation);
  report.kept_fraction = KeptFraction(blocks_);
  result_.epochs.push_back(report);
  if (options_.progress) options_.progress(report);
  if (!options_.pruning.has_value() || is_pruned_) Offer(epoch, validation);
  result_.stopped_early = options_.patience_epochs > 0 && has_best_ &&
                          epoch - result_.best_epoch >= options_.patience_epochs;
  return true;
}

void Fitting::Offer(int epoch, const LossSum& validation) {
  const double loss = MeanLoss(validation);
  if (!std::isfinite(loss)) return;
  if (has_best_ && options_.restores_best && !(loss < result_.validation_loss)) return;
  has_best_ = true;
  best_masters_ = masters_;
  result_.best_epoch = epoch;
  result_.validation_loss = loss;
  result_.validation_accuracy = Accuracy(validation);
}

void Fitting::Conclude() {
  if (!has_best_) {  // diverged inside the pruning window: the weights it came with, pruned at once
    blocks_ = initial_blocks_;
    Renumber();
    optimizer_.Reset(static_cast<int64_t>(order_.size()));
    is_pruned_ = false;
    PruneTo(1);
    Offer(0, EvaluateAll());
  }
  Scatter(has_best_ ? best_masters_ : masters_);
}

}  // namespace dovetail::train
