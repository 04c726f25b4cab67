#include "tests/bench/search/problems.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "services/coordinator/search/pareto_front.h"

namespace dovetail::bench {
namespace {

constexpr double kPi = 3.14159265358979323846;
using Vector = std::vector<double>;
using Function = std::function<std::map<std::string, double>(const Vector&)>;

Variable Continuous(const std::string& name, double min, double max) {
  Variable v;
  v.name = name;
  v.min = min;
  v.max = max;
  return v;
}

Variable Integer(const std::string& name, double min, double max) {
  Variable v = Continuous(name, min, max);
  v.type = VariableType::kInteger;
  return v;
}

// Variables x1, x2, ... in order; `function` gets their numbers.
BenchProblem Make(const std::string& name, std::vector<Variable> variables, int objectives,
                  int constraints, int initial, int evaluations, Function function) {
  BenchProblem bench;
  bench.name = name;
  for (size_t i = 0; i < variables.size(); ++i) variables[i].name = absl::StrCat("x", i + 1);
  const size_t count = variables.size();
  bench.problem.space.variables = std::move(variables);
  for (int k = 1; k <= objectives; ++k) {
    bench.problem.objectives.push_back({absl::StrCat("f", k), Goal::kMinimize});
  }
  for (int k = 1; k <= constraints; ++k) {
    Constraint constraint;
    constraint.metric = absl::StrCat("c", k);
    constraint.at_most = 0.0;
    bench.problem.constraints.push_back(constraint);
  }
  bench.problem.initial_count = initial;
  bench.problem.budget_trials = evaluations;
  bench.evaluations = evaluations;
  bench.measure = [function, count](const Point& point) {
    Vector x;
    for (size_t i = 1; i <= count; ++i) x.push_back(point.at(absl::StrCat("x", i)).AsNumber());
    return function(x);
  };
  return bench;
}

std::vector<Variable> Cube(int dimensions, double min, double max) {
  return std::vector<Variable>(dimensions, Continuous("", min, max));
}

double Branin(double x, double y) {
  const double b = 5.1 / (4 * kPi * kPi), c = 5 / kPi, t = 1 / (8 * kPi);
  const double a = y - b * x * x + c * x - 6;
  return a * a + 10 * (1 - t) * std::cos(x) + 10;
}

double Hartmann6(const Vector& x) {
  static const double a[4][6] = {{10, 3, 17, 3.5, 1.7, 8},
                                 {0.05, 10, 17, 0.1, 8, 14},
                                 {3, 3.5, 1.7, 10, 17, 8},
                                 {17, 8, 0.05, 10, 0.1, 14}};
  static const double p[4][6] = {{1312, 1696, 5569, 124, 8283, 5886},
                                 {2329, 4135, 8307, 3736, 1004, 9991},
                                 {2348, 1451, 3522, 2883, 3047, 6650},
                                 {4047, 8828, 8732, 5743, 1091, 381}};
  static const double alpha[4] = {1, 1.2, 3, 3.2};
  double sum = 0;
  for (int i = 0; i < 4; ++i) {
    double inner = 0;
    for (int j = 0; j < 6; ++j) {
      const double d = x[j] - 1e-4 * p[i][j];
      inner += a[i][j] * d * d;
    }
    sum += alpha[i] * std::exp(-inner);
  }
  return -sum;
}

double Ackley(const Vector& x, const Vector& shift) {
  double squares = 0, cosines = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double z = x[i] - shift[i];
    squares += z * z;
    cosines += std::cos(2 * kPi * z);
  }
  const auto n = static_cast<double>(x.size());
  return -20 * std::exp(-0.2 * std::sqrt(squares / n)) - std::exp(cosines / n) + 20 + std::exp(1.0);
}

double Levy(const Vector& x) {
  Vector w;
  for (double v : x) w.push_back(1 + (v - 1) / 4);
  double sum = std::pow(std::sin(kPi * w[0]), 2);
  for (size_t i = 0; i + 1 < w.size(); ++i) {
    sum += std::pow(w[i] - 1, 2) * (1 + 10 * std::pow(std::sin(kPi * w[i] + 1), 2));
  }
  return sum + std::pow(w.back() - 1, 2) * (1 + std::pow(std::sin(2 * kPi * w.back()), 2));
}

// Low autocorrelation binary sequences: minus the merit factor.
double Labs(const Vector& x) {
  const auto n = static_cast<int>(x.size());
  double energy = 0;
  for (int k = 1; k < n; ++k) {
    double sum = 0;
    for (int i = 0; i + k < n; ++i) sum += (2 * x[i] - 1) * (2 * x[i + k] - 1);
    energy += sum * sum;
  }
  return -static_cast<double>(n) * n / (2 * energy);
}

// x in [0,1]^2.
std::map<std::string, double> BraninCurrin(const Vector& x) {
  const double factor = x[1] <= 0 ? 1 : 1 - std::exp(-1 / (2 * x[1]));
  const double a = x[0];
  const double currin = factor * (2300 * a * a * a + 1900 * a * a + 2092 * a + 60) /
                        (100 * a * a * a + 500 * a * a + 4 * a + 20);
  return {{"f1", Branin(15 * x[0] - 5, 15 * x[1])}, {"f2", currin}};
}

std::map<std::string, double> Dtlz2(const Vector& x, int objectives) {
  double g = 0;
  for (size_t i = objectives - 1; i < x.size(); ++i) g += (x[i] - 0.5) * (x[i] - 0.5);
  std::map<std::string, double> values;
  for (int k = 0; k < objectives; ++k) {
    double f = 1 + g;
    for (int j = 0; j < objectives - 1 - k; ++j) f *= std::cos(x[j] * kPi / 2);
    if (k > 0) f *= std::sin(x[objectives - 1 - k] * kPi / 2);
    values[absl::StrCat("f", k + 1)] = f;
  }
  return values;
}

std::map<std::string, double> C2Dtlz2(const Vector& x) {
  std::map<std::string, double> values = Dtlz2(x, 2);
  const double f1 = values["f1"], f2 = values["f2"], r2 = 0.04, s = 1 / std::sqrt(2.0);
  const double ends = std::min((f1 - 1) * (f1 - 1) + f2 * f2, (f2 - 1) * (f2 - 1) + f1 * f1) - r2;
  const double middle = (f1 - s) * (f1 - s) + (f2 - s) * (f2 - s) - r2;
  values["c1"] = std::min(ends, middle);
  return values;
}

std::map<std::string, double> Zdt(const Vector& x, int number) {
  double g = 0;
  for (size_t i = 1; i < x.size(); ++i) g += x[i];
  g = 1 + 9 * g / static_cast<double>(x.size() - 1);
  const double ratio = x[0] / g;
  double h = 1 - std::sqrt(ratio);
  if (number == 2) h = 1 - ratio * ratio;
  if (number == 3) h = 1 - std::sqrt(ratio) - ratio * std::sin(10 * kPi * x[0]);
  return {{"f1", x[0]}, {"f2", g * h}};
}

std::map<std::string, double> VehicleSafety(const Vector& x) {
  const double a = x[0], b = x[1], c = x[2], d = x[3], e = x[4];
  return {{"f1", 1640.2823 + 2.3573285 * a + 2.3220035 * b + 4.5688768 * c + 7.7213633 * d +
                     4.4559504 * e},
          {"f2", 6.5856 + 1.15 * a - 1.0427 * b + 0.9738 * c + 0.8364 * d - 0.3695 * a * d +
                     0.0861 * a * e + 0.3628 * b * d - 0.1106 * a * a - 0.3437 * c * c +
                     0.1764 * d * d},
          {"f3", -0.0551 + 0.0181 * a + 0.1024 * b + 0.0421 * c - 0.0073 * a * b + 0.024 * b * c -
                     0.0118 * b * d - 0.0204 * c * d - 0.008 * c * e - 0.0241 * b * b +
                     0.0109 * d * d}};
}

std::map<std::string, double> DiscBrake(const Vector& x) {
  const double squares = x[1] * x[1] - x[0] * x[0];
  const double cubes = x[1] * x[1] * x[1] - x[0] * x[0] * x[0];
  return {{"f1", 4.9e-5 * squares * (x[3] - 1)},
          {"f2", 9.82e6 * squares / (x[2] * x[3] * cubes)},
          {"c1", 20 - (x[1] - x[0])},
          {"c2", x[2] / (3.14 * squares) - 0.4},
          {"c3", 2.22e-3 * x[2] * cubes / (squares * squares) - 1},
          {"c4", 900 - 2.66e-2 * x[2] * x[3] * cubes / squares}};
}

std::map<std::string, double> PressureVessel(const Vector& x) {
  const double a = x[0] * 0.0625, b = x[1] * 0.0625, r = x[2], l = x[3];
  return {{"f1", 0.6224 * a * r * l + 1.7781 * b * r * r + 3.1661 * a * a * l + 19.84 * a * a * r},
          {"c1", -a + 0.0193 * r},
          {"c2", -b + 0.00954 * r},
          {"c3", (-kPi * r * r * l - 4.0 / 3.0 * kPi * r * r * r + 1296000) / 1e6},
          {"c4", l - 240}};
}

std::map<std::string, double> WeldedBeam(const Vector& x) {
  const double h = x[0], l = x[1], t = x[2], b = x[3];
  const double p = 6000, length = 14, e = 30e6, g = 12e6;
  const double moment = p * (length + l / 2);
  const double r = std::sqrt(l * l / 4 + std::pow((h + t) / 2, 2));
  const double j = 2 * (std::sqrt(2.0) * h * l * (l * l / 12 + std::pow((h + t) / 2, 2)));
  const double critical = 4.013 * e * std::sqrt(t * t * std::pow(b, 6) / 36) / (length * length) *
                          (1 - t / (2 * length) * std::sqrt(e / (4 * g)));
  const double t1 = p / (std::sqrt(2.0) * h * l), t2 = moment * r / j;
  const double tau = std::sqrt(t1 * t1 + t1 * t2 * l / r + t2 * t2);
  return {{"f1", 1.10471 * h * h * l + 0.04811 * t * b * (14 + l)},
          {"c1", (tau - 13600) / 13600},
          {"c2", (6 * p * length / (t * t * b) - 30000) / 30000},
          {"c3", h - b},
          {"c4", 0.10471 * h * h + 0.04811 * t * b * (14 + l) - 5},
          {"c5", 4 * p * std::pow(length, 3) / (e * t * t * t * b) - 0.25},
          {"c6", (p - critical) / p}};
}

std::map<std::string, double> One(double value) { return {{"f1", value}}; }

BenchProblem Judged(BenchProblem bench, double optimum, double gate, Vector reference = {}) {
  bench.optimum = optimum;
  bench.gate = gate;
  bench.reference = std::move(reference);
  return bench;
}

BenchProblem MixedAckley13() {
  std::vector<Variable> variables;
  Vector shift, scale;
  for (int i = 0; i < 13; ++i) {
    const int levels = i < 5 ? 3 : 5;
    variables.push_back(i < 10 ? Integer("", 0, levels - 1) : Continuous("", 0, 1));
    scale.push_back(i < 10 ? 1.0 / (levels - 1) : 1.0);
    shift.push_back(i < 5 ? 0.5 : (i < 10 ? 0.25 + 0.5 * (i % 2) : 0.37));
  }
  return Judged(Make("ackley13_mixed", variables, 1, 0, 14, 50,
                     [shift, scale](Vector x) {
                       for (size_t i = 0; i < x.size(); ++i) x[i] *= scale[i];
                       return One(Ackley(x, shift));
                     }),
                0, 0);
}

}  // namespace

std::vector<BenchProblem> AllProblems() {
  const double kUnknown = std::numeric_limits<double>::quiet_NaN();
  const Vector shift4 = {3.7, -8.1, 12.3, -5.9};
  Vector shift20;
  for (int i = 0; i < 20; ++i) shift20.push_back(1.7 * std::sin(3.0 * i + 1.0));
  std::vector<BenchProblem> all;
  all.push_back(Judged(Make("branin", {Continuous("", -5, 10), Continuous("", 0, 15)}, 1, 0, 5, 30,
                            [](const Vector& x) { return One(Branin(x[0], x[1])); }),
                       0.39788735772973816, 1e-3));
  all.push_back(Judged(Make("hartmann6", Cube(6, 0, 1), 1, 0, 14, 60,
                            [](const Vector& x) { return One(Hartmann6(x)); }),
                       -3.322368011391339, 1e-2));
  all.push_back(Judged(Make("ackley4_shifted", Cube(4, -32.768, 32.768), 1, 0, 10, 40,
                            [shift4](const Vector& x) { return One(Ackley(x, shift4)); }),
                       0, 4));
  all.push_back(Judged(Make("ackley20_shifted", Cube(20, -5, 10), 1, 0, 40, 200,
                            [shift20](const Vector& x) { return One(Ackley(x, shift20)); }),
                       0, 0));
  all.push_back(Judged(
      Make("levy4", Cube(4, -10, 10), 1, 0, 10, 40, [](const Vector& x) { return One(Levy(x)); }),
      0, 0.4));
  all.push_back(Judged(Make("hartmann6_discrete",
                            {Integer("", 0, 3), Integer("", 0, 3), Integer("", 0, 19),
                             Integer("", 0, 19), Continuous("", 0, 1), Continuous("", 0, 1)},
                            1, 0, 14, 50,
                            [](Vector x) {
                              x[0] /= 3, x[1] /= 3, x[2] /= 19, x[3] /= 19;
                              return One(Hartmann6(x));
                            }),
                       -2.89, 0));
  all.push_back(MixedAckley13());
  all.push_back(Judged(Make("labs30", std::vector<Variable>(30, Integer("", 0, 1)), 1, 0, 20, 100,
                            [](const Vector& x) { return One(Labs(x)); }),
                       -7.627, 0));
  all.push_back(Judged(Make("pressure_vessel",
                            {Integer("", 0, 160), Integer("", 0, 160), Continuous("", 10, 50),
                             Continuous("", 150, 200)},
                            1, 4, 10, 50, PressureVessel),
                       6059.946341, 0));
  all.push_back(Judged(Make("welded_beam",
                            {Continuous("", 0.125, 10), Continuous("", 0.1, 10),
                             Continuous("", 0.1, 10), Continuous("", 0.1, 10)},
                            1, 6, 10, 50, WeldedBeam),
                       1.728226, 0));
  all.push_back(Judged(Make("branin_currin", Cube(2, 0, 1), 2, 0, 6, 40, BraninCurrin),
                       59.36011874867746, 57.5, {18, 6}));
  all.push_back(Judged(Make("branin_currin_constrained", Cube(2, 0, 1), 2, 1, 10, 50,
                            [](const Vector& x) {
                              std::map<std::string, double> values = BraninCurrin(x);
                              const double a = 15 * x[0] - 5 - 2.5, b = 15 * x[1] - 7.5;
                              values["c1"] = a * a + b * b - 50;
                              return values;
                            }),
                       608.4004237, 604, {80, 12}));
  all.push_back(Judged(Make("c2dtlz2", Cube(4, 0, 1), 2, 1, 10, 50, C2Dtlz2), 0.3996406303723544,
                       0.37, {1.1, 1.1}));
  all.push_back(Judged(
      Make("dtlz2_6d", Cube(6, 0, 1), 2, 0, 14, 50, [](const Vector& x) { return Dtlz2(x, 2); }),
      1.21 - kPi / 4, 0.32, {1.1, 1.1}));
  all.push_back(Judged(
      Make("dtlz2_6d_3", Cube(6, 0, 1), 3, 0, 14, 50, [](const Vector& x) { return Dtlz2(x, 3); }),
      1.331 - kPi / 6, 0, {1.1, 1.1, 1.1}));
  for (int number = 1; number <= 3; ++number) {
    const double maxima[] = {120.6667, 120.3333, 128.7781};
    all.push_back(Judged(Make(absl::StrCat("zdt", number), Cube(5, 0, 1), 2, 0, 12, 60,
                              [number](const Vector& x) { return Zdt(x, number); }),
                         maxima[number - 1], number == 1 ? 120.5 : 0, {11, 11}));
  }
  all.push_back(Judged(Make("vehicle_safety", Cube(5, 1, 3), 3, 0, 12, 45, VehicleSafety),
                       246.81607, 242, {1864.72022, 11.81993945, 0.2903999384}));
  all.push_back(Judged(Make("disc_brake",
                            {Continuous("", 55, 80), Continuous("", 75, 110),
                             Continuous("", 1000, 3000), Continuous("", 11, 20)},
                            2, 4, 10, 45, DiscBrake),
                       kUnknown, 11.0, {5.7771, 3.9651}));
  return all;
}

double Judge(const BenchProblem& bench,
             const std::vector<std::map<std::string, double>>& measurements) {
  std::vector<std::vector<double>> feasible;
  for (const auto& metrics : measurements) {
    bool good = true;
    for (const Constraint& constraint : bench.problem.constraints) {
      good = good && metrics.at(constraint.metric) <= 0;
    }
    if (!good) continue;
    std::vector<double> values;
    for (const Objective& objective : bench.problem.objectives) {
      values.push_back(metrics.at(objective.metric));
    }
    feasible.push_back(std::move(values));
  }
  if (!bench.reference.empty()) return search::Hypervolume(feasible, bench.reference);
  double best = std::numeric_limits<double>::infinity();
  for (const auto& values : feasible) best = std::min(best, values[0]);
  return best - (std::isfinite(bench.optimum) ? bench.optimum : 0.0);
}

}  // namespace dovetail::bench
