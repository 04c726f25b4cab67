#include "services/coordinator/web/tables.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace dovetail::report {
namespace {

// Columns between "state" and "timing".
constexpr const char* kMetricColumns[] = {"accuracy",
                                          "dsp",
                                          "lut",
                                          "ff",
                                          "bram",
                                          "latency_cycles",
                                          "initiation_interval_cycles",
                                          "estimated_critical_path_ns",
                                          "latency_ns_at_target"};

std::string CellOf(const Value& value) {
  if (value.is_null()) return "";
  if (value.is_string()) return value.AsString();
  return value.ToJson();
}

std::vector<std::string> Header(const JobReport& report, const char* first) {
  std::vector<std::string> header = {first, "state"};
  for (const char* metric : kMetricColumns) header.push_back(metric);
  header.push_back("timing");
  for (const Variable& variable : report.spec.space.variables) header.push_back(variable.name);
  return header;
}

std::vector<std::string> Row(const JobReport& report, std::string first, std::string state,
                             const Measurement& measurement, const Point& point) {
  std::vector<std::string> row = {std::move(first), std::move(state)};
  for (const char* metric : kMetricColumns) {
    row.push_back(measurement.Has(metric) ? NumberToText(measurement.Get(metric)) : "");
  }
  row.push_back(TimingOf(measurement));
  for (const Variable& variable : report.spec.space.variables) {
    const auto it = point.find(variable.name);
    row.push_back(it == point.end() ? "" : CellOf(it->second));
  }
  return row;
}

void AddTrial(const JobReport& report, const Trial& trial, const std::string& first, Table& table) {
  const std::string state(TrialStateName(trial.state));
  if (trial.designs.empty()) {
    table.rows.push_back(Row(report, first, state, Measurement(), trial.point));
  }
  for (const Design& design : trial.designs) {
    table.rows.push_back(Row(report, first, state, design.measurement, trial.point));
  }
}

constexpr int kGrouped = -1;

struct Column {
  const char* metric;
  const char* title;
  int decimals;  // kGrouped: a whole number with commas
};

constexpr Column kColumnsForPeople[] = {{"accuracy", "accuracy", 4},
                                        {"test_accuracy", "test acc.", 4},
                                        {"dsp", "DSP", kGrouped},
                                        {"lut", "LUT", kGrouped},
                                        {"ff", "FF", kGrouped},
                                        {"bram", "BRAM", 1},
                                        {"latency_cycles", "cycles", kGrouped},
                                        {"initiation_interval_cycles", "II", kGrouped},
                                        {"estimated_critical_path_ns", "est. path ns", 2},
                                        {"latency_ns_at_target", "latency ns", 0}};

std::string Formatted(const Column& column, double value) {
  if (column.decimals == kGrouped) return Grouped(value);
  return absl::StrFormat("%.*f", column.decimals, value);
}

std::vector<std::string> RowForPeople(std::string first, const Measurement& measurement) {
  std::vector<std::string> row = {std::move(first)};
  for (const Column& column : kColumnsForPeople) {
    row.push_back(measurement.Has(column.metric) ? Formatted(column, measurement.Get(column.metric))
                                                 : "");
  }
  return row;
}

Table HeaderForPeople(const char* first) {
  Table table;
  table.header = {first};
  for (const Column& column : kColumnsForPeople) table.header.push_back(column.title);
  return table;
}

void DropEmptyColumns(Table& table) {
  for (size_t c = table.header.size(); c-- > 0;) {
    bool empty = true;
    for (const auto& row : table.rows) empty = empty && row[c].empty();
    if (!empty) continue;
    table.header.erase(table.header.begin() + static_cast<long>(c));
    for (auto& row : table.rows) row.erase(row.begin() + static_cast<long>(c));
  }
}

std::string ShortValue(const Value& value) {
  if (value.is_number() && value.AsNumber() != std::trunc(value.AsNumber())) {
    return absl::StrFormat("%.4g", value.AsNumber());
  }
  return CellOf(value);
}

// A reference's measurement, its accuracy on the test split added.
Measurement WithTest(const JobReport& report, const std::string& name, Measurement measurement) {
  const auto test = report.measured.find(absl::StrCat("test/", name));
  if (test != report.measured.end() && test->second.Has("accuracy")) {
    measurement.metrics["test_accuracy"] = test->second.metrics.at("accuracy");
  }
  return measurement;
}

std::string ReductionText(const Reduction& reduction) {
  std::string name = reduction.metric == "dsp" ? "DSPs" : "LUTs";
  return absl::StrCat(
      name, " ", Grouped(reduction.from), " -> ", Grouped(reduction.to),
      reduction.fraction ? absl::StrCat(" (", Percent(-*reduction.fraction), ")") : "");
}

}  // namespace

Table FrontTable(const JobReport& report) {
  Table table{.header = Header(report, "trial")};
  for (const FrontDesign& one : report.front) {
    table.rows.push_back(
        Row(report, absl::StrCat(one.trial), "succeeded", one.design.measurement, one.point));
  }
  return table;
}

Table TrialsTable(const JobReport& report) {
  Table table{.header = Header(report, "trial")};
  for (const Trial& trial : report.trials) {
    AddTrial(report, trial, absl::StrCat(trial.number), table);
  }
  return table;
}

Table ReferencesTable(const JobReport& report) {
  Table table{.header = Header(report, "reference")};
  const auto float_network = report.measured.find("float_network");
  if (float_network != report.measured.end()) {
    table.rows.push_back(Row(report, "float_network", "succeeded", float_network->second, {}));
  }
  for (const Trial& trial : report.references) AddTrial(report, trial, trial.reference, table);
  return table;
}

Table FrontForPeople(const JobReport& report) {
  Table table = HeaderForPeople("trial");
  for (const Variable& variable : report.spec.space.variables) {
    table.header.push_back(variable.name);
  }
  for (const FrontDesign& one : report.front) {
    std::vector<std::string> row = RowForPeople(absl::StrCat(one.trial), one.design.measurement);
    for (const Variable& variable : report.spec.space.variables) {
      const auto it = one.point.find(variable.name);
      row.push_back(it == one.point.end() ? "" : ShortValue(it->second));
    }
    table.rows.push_back(std::move(row));
  }
  DropEmptyColumns(table);
  return table;
}

Table ReferencesForPeople(const JobReport& report) {
  Table table = HeaderForPeople("reference");
  const auto float_network = report.measured.find("float_network");
  if (float_network != report.measured.end()) {
    table.rows.push_back(
        RowForPeople("float network", WithTest(report, "float_network", float_network->second)));
  }
  for (const Trial& trial : report.references) {
    std::string name = trial.reference;
    if (trial.state != TrialState::kSucceeded) {
      absl::StrAppend(&name, " (", TrialStateName(trial.state), ")");
    }
    const Measurement measured =
        trial.designs.empty() ? Measurement() : trial.designs.front().measurement;
    table.rows.push_back(RowForPeople(name, WithTest(report, trial.reference, measured)));
  }
  DropEmptyColumns(table);
  return table;
}

std::vector<std::string> ComparisonSentences(const JobReport& report) {
  std::vector<std::string> sentences;
  const std::optional<Comparison> comparison = CompareWithReferences(report);
  if (!comparison) return sentences;
  std::string first =
      comparison->within
          ? absl::StrFormat("Smallest design within %g point of the float network: trial %d",
                            100 * kComparedAccuracyLoss, comparison->trial)
          : absl::StrFormat(
                "No design is within %g point of the float network; the most accurate: "
                "trial %d",
                100 * kComparedAccuracyLoss, comparison->trial);
  absl::StrAppendFormat(&first, ", accuracy %.4f", comparison->accuracy);
  if (comparison->float_accuracy) {
    absl::StrAppendFormat(&first, " (float %.4f, %+.2f points)", *comparison->float_accuracy,
                          100 * (comparison->accuracy - *comparison->float_accuracy));
  }
  sentences.push_back(first);
  if (comparison->test_accuracy && comparison->float_test_accuracy) {
    sentences.push_back(absl::StrFormat(
        "On the test split, read once: %.4f (float %.4f), a drop of %.2f +- %.2f points",
        comparison->test_accuracy->value, comparison->float_test_accuracy->value,
        100 * (comparison->float_test_accuracy->value - comparison->test_accuracy->value),
        100 * DropStandardError(*comparison)));
  }
  std::string reference;
  std::vector<std::string> parts;
  const auto flush = [&] {
    if (!parts.empty()) {
      sentences.push_back(absl::StrCat("Against ", reference, ": ", absl::StrJoin(parts, ", ")));
    }
    parts.clear();
  };
  for (const Reduction& reduction : comparison->reductions) {
    if (reduction.reference != reference) flush();
    reference = reduction.reference;
    parts.push_back(ReductionText(reduction));
  }
  flush();
  return sentences;
}

std::string SummaryText(const JobReport& report) {
  std::string out;
  if (report.front.empty()) {
    absl::StrAppend(&out, "No feasible design was found.\n");
  } else {
    absl::StrAppend(&out, "Pareto front: ", report.front.size(),
                    report.front.size() == 1 ? " design" : " designs", "\n",
                    ToText(FrontForPeople(report), "  "));
  }
  const Table references = ReferencesForPeople(report);
  if (!references.rows.empty()) {
    absl::StrAppend(&out, "\nReferences\n", ToText(references, "  "));
  }
  const std::vector<std::string> sentences = ComparisonSentences(report);
  if (!sentences.empty()) absl::StrAppend(&out, "\n");
  for (const std::string& sentence : sentences) absl::StrAppend(&out, sentence, "\n");
  return out;
}

std::string Grouped(double count) {
  if (count != std::trunc(count) || std::abs(count) >= 1e15) return NumberToText(count);
  std::string digits = NumberToText(std::abs(count));
  for (int i = static_cast<int>(digits.size()) - 3; i > 0; i -= 3) {
    digits.insert(static_cast<size_t>(i), ",");
  }
  return count < 0 ? "-" + digits : digits;
}

std::string Percent(double fraction) { return absl::StrFormat("%+.1f %%", 100 * fraction); }

}  // namespace dovetail::report
