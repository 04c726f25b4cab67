#include "services/coordinator/web/job_report.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "absl/strings/str_cat.h"

namespace dovetail::report {
namespace {

const Metric* Find(const Measurement& measurement, const std::string& name) {
  const auto it = measurement.metrics.find(name);
  return it == measurement.metrics.end() ? nullptr : &it->second;
}

const Metric* FindMeasured(const JobReport& report, const std::string& reference,
                           const std::string& metric) {
  const auto it = report.measured.find(reference);
  return it == report.measured.end() ? nullptr : Find(it->second, metric);
}

// Smaller is better; a design without the metric comes last.
double LutOf(const Design& design) {
  return design.measurement.Has("lut") ? design.measurement.Get("lut") : HUGE_VAL;
}

void AddReductions(const Trial& reference, const Design& design, Comparison& comparison) {
  if (reference.designs.empty()) return;
  const Measurement& base = reference.designs.front().measurement;
  for (const char* metric : {"dsp", "lut"}) {
    if (!base.Has(metric) || !design.measurement.Has(metric)) continue;
    Reduction reduction{.reference = reference.reference,
                        .metric = metric,
                        .from = base.Get(metric),
                        .to = design.measurement.Get(metric)};
    if (reduction.from > 0) reduction.fraction = 1 - reduction.to / reduction.from;
    comparison.reductions.push_back(std::move(reduction));
  }
}

}  // namespace

void SortFront(std::vector<FrontDesign>& front) {
  const auto key = [](const FrontDesign& one) {
    return std::tuple(LutOf(one.design), -one.design.measurement.Get("accuracy"), one.trial,
                      one.design.index);
  };
  std::sort(front.begin(), front.end(),
            [&key](const FrontDesign& a, const FrontDesign& b) { return key(a) < key(b); });
}

std::string TimingOf(const Measurement& measurement) {
  if (measurement.Has("vendor_critical_path_ns")) return "vendor";
  if (measurement.Has("placed_critical_path_ns")) return "placed";
  return measurement.Has("estimated_critical_path_ns") ? "estimated" : "";
}

std::optional<Comparison> CompareWithReferences(const JobReport& report) {
  if (report.front.empty()) return std::nullopt;
  const Metric* float_accuracy = FindMeasured(report, "float_network", "accuracy");
  const FrontDesign* best = nullptr;
  const FrontDesign* most_accurate = nullptr;
  for (const FrontDesign& one : report.front) {
    const double accuracy = one.design.measurement.Get("accuracy");
    if (most_accurate == nullptr || accuracy > most_accurate->design.measurement.Get("accuracy")) {
      most_accurate = &one;
    }
    const bool within =
        float_accuracy != nullptr && accuracy >= float_accuracy->value - kComparedAccuracyLoss;
    if (within && (best == nullptr || LutOf(one.design) < LutOf(best->design))) best = &one;
  }
  Comparison comparison;
  comparison.within = best != nullptr;
  if (best == nullptr) best = most_accurate;
  comparison.trial = best->trial;
  comparison.accuracy = best->design.measurement.Get("accuracy");
  if (float_accuracy != nullptr) comparison.float_accuracy = float_accuracy->value;
  if (const Metric* test = Find(best->design.measurement, "test_accuracy")) {
    comparison.test_accuracy = *test;
  }
  if (const Metric* test = FindMeasured(report, "test/float_network", "accuracy")) {
    comparison.float_test_accuracy = *test;
  }
  for (const Trial& reference : report.references) {
    AddReductions(reference, best->design, comparison);
  }
  return comparison;
}

double DropStandardError(const Comparison& comparison) {
  if (!comparison.test_accuracy || !comparison.float_test_accuracy) return 0;
  return std::hypot(comparison.test_accuracy->standard_error,
                    comparison.float_test_accuracy->standard_error);
}

Value ComparisonValue(const JobReport& report) {
  Value value;
  value.Set("front_size", static_cast<int>(report.front.size()));
  const std::optional<Comparison> comparison = CompareWithReferences(report);
  if (!comparison) return value;
  value.Set("trial", comparison->trial).Set("within_one_point", comparison->within);
  value.Set("accuracy", comparison->accuracy);
  if (comparison->float_accuracy) value.Set("float_accuracy", *comparison->float_accuracy);
  if (comparison->test_accuracy && comparison->float_test_accuracy) {
    const double drop = comparison->float_test_accuracy->value - comparison->test_accuracy->value;
    value.Set("test_accuracy", comparison->test_accuracy->value);
    value.Set("float_test_accuracy", comparison->float_test_accuracy->value);
    value.Set("accuracy_drop_points", 100 * drop);
    value.Set("accuracy_drop_standard_error", 100 * DropStandardError(*comparison));
  }
  Value reductions{Value::List()};
  for (const Reduction& reduction : comparison->reductions) {
    Value one;
    one.Set("reference", reduction.reference).Set("metric", reduction.metric);
    one.Set("from", reduction.from).Set("to", reduction.to);
    if (reduction.fraction) one.Set("fraction", *reduction.fraction);
    reductions.Append(std::move(one));
  }
  return value.Set("reductions", std::move(reductions));
}

}  // namespace dovetail::report
