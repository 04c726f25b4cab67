// bench_transforms PREPARED_DIR WORK_DIR SEED...: the O-tasks on a prepared dataset and network,
// one line of JSON: each figure with mean and spread over the seeds. Accuracies are on the test
// split, drops are paired (same jets).
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "common/domain/task_info.h"
#include "services/worker/fixedpoint/engine.h"
#include "services/worker/tasks/task.h"
#include "services/worker/train/task_support.h"
#include "services/worker/train/trainer.h"
#include "services/worker/train/type_choice.h"

namespace dovetail::train {
namespace {

template <typename T>
T OrDie(absl::StatusOr<T> value) {
  if (!value.ok()) {
    std::fprintf(stderr, "bench_transforms: %s\n", value.status().ToString().c_str());
    std::exit(1);
  }
  return *std::move(value);
}

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

class Bench {
 public:
  Bench(std::string prepared, std::string work)
      : prepared_(std::move(prepared)), work_(std::move(work)) {
    RegisterBuiltinTasks(registry_);
    RegisterTrainingTasks(registry_);
    test_ = OrDie(nn::Dataset::Map(prepared_ + "/test"));
    float_accuracy_ = TestAccuracy(prepared_ + "/network");
  }

  void RunSeed(uint64_t seed) {
    seed_ = seed;
    const std::string network = prepared_ + "/network";
    Measurement pruned;
    Run("prune", network, R"({"rate": 0.5, "mode": "auto", "tolerance": 0.02})", &pruned);
    Put("auto_prune_kept_fraction", pruned.Get("kept_fraction"));
    Put("qat6_drop_points", Drop(Run("quantize", network, "{}")));
    const std::string p = Run("prune", network, R"({"rate": 0.85})");
    Put("pq_drop_points", Drop(Run("quantize", p, "{}")));
    const std::string s = Run("scale", network, R"({"factor": 0.75})");
    const std::string sp = Run("prune", s, R"({"rate": 0.75})");
    Put("spq_drop_points", Drop(Run("quantize", sp, "{}")));
    Put("trainable_over_uniform_adder_bits_ratio", TrainableOverUniform(network));
  }

  // Samples per second of retraining with 70 % zeros and 6-bit fake quantisers.
  void RunSpeed(int64_t batch) {
    nn::Network network = OrDie(nn::ReadNetworkFile(prepared_ + "/network"));
    const auto dataset = OrDie(nn::Dataset::Map(prepared_ + "/dataset"));
    const nn::Split train = OrDie(dataset->Get("train"));
    const nn::Split validation = OrDie(dataset->Get("validation"));
    TrainOptions options;
    options.epochs = 0;
    options.pruning = PruneSchedule{{0.7}};
    const auto trainer = MakeDenseTrainer();
    OrDie(trainer->Fit(train, validation, options, network));
    if (!ChooseTypes(train, {}, network).ok()) std::exit(1);
    options.pruning.reset();
    options.batch_size = batch;
    options.epochs = 10;
    const double start = Now();
    OrDie(trainer->Fit(train, validation, options, network));
    Put("train_samples_per_s_" + std::to_string(batch),
        static_cast<double>(train.count) * options.epochs / (Now() - start));
  }

  std::string ToJson() const {
    Value figures{Value::Map()};
    figures.Set("float_test_accuracy", float_accuracy_);
    for (const auto& [name, values] : figures_) {
      double sum = 0;
      for (const double value : values) sum += value;
      const double mean = sum / static_cast<double>(values.size());
      double square = 0;
      for (const double value : values) square += (value - mean) * (value - mean);
      Value figure{Value::Map()};
      figure.Set("mean", mean);
      figure.Set("spread", values.size() > 1
                               ? std::sqrt(square / static_cast<double>(values.size() - 1))
                               : 0.0);
      Value list{Value::List()};
      for (const double value : values) list.Append(value);
      figure.Set("values", list);
      figures.Set(name, figure);
    }
    figures.Set("curves", curves_);
    return figures.ToJson();
  }

 private:
  struct CurvePoint {
    double accuracy = 0;
    double adder_bits = 0;
  };

  void Put(const std::string& name, double value) { figures_[name].push_back(value); }

  std::string Run(const std::string& task, const std::string& network, const char* parameters,
                  Measurement* measurement = nullptr) {
    TaskContext context;
    context.input_files = {{"network", network}, {"dataset", prepared_ + "/dataset"}};
    context.output_directory = work_ + "/" + std::to_string(next_++);
    std::filesystem::create_directories(context.output_directory);
    context.parameters =
        OrDie(CanonicalParameters(*OrDie(FindTaskInfo(task)), OrDie(Value::FromJson(parameters))));
    context.seed = seed_;
    const Measurement measured = OrDie(registry_.Make(task)->Run(context));
    if (measurement != nullptr) *measurement = measured;
    return context.output_directory + "/network";
  }

  double TestAccuracy(const std::string& file) {
    nn::Network network = OrDie(nn::ReadNetworkFile(file));
    const nn::Split split = OrDie(test_->Get("test"));
    const int64_t classes = test_->class_count();
    std::vector<double> logits;
    if (network.IsQuantized()) {
      const auto engine = OrDie(fixedpoint::Engine::Make(network));
      for (const int64_t raw : OrDie(engine->RunRaw(split.features, split.count))) {
        logits.push_back(static_cast<double>(raw));
      }
    } else {
      for (const float value : OrDie(fixedpoint::RunFloat(network, split.features, split.count))) {
        logits.push_back(value);
      }
    }
    int64_t hits = 0;
    for (int64_t i = 0; i < split.count; ++i) {
      int64_t best = 0;
      for (int64_t j = 1; j < classes; ++j) {
        if (logits[i * classes + j] > logits[i * classes + best]) best = j;
      }
      hits += best == split.labels[i];
    }
    return static_cast<double>(hits) / static_cast<double>(split.count);
  }

  double Drop(const std::string& file) { return 100 * (float_accuracy_ - TestAccuracy(file)); }

  CurvePoint PointOf(const char* curve, const std::string& file) {
    Measurement lowered;
    Run("lower_rtl", file, "{}", &lowered);
    const CurvePoint point{TestAccuracy(file), lowered.Get("adder_bits")};
    Value row{Value::Map()};
    row.Set("curve", curve);
    row.Set("seed", seed_);
    row.Set("accuracy", point.accuracy);
    row.Set("adder_bits", point.adder_bits);
    curves_.Append(row);
    return point;
  }

  // Adder bits at one point below the float network, the logarithm interpolated in accuracy.
  double BitsAtOnePointBelow(const std::vector<CurvePoint>& curve) const {
    const double wanted = float_accuracy_ - 0.01;
    for (size_t k = 0; k + 1 < curve.size(); ++k) {
      const CurvePoint& a = curve[k];
      const CurvePoint& b = curve[k + 1];
      const bool is_last = k + 2 == curve.size();
      if (b.accuracy > wanted && !is_last) continue;
      const double t = (wanted - a.accuracy) / (b.accuracy - a.accuracy);
      return std::exp(std::log(a.adder_bits) + t * std::log(b.adder_bits / a.adder_bits));
    }
    return 0;
  }

  double TrainableOverUniform(const std::string& network) {
    std::vector<CurvePoint> uniform;
    for (const char* rate : {R"({"rate": 0.8})", R"({"rate": 0.88})", R"({"rate": 0.93})"}) {
      uniform.push_back(PointOf("uniform", Run("quantize", Run("prune", network, rate), "{}")));
    }
    std::vector<CurvePoint> trainable;
    for (
        const char* parameters :
        {R"({"bits": "trainable", "epochs": 90, "learning_rate": 0.004, "resource_weight": 5e-6})",
         R"({"bits": "trainable", "epochs": 90, "learning_rate": 0.004, "resource_weight": 1e-5})",
         R"({"bits": "trainable", "epochs": 90, "learning_rate": 0.004, "resource_weight": 2e-5})"}) {
      trainable.push_back(PointOf("trainable", Run("quantize", network, parameters)));
    }
    return BitsAtOnePointBelow(trainable) / BitsAtOnePointBelow(uniform);
  }

  const std::string prepared_;
  const std::string work_;
  TaskRegistry registry_;
  std::unique_ptr<nn::Dataset> test_;
  double float_accuracy_ = 0;
  uint64_t seed_ = 1;
  int next_ = 0;
  std::map<std::string, std::vector<double>> figures_;
  Value curves_{Value::List()};
};

}  // namespace
}  // namespace dovetail::train

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: bench_transforms PREPARED_DIR WORK_DIR SEED...\n");
    return 2;
  }
  dovetail::train::Bench bench(argv[1], argv[2]);
  bench.RunSpeed(256);
  bench.RunSpeed(1024);
  for (int i = 3; i < argc; ++i) bench.RunSeed(std::strtoull(argv[i], nullptr, 10));
  std::printf("%s\n", bench.ToJson().c_str());
  return 0;
}
