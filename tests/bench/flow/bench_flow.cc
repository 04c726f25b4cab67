// What the flow interpreter costs and how well a flow fills workers: prints one line of JSON.
// The workers are simulated: task durations are drawn, no time passes.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/rng.h"
#include "services/coordinator/flow/flow_plan.h"
#include "tests/unit/coordinator/flow/flow_test_support.h"
#include "tests/unit/coordinator/flow/random_flows.h"
#include "tests/unit/coordinator/flow/worker_simulation.h"

namespace dovetail::flow {
namespace {

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::shared_ptr<const FlowPlan> MustMake(const Flow& flow, const FlowContext& context) {
  auto plan = FlowPlan::Make(flow, context);
  if (!plan.ok()) {
    std::fprintf(stderr, "bench_flow: %s\n", std::string(plan.status().message()).c_str());
    std::exit(1);
  }
  return *plan;
}

Flow LineFlow() {
  return MakeFlow({MakeTask("prune", "prune", {{"rate", "= rate"}}),
                   MakeTask("quantize", "quantize", {{"weight_bits", "= 2 + round(6 * rate)"}}),
                   MakeTask("evaluate", "evaluate"), MakeTask("lower_rtl", "lower_rtl"),
                   MakeTask("synthesize", "synthesize")});
}

// Microseconds a task run costs the interpreter: making it ready and taking its outcome in.
double LineMicroseconds(int trials) {
  FlowContext context;
  context.variables = {MakeVariable("rate")};
  const auto plan = MustMake(LineFlow(), context);
  int task_runs = 0;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < trials; ++i) {
    auto execution = FlowExecution::Make(plan, MakeStart({{"rate", 1e-3 * (i % 1000)}}));
    while (!(*execution)->finished()) {
      for (const TaskRequest& request : (*execution)->TakeReady()) {
        ActionResult result;
        result.outcome = Outcome::kOk;
        for (const PortInfo& port : request.info->outputs) result.outputs[port.name] = "digest";
        for (const std::string& metric : request.info->metrics) {
          result.measurement.Put(metric, 1, "count", "bench");
        }
        (void)(*execution)->Tell(request.task_run, result);
        ++task_runs;
      }
    }
    (void)(*execution)->outcome();
  }
  return 1e6 * SecondsSince(start) / task_runs;
}

// Of random flows with all control tasks: microseconds per task run, and to make a plan.
std::pair<double, double> RandomMicroseconds(int flows) {
  double making_s = 0, running_s = 0;
  int task_runs = 0;
  for (int i = 0; i < flows; ++i) {
    Rng rng = Rng::Derive(1, absl::StrCat(i));
    const Flow flow = FlowOfTree(RandomTree(rng));
    auto start = std::chrono::steady_clock::now();
    const auto plan = MustMake(flow, FlowContext());
    making_s += SecondsSince(start);
    auto execution = FlowExecution::Make(plan, MakeStart());
    while (!(*execution)->finished()) {
      start = std::chrono::steady_clock::now();
      const auto ready = (*execution)->TakeReady();
      running_s += SecondsSince(start);
      for (const TaskRequest& request : ready) {
        const ActionResult result =
            ResultOf({static_cast<uint64_t>(i), 0.05}, *request.info, request.node, request.path,
                     request.iteration, Value());
        start = std::chrono::steady_clock::now();
        (void)(*execution)->Tell(request.task_run, result);
        running_s += SecondsSince(start);
        ++task_runs;
      }
    }
  }
  return {1e6 * running_s / task_runs, 1e6 * making_s / flows};
}

}  // namespace
}  // namespace dovetail::flow

int main() {
  using namespace dovetail::flow;
  const double line_us = LineMicroseconds(2000);
  const auto [random_us, making_us] = RandomMicroseconds(500);
  std::vector<double> utilisation;
  const auto plan = FlowPlan::Make(ForkFlow(), FlowContext());
  for (uint64_t seed = 1; seed <= 10; ++seed) utilisation.push_back(Utilisation(*plan, 8, seed));
  std::sort(utilisation.begin(), utilisation.end());
  std::printf(
      "{\"interpreter_ms_per_task\":%.4f,\"interpreter_ms_per_task_random_flows\":%.4f,"
      "\"plan_ms_random_flows\":%.4f,\"utilisation_8_workers\":%.3f,"
      "\"utilisation_8_workers_worst\":%.3f}\n",
      line_us / 1e3, random_us / 1e3, making_us / 1e3, utilisation[utilisation.size() / 2],
      utilisation[0]);
  return 0;
}
