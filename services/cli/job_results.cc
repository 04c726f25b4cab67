#include "services/cli/job_results.h"

#include <map>
#include <utility>

#include "common/base/status_macros.h"
#include "common/convert/job_convert.h"
#include "common/convert/trial_convert.h"
#include "common/convert/value_convert.h"
#include "services/cli/version.h"

namespace dovetail::cli {

absl::StatusOr<report::JobReport> ToReport(const v1::Job& job, const std::vector<v1::Trial>& trials,
                                           const v1::GetFrontResponse& front) {
  report::JobReport report;
  report.job_id = job.id();
  ASSIGN_OR_RETURN(report.spec, convert::JobSpecFromProto(job.spec()));
  ASSIGN_OR_RETURN(report.state, convert::JobStateFromProto(job.state()));
  report.message = job.message();
  report.created_ms = convert::TimestampToMs(job.create_time());
  if (job.has_finish_time()) report.finished_ms = convert::TimestampToMs(job.finish_time());
  report.tool_seconds = job.progress().tool_seconds();
  report.task_runs = job.progress().task_runs();
  report.cached_task_runs = job.progress().cached_task_runs();
  report.version = kVersion;

  std::map<int, Point> points;
  for (const v1::Trial& proto : trials) {
    // Zero prepares the job, large negative numbers check its front: their numbers are in the
    // designs and in the summary already.
    if (proto.number() <= 0) continue;
    ASSIGN_OR_RETURN(Trial trial, convert::TrialFromProto(proto));
    points[trial.number] = trial.point;
    report.trials.push_back(std::move(trial));
  }
  for (const v1::Trial& proto : front.references()) {
    ASSIGN_OR_RETURN(Trial trial, convert::TrialFromProto(proto));
    report.references.push_back(std::move(trial));
  }
  for (const v1::Design& proto : front.designs()) {
    ASSIGN_OR_RETURN(Design design, convert::DesignFromProto(proto));
    report.front.push_back({proto.trial(), std::move(design), points[proto.trial()]});
  }
  report::SortFront(report.front);

  const Value summary = convert::ValueFromStruct(job.summary());
  for (const auto& [name, value] : summary["references"].AsMap()) {
    ASSIGN_OR_RETURN(report.measured[name], Measurement::FromValue(value));
  }
  for (const auto& [tool, version] : summary["tools"].AsMap()) {
    report.tools[tool] = version.AsString();
  }
  return report;
}

absl::StatusOr<report::JobReport> FetchReport(Client& client, int64_t job_id) {
  ASSIGN_OR_RETURN(const v1::Job job, client.GetJob(job_id));
  ASSIGN_OR_RETURN(const std::vector<v1::Trial> trials, client.ListTrials(job_id));
  ASSIGN_OR_RETURN(const v1::GetFrontResponse front, client.GetFront(job_id));
  return ToReport(job, trials, front);
}

}  // namespace dovetail::cli
