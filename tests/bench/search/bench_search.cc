// Runs our strategies on the test problems: one JSON line per (problem, method, seed, parallel).
// Resumable: with --out FILE, runs that are in the file are skipped and new ones are appended.
//
//   bench_search [--problem NAME[,NAME]] [--method gp[,random]] [--seeds 5] [--first-seed 1]
//                [--parallel 1] [--out FILE] [--gates] [--options JSON] [--given-reference]
// --gates prints medians against the gates instead. --given-reference tells gp the reference point
// that the hypervolume is judged by; else it infers one from its data.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <iostream>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/bench/search/problems.h"

namespace dovetail::bench {
namespace {

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string Key(const Value& run) {
  return absl::StrCat(run["problem"].AsString(), "/", run["method"].AsString(), "/",
                      run["seed"].AsNumber(), "/", run["parallel"].AsNumber());
}

absl::StatusOr<Value> RunOne(const BenchProblem& bench, const std::string& method, int seed,
                             int parallel, const Value& options, bool given_reference) {
  search::Problem problem = bench.problem;
  problem.seed = static_cast<uint64_t>(seed);
  problem.options = options;
  if (given_reference && method == "gp" && !bench.reference.empty()) {
    Value reference;
    for (size_t k = 0; k < bench.reference.size(); ++k) {
      reference.Set(problem.objectives[k].metric, bench.reference[k]);
    }
    problem.options.Set("reference", std::move(reference));
  }
  auto strategy = search::MakeStrategy(method, problem);
  if (!strategy.ok()) return strategy.status();
  std::vector<std::map<std::string, double>> measured;
  Value::List trace;
  double suggest_seconds = 0, refit_seconds = 0;
  std::deque<std::pair<int, Point>> waiting;
  for (int trial = 1; trial <= bench.evaluations; ++trial) {
    const double before = Now();
    search::RefitNow(**strategy);
    const double between = Now();
    absl::StatusOr<search::Suggestion> suggestion = (*strategy)->Suggest(trial);
    suggest_seconds += Now() - between;
    refit_seconds += between - before;
    if (!suggestion.ok()) return suggestion.status();
    (*strategy)->AddPending(trial, suggestion->point);
    waiting.emplace_back(trial, suggestion->point);
    while (!waiting.empty() &&
           (static_cast<int>(waiting.size()) >= parallel || trial == bench.evaluations)) {
      search::Observation observation;
      observation.trial = waiting.front().first;
      observation.point = waiting.front().second;
      observation.metrics = bench.measure(observation.point);
      measured.push_back(observation.metrics);
      (*strategy)->Tell(observation);
      waiting.pop_front();
      const double value = Judge(bench, measured);
      trace.emplace_back(std::isfinite(value) ? Value(value) : Value());
    }
  }
  Value run;
  run.Set("problem", bench.name).Set("method", method).Set("seed", seed);
  run.Set("parallel", parallel).Set("evaluations", bench.evaluations);
  run.Set("kind", bench.reference.empty() ? "regret" : "hypervolume");
  run.Set("value", Judge(bench, measured)).Set("optimum", bench.optimum).Set("gate", bench.gate);
  run.Set("suggest_ms", 1e3 * suggest_seconds / bench.evaluations);
  run.Set("refit_ms", 1e3 * refit_seconds / bench.evaluations);
  run.Set("trace", std::move(trace));
  return run;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  return n % 2 == 1 ? values[n / 2] : 0.5 * (values[n / 2 - 1] + values[n / 2]);
}

int Main(int argc, char** argv) {
  std::map<std::string, std::string> flags = {
      {"problem", "all"}, {"method", "gp"}, {"seeds", "5"},   {"first-seed", "1"},
      {"parallel", "1"},  {"out", ""},      {"options", "{}"}};
  bool gates = false;
  bool given_reference = false;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--gates") {
      gates = true;
    } else if (flag == "--given-reference") {
      given_reference = true;
    } else if (flag.rfind("--", 0) == 0 && flags.count(flag.substr(2)) && i + 1 < argc) {
      flags[flag.substr(2)] = argv[++i];
    } else {
      std::cerr << "unknown flag " << flag << "; see the head of bench_search.cc\n";
      return 2;
    }
  }
  const std::vector<std::string> wanted = absl::StrSplit(flags["problem"], ',');
  const std::vector<std::string> methods = absl::StrSplit(flags["method"], ',');
  absl::StatusOr<Value> options = Value::FromJson(flags["options"]);
  if (!options.ok()) {
    std::cerr << "--options: " << options.status().message() << "\n";
    return 2;
  }
  std::set<std::string> done;
  std::ofstream out;
  if (!flags["out"].empty()) {
    std::ifstream in(flags["out"]);
    for (std::string line; std::getline(in, line);) {
      absl::StatusOr<Value> run = Value::FromJson(line);
      if (run.ok()) done.insert(Key(*run));
    }
    out.open(flags["out"], std::ios::app);
  }
  bool all_hold = true;
  for (const BenchProblem& bench : AllProblems()) {
    const bool chosen = flags["problem"] == "all" ||
                        std::find(wanted.begin(), wanted.end(), bench.name) != wanted.end();
    if (!chosen || (gates && !(bench.gate > 0))) continue;
    for (const std::string& method : methods) {
      std::vector<double> values;
      double suggest_ms = 0, refit_ms = 0;
      for (int k = 0; k < std::atoi(flags["seeds"].c_str()); ++k) {
        const int seed = std::atoi(flags["first-seed"].c_str()) + k;
        const int parallel = std::atoi(flags["parallel"].c_str());
        Value key;
        key.Set("problem", bench.name).Set("method", method).Set("seed", seed);
        key.Set("parallel", parallel);
        if (done.count(Key(key))) continue;
        absl::StatusOr<Value> run =
            RunOne(bench, method, seed, parallel, *options, given_reference);
        if (!run.ok()) {
          std::cerr << bench.name << " " << method << " seed " << seed << ": " << run.status()
                    << "\n";
          return 1;
        }
        if (out.is_open()) out << run->ToJson() << std::endl;
        if (!out.is_open() && !gates) std::cout << run->ToJson() << std::endl;
        values.push_back((*run)["value"].AsNumber());
        suggest_ms += (*run)["suggest_ms"].AsNumber();
        refit_ms += (*run)["refit_ms"].AsNumber();
      }
      if (values.empty() || !gates) continue;
      const double median = Median(values);
      const bool holds = bench.reference.empty() ? median <= bench.gate : median >= bench.gate;
      all_hold = all_hold && holds;
      const auto [low, high] = std::minmax_element(values.begin(), values.end());
      std::printf(
          "%-26s %-8s median %-12.6g low %-12.6g high %-12.6g gate %-8g %s  %.1f + %.1f ms\n",
          bench.name.c_str(), method.c_str(), median, *low, *high, bench.gate,
          holds ? "holds" : "MISSED", suggest_ms / static_cast<double>(values.size()),
          refit_ms / static_cast<double>(values.size()));
      std::fflush(stdout);
    }
  }
  return all_hold ? 0 : 1;
}

}  // namespace
}  // namespace dovetail::bench

int main(int argc, char** argv) { return dovetail::bench::Main(argc, argv); }
