// One attempt from its inputs to its result: fetch, run in a cage, judge, upload. Called by the
// worker loop, one thread an attempt. Knows no leases.
#ifndef DOVETAIL_SERVICES_WORKER_LINK_ATTEMPT_RUNNER_H_
#define DOVETAIL_SERVICES_WORKER_LINK_ATTEMPT_RUNNER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/artifacts/artifact_store.h"
#include "common/domain/action.h"
#include "services/worker/link/input_cache.h"
#include "services/worker/link/running_attempts.h"
#include "services/worker/link/stop_signal.h"
#include "services/worker/link/worker_metrics.h"
#include "services/worker/sandbox/run_caged.h"
#include "services/worker/sandbox/work_area.h"

namespace dovetail::link {

struct AttemptOptions {
  std::string worker_binary;           // what runs as `<binary> run TASK ...`
  std::vector<std::string> readable;   // what it needs beside the system: its directory
  std::string task_cache;              // directory; one below it for each tenant
  int64_t task_cache_limit_bytes = 0;  // 0: no limit
  int64_t memory_per_slot_bytes = 0;   // 0: no limit
  int64_t file_limit_bytes = int64_t{16} << 30;
  int64_t disk_limit_bytes = int64_t{64} << 30;  // of all that an attempt writes
  sandbox::CageKind cage = sandbox::CageKind::kAuto;
};

// Thread-safe.
class AttemptRunner {
 public:
  // All pointers must outlive it.
  AttemptRunner(AttemptOptions options, sandbox::WorkArea* area, InputCache* inputs,
                ArtifactStore* remote, StopSignal* stop, WorkerMetrics* metrics);

  // Never fails: what goes wrong on this node is an outcome, too.
  ActionResult Run(RunningAttempt& attempt);

 private:
  struct Directories {
    std::string root;
    std::string inputs() const { return root + "/in"; }  // read-only in the cage
    std::string work() const { return root + "/work"; }  // writable in the cage
    std::string cache;                                   // writable in the cage
  };

  absl::Status Prepare(RunningAttempt& attempt, Directories& directories);
  void TrimTaskCache();
  sandbox::CommandSpec MakeCommand(const RunningAttempt& attempt,
                                   const Directories& directories) const;
  ActionResult Judge(const Assignment& assignment, const sandbox::CommandSpec& command,
                     const sandbox::CommandResult& ended, const Directories& directories) const;
  absl::Status Upload(RunningAttempt& attempt, const Directories& directories,
                      ActionResult& result);
  absl::Status WhileAway(const RunningAttempt& attempt, const std::function<absl::Status()>& call);

  const AttemptOptions options_;
  sandbox::WorkArea* const area_;
  InputCache* const inputs_;
  ArtifactStore* const remote_;
  StopSignal* const stop_;
  WorkerMetrics* const metrics_;
  std::atomic<int64_t> next_trim_ms_{0};  // steady
};

}  // namespace dovetail::link

#endif  // DOVETAIL_SERVICES_WORKER_LINK_ATTEMPT_RUNNER_H_
