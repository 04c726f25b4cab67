// Workers whose time is only counted: how well a flow's forks fill them.
#ifndef DOVETAIL_TESTS_UNIT_COORDINATOR_FLOW_WORKER_SIMULATION_H_
#define DOVETAIL_TESTS_UNIT_COORDINATOR_FLOW_WORKER_SIMULATION_H_

#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/rng.h"
#include "services/coordinator/flow/flow_plan.h"
#include "tests/unit/coordinator/flow/flow_test_support.h"

namespace dovetail::flow {

// Three forks of four branches, one inside the other; every branch has a task of its own.
inline Flow ForkFlow() {
  std::vector<FlowTask> tasks = {MakeTask("first", "evaluate")};
  std::string before;
  for (const char* fork : {"f1", "f2", "f3"}) {
    std::map<std::string, std::string> edges;
    for (int i = 0; i < 4; ++i) edges[absl::StrCat("b", i)] = absl::StrCat(fork, "_work");
    tasks.push_back(Edges(MakeTask(fork, "fork"), edges));
    tasks.push_back(MakeTask(absl::StrCat(fork, "_work"), "quantize"));
  }
  for (const char* fork : {"f3", "f2", "f1"}) {
    tasks.push_back(MakeTask(absl::StrCat(fork, "_best"), "reduce", {{"minimize", "accuracy"}}));
  }
  return MakeFlow(std::move(tasks));
}

// The share of time that `workers` are busy in one trial whose tasks take 50 to 150 s each.
inline double Utilisation(const std::shared_ptr<const FlowPlan>& plan, int workers, uint64_t seed) {
  auto execution = FlowExecution::Make(plan, MakeStart());
  Rng rng(seed);
  using End = std::pair<double, int>;  // time, task run
  std::priority_queue<End, std::vector<End>, std::greater<End>> running;
  std::map<int, TaskRequest> waiting;  // in the order they became ready
  std::map<int, TaskRequest> started;
  double now_s = 0, busy_s = 0;
  while (!(*execution)->finished()) {
    for (TaskRequest& request : (*execution)->TakeReady()) waiting[request.task_run] = request;
    while (!waiting.empty() && static_cast<int>(running.size()) < workers) {
      const auto first = waiting.begin();
      const double duration_s = 50 + 100 * rng.Uniform();
      busy_s += duration_s;
      running.emplace(now_s + duration_s, first->first);
      started.insert(*first);
      waiting.erase(first);
    }
    now_s = running.top().first;
    const int task_run = running.top().second;
    running.pop();
    (void)(*execution)->Tell(task_run, Succeed(started.at(task_run), rng.Uniform()));
  }
  return busy_s / (now_s * workers);
}

}  // namespace dovetail::flow

#endif  // DOVETAIL_TESTS_UNIT_COORDINATOR_FLOW_WORKER_SIMULATION_H_
