// How long a suggestion takes given a fitted model: 10 variables, two objectives, one constraint,
// 8 pending, one thread. Prints one JSON object: by number of trials pick_p95_ms and pick_median_ms
// (wall clock), pick_cpu_p95_ms (this thread's processor time) and refit_ms (processor time);
// peak_rss_mb.
//
//   bench_suggest [--repeats 20] [--trials 100,200,500,1000]
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/rng.h"
#include "services/coordinator/search/strategy.h"

namespace dovetail::bench {
namespace {

// Of this thread: what the pick costs where other work shares the core.
double CpuMs() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return 1e3 * static_cast<double>(now.tv_sec) + 1e-6 * static_cast<double>(now.tv_nsec);
}

double NowMs() {
  return std::chrono::duration<double, std::milli>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// Six continuous variables, two integers, an ordinal and a categorical one.
search::Problem MixedProblem() {
  search::Problem problem;
  for (int i = 0; i < 10; ++i) {
    Variable variable;
    variable.name = absl::StrCat("x", i);
    if (i >= 6 && i < 8) {
      variable.type = VariableType::kInteger;
      variable.min = 1;
      variable.max = 16;
    } else if (i == 8) {
      variable.type = VariableType::kOrdinal;
      variable.levels = {1, 2, 4, 8, 16, 32};
    } else if (i == 9) {
      variable.type = VariableType::kCategorical;
      variable.levels = {"latency", "resource", "distributed_arithmetic"};
    }
    problem.space.variables.push_back(variable);
  }
  problem.objectives = {{"error", Goal::kMinimize}, {"lut", Goal::kMinimize}};
  Constraint constraint;
  constraint.metric = "dsp";
  constraint.at_most = 900;
  problem.constraints = {constraint};
  problem.initial_count = 22;
  return problem;
}

std::map<std::string, double> Measure(const Point& point) {
  double size = 0, loss = 0;
  int i = 0;
  for (const auto& [name, value] : point) {
    const double x = value.is_string() ? 0.2 * static_cast<double>(value.AsString().size() % 5)
                                       : value.AsNumber() / (i >= 6 ? 16.0 : 1.0);
    size += x * (1 + 0.3 * std::sin(5 * x + i));
    loss += (x - 0.3 - 0.05 * i) * (x - 0.3 - 0.05 * i);
    ++i;
  }
  return {{"error", 0.25 + 0.05 * loss}, {"lut", 1000 * std::exp(0.6 * size)}, {"dsp", 150 * size}};
}

double Quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  const auto index = static_cast<size_t>(std::ceil(q * static_cast<double>(values.size()))) - 1;
  return values[std::min(index, values.size() - 1)];
}

int Main(int argc, char** argv) {
  int repeats = 20;
  std::string counts = "100,200,500,1000";
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::string(argv[i]) == "--repeats") repeats = std::atoi(argv[i + 1]);
    if (std::string(argv[i]) == "--trials") counts = argv[i + 1];
  }
  Value picks, cpu, medians, refits;
  for (const auto& text : absl::StrSplit(counts, ',')) {
    const int count = std::atoi(std::string(text).c_str());
    auto strategy = search::MakeStrategy("gp", MixedProblem());
    auto sampler = search::MakeStrategy("sobol", MixedProblem());
    if (!strategy.ok() || !sampler.ok()) {
      std::cerr << strategy.status() << "\n";
      return 1;
    }
    int trial = 1;
    // Points from a search, not only from a sequence: half of them near the front.
    for (; trial <= count; ++trial) {
      const bool model = trial > count / 2 && trial % 10 == 0 && count <= 200;
      if (model) search::RefitNow(**strategy);
      auto suggestion = model ? (*strategy)->Suggest(trial) : (*sampler)->Suggest(trial);
      if (!suggestion.ok()) return 1;
      (*sampler)->AddPending(trial, suggestion->point);
      search::Observation observation;
      observation.trial = trial;
      observation.point = suggestion->point;
      observation.metrics = Measure(observation.point);
      (*strategy)->Tell(observation);
    }
    const double before = CpuMs();
    std::unique_ptr<search::Refit> refit = (*strategy)->StartRefit();
    refit->Run();
    (*strategy)->InstallRefit(*refit);
    refits.Set(std::string(text), CpuMs() - before);
    for (int k = 0; k < 8; ++k, ++trial) {
      auto suggestion = (*strategy)->Suggest(trial);
      if (!suggestion.ok()) return 1;
      (*strategy)->AddPending(trial, suggestion->point);
    }
    std::vector<double> times, cpu_times;
    for (int k = 0; k < repeats; ++k) {
      const double start = NowMs(), cpu_start = CpuMs();
      auto suggestion = (*strategy)->Suggest(trial + k);
      times.push_back(NowMs() - start);
      cpu_times.push_back(CpuMs() - cpu_start);
      if (!suggestion.ok()) return 1;
    }
    picks.Set(std::string(text), Quantile(times, 0.95));
    cpu.Set(std::string(text), Quantile(cpu_times, 0.95));
    medians.Set(std::string(text), Quantile(times, 0.5));
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  Value result;
  result.Set("pick_p95_ms", std::move(picks)).Set("pick_median_ms", std::move(medians));
  result.Set("pick_cpu_p95_ms", std::move(cpu)).Set("refit_ms", std::move(refits));
  result.Set("peak_rss_mb", static_cast<double>(usage.ru_maxrss) / 1024.0);
  result.Set("repeats", repeats);
  std::cout << result.ToJson() << std::endl;
  return 0;
}

}  // namespace
}  // namespace dovetail::bench

int main(int argc, char** argv) { return dovetail::bench::Main(argc, argv); }
