// The field's test problems with exact constants, for the search benchmarks.
#ifndef DOVETAIL_TESTS_BENCH_SEARCH_PROBLEMS_H_
#define DOVETAIL_TESTS_BENCH_SEARCH_PROBLEMS_H_

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "services/coordinator/search/strategy.h"

namespace dovetail::bench {

struct BenchProblem {
  std::string name;
  search::Problem problem;  // objectives minimised, named f1, f2, ...; constraints c1, c2, ... <= 0
  int evaluations = 0;
  // What a run is judged by. One objective: best feasible value, less is better, `optimum` known.
  // More: hypervolume within `reference`, more is better, `optimum` its maximum (0: not known).
  double optimum = 0;
  std::vector<double> reference;
  // The median that the field notes ask for: regret at most, or hypervolume at least; 0: none.
  double gate = 0;
  std::function<std::map<std::string, double>(const Point&)> measure;
};

std::vector<BenchProblem> AllProblems();

// Regret of the best feasible observation (one objective; the raw value where the optimum is not
// known), or hypervolume of the feasible ones.
double Judge(const BenchProblem& problem,
             const std::vector<std::map<std::string, double>>& measurements);

}  // namespace dovetail::bench

#endif  // DOVETAIL_TESTS_BENCH_SEARCH_PROBLEMS_H_
