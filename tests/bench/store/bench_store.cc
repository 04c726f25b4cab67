// How fast the PostgreSQL store commits, with fsync: prints one line of JSON. A "step" is what one
// finished task run writes: the action, its attempt, the task run and an event.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/coordinator/store/postgres/postgres_store.h"
#include "tests/support/private_postgres.h"

namespace dovetail::store {
namespace {

using SteadyClock = std::chrono::steady_clock;

double SecondsSince(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

void Must(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "bench_store: %s\n", std::string(status.message()).c_str());
  std::exit(1);
}

void AppendStep(int64_t job, int number, std::vector<Change>& changes) {
  ActionRecord action;
  action.action.tenant = "bench";
  action.action.task = "synthesize";
  action.action.parameters.Set("Part", "xcu250-figd2104-2L-e").Set("number", number).Set("j", job);
  action.action.inputs = {{"rtl", std::string(64, 'a')}, {"design", std::string(64, 'b')}};
  action.key = ActionKey(action.action);
  action.finished = true;
  action.attempt_count = 1;
  action.result.outcome = Outcome::kOk;
  for (const char* metric : {"lut", "ff", "bram", "dsp"}) {
    action.result.measurement.Put(metric, number, "count", "yosys 0.23");
  }
  action.result.outputs = {{"report", std::string(64, 'c')}};
  AttemptRecord attempt{action.key, 1, "worker-1", "completed", std::string(64, 'd')};
  TaskRunRecord run{job, number, 1, "synthesize", "", 0, action.key, true};
  EventRecord event;
  event.job_id = job;
  event.sequence = number;
  event.type = "task_finished";
  event.payload.Set("trial", number).Set("task_run", 1);
  changes.insert(changes.end(), {action, attempt, run, event});
}

struct Figures {
  double changes_per_s = 0;
  double p50_ms = 0;
  double p99_ms = 0;
};

Figures Measure(Store& store, int64_t job, int steps_per_commit, double seconds) {
  std::vector<double> latencies;
  int number = 0;
  const auto start = SteadyClock::now();
  while (SecondsSince(start) < seconds) {
    std::vector<Change> changes;
    for (int i = 0; i < steps_per_commit; ++i) AppendStep(job, ++number, changes);
    const auto begin = SteadyClock::now();
    Must(store.Commit(changes));
    latencies.push_back(SecondsSince(begin));
  }
  const double elapsed = SecondsSince(start);
  std::sort(latencies.begin(), latencies.end());
  return {4.0 * number / elapsed, 1e3 * latencies[latencies.size() / 2],
          1e3 * latencies[latencies.size() * 99 / 100]};
}

}  // namespace
}  // namespace dovetail::store

int main() {
  using namespace dovetail::store;
  auto cluster = dovetail::testing::PrivatePostgres::Make({.fsync = true});
  Must(cluster.status());
  auto database = (*cluster)->CreateDatabase();
  Must(database.status());
  auto store = OpenPostgresStore({.connection_string = *database});
  Must(store.status());
  Must((*store)->BecomeLeader("bench:1").status());
  std::string json = "{";
  int64_t job = 0;
  for (const int steps : {1, 5, 25, 100}) {
    JobRecord record;
    record.id = ++job;
    record.state = dovetail::JobState::kRunning;
    Must((*store)->Commit({record}));
    const Figures figures = Measure(**store, job, steps, 4.0);
    absl::StrAppend(&json, json.size() > 1 ? "," : "", "\"changes_per_commit_", 4 * steps,
                    "\":{\"changes_per_s\":", static_cast<int>(figures.changes_per_s),
                    ",\"commit_ms_p50\":", figures.p50_ms, ",\"commit_ms_p99\":", figures.p99_ms,
                    "}");
  }
  const auto begin = SteadyClock::now();
  auto state = (*store)->Load();
  Must(state.status());
  absl::StrAppend(&json, ",\"load_actions\":", state->actions.size(),
                  ",\"load_s\":", SecondsSince(begin), "}");
  std::printf("%s\n", json.c_str());
  return 0;
}
