// Trials, designs, measurements and results of actions: proto <-> domain.
// Called by servicers, the worker's link and the command line.
#ifndef DOVETAIL_COMMON_CONVERT_TRIAL_CONVERT_H_
#define DOVETAIL_COMMON_CONVERT_TRIAL_CONVERT_H_

#include "absl/status/statusor.h"
#include "common/domain/action.h"
#include "common/domain/measurement.h"
#include "common/domain/trial.h"
#include "dovetail/v1/measurement.pb.h"
#include "dovetail/v1/trial.pb.h"
#include "dovetail/v1/worker_service.pb.h"

namespace dovetail::convert {

v1::Measurement MeasurementToProto(const Measurement& measurement);
// Errors: InvalidArgument: a metric is not a finite number.
absl::StatusOr<Measurement> MeasurementFromProto(const v1::Measurement& proto);

v1::TrialState TrialStateToProto(TrialState state);
// Errors: InvalidArgument: unspecified or unknown.
absl::StatusOr<TrialState> TrialStateFromProto(v1::TrialState proto);

// `job_id` and `trial` are those of the trial it belongs to.
v1::Design DesignToProto(const Design& design, int64_t job_id, int trial);
absl::StatusOr<Design> DesignFromProto(const v1::Design& proto);

// Task runs are left out: they are not part of the domain's trial.
v1::Trial TrialToProto(const Trial& trial);
absl::StatusOr<Trial> TrialFromProto(const v1::Trial& proto);

// Fills what is the result's: outcome, message, measurement, outputs, log, seconds, memory.
void ActionResultToProto(const ActionResult& result, v1::CompleteRequest* proto);
// Errors: InvalidArgument: unknown outcome, a digest that is none, a number that is not finite.
absl::StatusOr<ActionResult> ActionResultFromProto(const v1::CompleteRequest& proto);

}  // namespace dovetail::convert

#endif  // DOVETAIL_COMMON_CONVERT_TRIAL_CONVERT_H_
