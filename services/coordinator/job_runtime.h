// A job in the leader's memory: its record, its trials on their way through the flow, its search.
// Owned by the exploration loop; touched by the leader's thread only.
#ifndef DOVETAIL_SERVICES_COORDINATOR_JOB_RUNTIME_H_
#define DOVETAIL_SERVICES_COORDINATOR_JOB_RUNTIME_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/domain/job.h"
#include "common/domain/network_summary.h"
#include "common/domain/trial.h"
#include "services/coordinator/flow/flow_plan.h"
#include "services/coordinator/job_plan.h"
#include "services/coordinator/search_runner.h"
#include "services/coordinator/store/store.h"

namespace dovetail {

// Trial numbers: 1, 2, ... are the search's; 0 prepares the job; -1, -2, ... are references;
// kFirstVerification and below check the designs of the front.
inline constexpr int kPreparation = 0;
inline constexpr int kFirstVerification = -1000;

struct TrialRuntime {
  Trial trial;
  std::unique_ptr<flow::FlowExecution> execution;  // null once the trial has ended
  std::map<int, store::TaskRunRecord> task_runs;
  std::vector<flow::TaskRequest> blocked;        // no live worker offers their tools yet
  Measurement measurement;                       // merged so far, later tasks win
  std::map<std::string, std::string> artifacts;  // "task.port" -> digest
};

struct JobRuntime {
  store::JobRecord record;
  JobSpec spec;
  std::shared_ptr<const flow::FlowPlan> plan;     // after preparation
  NetworkSummary network;                         // after preparation
  std::map<std::string, std::string> inputs;      // "network", "dataset", "test" -> digest
  std::map<std::string, Measurement> references;  // "float_network", "baseline", ...
  std::map<int, TrialRuntime> trials;
  std::map<std::string, std::string> tools;  // versions pinned when first used
  std::unique_ptr<SearchRunner> search;      // from RUNNING on
  std::vector<Constraint> constraints;       // with absolute bounds, from RUNNING on
  int next_trial = 1;
  int next_verification = kFirstVerification;
  int64_t last_event = 0;
  double tool_seconds = 0;
  bool asked = false;      // a suggestion is being computed
  bool exhausted = false;  // the search has no further point
  bool waiting_noted = false;

  int RunningTrials() const;
  int CountTrials(TrialState state) const;  // the search's only
  int CountedTrials() const;                // against budget.trials: all but abandoned ones
};

std::vector<FrontEntry> Front(const JobRuntime& job);

}  // namespace dovetail

#endif  // DOVETAIL_SERVICES_COORDINATOR_JOB_RUNTIME_H_
