// What follows from a job's spec alone: its plan, its search problem, its front. Pure.
#ifndef DOVETAIL_SERVICES_COORDINATOR_JOB_PLAN_H_
#define DOVETAIL_SERVICES_COORDINATOR_JOB_PLAN_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/domain/job.h"
#include "common/domain/trial.h"
#include "services/coordinator/flow/flow_plan.h"
#include "services/coordinator/search/strategy.h"

namespace dovetail {

// The plan of the job's own flow, with hls4ml's knobs as initial CFG.
// Errors: those of FlowPlan::Make.
absl::StatusOr<std::shared_ptr<const flow::FlowPlan>> MakeJobPlan(const JobSpec& spec);

// `constraints` have absolute bounds.
search::Problem MakeProblem(const JobSpec& spec, const std::vector<Constraint>& constraints);

// All that can be judged before the network has been read: flow, space, strategy. Returns the
// flow's graph (DOT).
absl::StatusOr<std::string> CheckJob(const JobSpec& spec);

struct FrontEntry {
  int trial = 0;
  int design = 0;
};
// The non-dominated feasible designs of the search's trials (numbers above 0), in trial order.
std::vector<FrontEntry> Front(const std::vector<Objective>& objectives,
                              const std::vector<const Trial*>& trials);

// The first constraint that `measurement` breaks, as a line for the user; "" where none. Metrics
// that are not there yet break nothing.
std::string BrokenConstraint(const std::vector<Constraint>& constraints,
                             const Measurement& measurement);

}  // namespace dovetail

#endif  // DOVETAIL_SERVICES_COORDINATOR_JOB_PLAN_H_
