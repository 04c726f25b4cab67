#include "common/convert/trial_convert.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/digest.h"
#include "common/base/status_macros.h"
#include "common/convert/value_convert.h"

namespace dovetail::convert {

v1::Measurement MeasurementToProto(const Measurement& measurement) {
  v1::Measurement proto;
  for (const auto& [name, metric] : measurement.metrics) {
    v1::Metric& one = (*proto.mutable_metrics())[name];
    one.set_value(metric.value);
    one.set_unit(metric.unit);
    one.set_source(metric.source);
    one.set_standard_error(metric.standard_error);
  }
  if (!measurement.log.is_null()) *proto.mutable_log() = ValueToProto(measurement.log);
  return proto;
}

absl::StatusOr<Measurement> MeasurementFromProto(const v1::Measurement& proto) {
  Measurement measurement;
  for (const auto& [name, metric] : proto.metrics()) {
    if (!std::isfinite(metric.value()) || !std::isfinite(metric.standard_error())) {
      return absl::InvalidArgumentError(absl::StrCat("metric \"", name,
                                                     "\" is not a finite number: ", metric.value(),
                                                     " +- ", metric.standard_error()));
    }
    measurement.Put(name, metric.value(), metric.unit(), metric.source(), metric.standard_error());
  }
  if (proto.has_log()) measurement.log = ValueFromProto(proto.log());
  return measurement;
}

v1::TrialState TrialStateToProto(TrialState state) {
  switch (state) {
    case TrialState::kRunning:
      return v1::TRIAL_STATE_RUNNING;
    case TrialState::kHeld:
      return v1::TRIAL_STATE_HELD;
    case TrialState::kSucceeded:
      return v1::TRIAL_STATE_SUCCEEDED;
    case TrialState::kInfeasible:
      return v1::TRIAL_STATE_INFEASIBLE;
    case TrialState::kAbandoned:
      return v1::TRIAL_STATE_ABANDONED;
    case TrialState::kStopped:
      return v1::TRIAL_STATE_STOPPED;
    case TrialState::kCancelled:
      return v1::TRIAL_STATE_CANCELLED;
  }
  return v1::TRIAL_STATE_UNSPECIFIED;
}

absl::StatusOr<TrialState> TrialStateFromProto(v1::TrialState proto) {
  for (const TrialState state :
       {TrialState::kRunning, TrialState::kHeld, TrialState::kSucceeded, TrialState::kInfeasible,
        TrialState::kAbandoned, TrialState::kStopped, TrialState::kCancelled}) {
    if (TrialStateToProto(state) == proto) return state;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("trial state ", static_cast<int>(proto), " is not one this version knows"));
}

v1::Design DesignToProto(const Design& design, int64_t job_id, int trial) {
  v1::Design proto;
  proto.set_job_id(job_id);
  proto.set_trial(trial);
  proto.set_index(design.index);
  proto.set_path(design.path);
  proto.set_feasible(design.feasible);
  *proto.mutable_measurement() = MeasurementToProto(design.measurement);
  for (const auto& [port, digest] : design.artifacts) (*proto.mutable_artifacts())[port] = digest;
  return proto;
}

absl::StatusOr<Design> DesignFromProto(const v1::Design& proto) {
  Design design;
  design.index = proto.index();
  design.path = proto.path();
  design.feasible = proto.feasible();
  ASSIGN_OR_RETURN(design.measurement, MeasurementFromProto(proto.measurement()));
  design.artifacts.insert(proto.artifacts().begin(), proto.artifacts().end());
  return design;
}

v1::Trial TrialToProto(const Trial& trial) {
  v1::Trial proto;
  proto.set_job_id(trial.job_id);
  proto.set_number(trial.number);
  proto.set_reference(trial.reference);
  proto.set_state(TrialStateToProto(trial.state));
  *proto.mutable_point() = MapToStruct(trial.point);
  if (trial.realised_cfg.is_map()) {
    *proto.mutable_realised_cfg() = ValueToStruct(trial.realised_cfg);
  }
  proto.set_suggested_from_event(trial.suggested_from_event);
  if (trial.suggestion_info.is_map()) {
    *proto.mutable_suggestion_info() = ValueToStruct(trial.suggestion_info);
  }
  proto.set_message(trial.message);
  for (const Design& design : trial.designs) {
    *proto.add_designs() = DesignToProto(design, trial.job_id, trial.number);
  }
  proto.set_tool_seconds(trial.tool_seconds);
  if (trial.created_ms != 0) *proto.mutable_create_time() = TimestampFromMs(trial.created_ms);
  if (trial.finished_ms != 0) *proto.mutable_finish_time() = TimestampFromMs(trial.finished_ms);
  return proto;
}

absl::StatusOr<Trial> TrialFromProto(const v1::Trial& proto) {
  Trial trial;
  trial.job_id = proto.job_id();
  trial.number = proto.number();
  trial.reference = proto.reference();
  ASSIGN_OR_RETURN(trial.state, TrialStateFromProto(proto.state()));
  trial.point = MapFromStruct(proto.point());
  if (proto.has_realised_cfg()) trial.realised_cfg = ValueFromStruct(proto.realised_cfg());
  trial.suggested_from_event = proto.suggested_from_event();
  if (proto.has_suggestion_info()) trial.suggestion_info = ValueFromStruct(proto.suggestion_info());
  trial.message = proto.message();
  for (const v1::Design& one : proto.designs()) {
    ASSIGN_OR_RETURN(Design design, DesignFromProto(one));
    trial.designs.push_back(std::move(design));
  }
  trial.tool_seconds = proto.tool_seconds();
  if (proto.has_create_time()) trial.created_ms = TimestampToMs(proto.create_time());
  if (proto.has_finish_time()) trial.finished_ms = TimestampToMs(proto.finish_time());
  return trial;
}

void ActionResultToProto(const ActionResult& result, v1::CompleteRequest* proto) {
  proto->set_outcome(std::string(OutcomeName(result.outcome)));
  proto->set_message(result.message);
  *proto->mutable_measurement() = MeasurementToProto(result.measurement);
  proto->mutable_outputs()->clear();
  for (const auto& [port, digest] : result.outputs) (*proto->mutable_outputs())[port] = digest;
  proto->set_log_digest(result.log_digest);
  proto->set_tool_seconds(result.tool_seconds);
  proto->set_peak_rss_bytes(result.peak_rss_bytes);
}

absl::StatusOr<ActionResult> ActionResultFromProto(const v1::CompleteRequest& proto) {
  ActionResult result;
  ASSIGN_OR_RETURN(result.outcome, ParseOutcome(proto.outcome()));
  result.message = proto.message();
  ASSIGN_OR_RETURN(result.measurement, MeasurementFromProto(proto.measurement()));
  for (const auto& [port, digest] : proto.outputs()) {
    if (!IsSha256Hex(digest)) {
      return absl::InvalidArgumentError(
          absl::StrCat("output \"", port, "\" is not a SHA-256 digest: \"", digest, "\""));
    }
    result.outputs[port] = digest;
  }
  if (!proto.log_digest().empty() && !IsSha256Hex(proto.log_digest())) {
    return absl::InvalidArgumentError(
        absl::StrCat("log_digest is not a SHA-256 digest: \"", proto.log_digest(), "\""));
  }
  result.log_digest = proto.log_digest();
  if (!std::isfinite(proto.tool_seconds()) || proto.tool_seconds() < 0) {
    return absl::InvalidArgumentError(absl::StrCat("tool_seconds is ", proto.tool_seconds()));
  }
  result.tool_seconds = proto.tool_seconds();
  result.peak_rss_bytes = proto.peak_rss_bytes();
  return result;
}

}  // namespace dovetail::convert
