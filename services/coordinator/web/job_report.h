// What is reported of a job: its front, its trials, what they are compared with. Plain values, and
// the comparisons drawn from them. Called by explore, export and (later) the coordinator's page.
// Knows neither gRPC nor files.
#ifndef DOVETAIL_SERVICES_COORDINATOR_WEB_JOB_REPORT_H_
#define DOVETAIL_SERVICES_COORDINATOR_WEB_JOB_REPORT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/domain/job.h"
#include "common/domain/measurement.h"
#include "common/domain/trial.h"
#include "common/domain/value.h"

namespace dovetail::report {

struct FrontDesign {
  int trial = 0;
  Design design;
  Point point;
};

struct JobReport {
  int64_t job_id = 0;
  JobSpec spec;
  JobState state = JobState::kRunning;
  std::string message;
  std::vector<Trial> trials;       // the search's, by number
  std::vector<Trial> references;   // in the order of the job file
  std::vector<FrontDesign> front;  // fewest LUTs first (else by trial)
  // "float_network", "test/float_network", "test/baseline": measured outside the trials.
  std::map<std::string, Measurement> measured;
  std::map<std::string, std::string> tools;  // tool -> version
  std::string version;                       // of Dovetail
  double tool_seconds = 0;
  int task_runs = 0;
  int cached_task_runs = 0;
  int64_t created_ms = 0;
  int64_t finished_ms = 0;  // 0: not ended
};

// By rising LUTs, then falling accuracy, then trial number.
void SortFront(std::vector<FrontDesign>& front);

// "vendor" or "placed" where a backend measured the critical path after place and route,
// "estimated" where it comes from the delay model, "" where there is none.
std::string TimingOf(const Measurement& measurement);

// The largest loss of accuracy against the float network at which designs are compared, and what
// the comparison found. All fractions are 1 - design / reference; absent where the reference has
// not been measured or is 0.
inline constexpr double kComparedAccuracyLoss = 0.01;

struct Reduction {
  std::string reference;
  std::string metric;  // "dsp", "lut"
  double from = 0;
  double to = 0;
  std::optional<double> fraction;
};

struct Comparison {
  int trial = 0;
  // False: no design of the front is within kComparedAccuracyLoss; the most accurate one stands in.
  bool within = false;
  double accuracy = 0;  // validation split
  std::optional<double> float_accuracy;
  // Test split, read once; absent until the front has been verified.
  std::optional<Metric> test_accuracy;
  std::optional<Metric> float_test_accuracy;
  std::vector<Reduction> reductions;
};

// Of the front's designs within kComparedAccuracyLoss of the float network the one with the fewest
// LUTs, against every reference. Absent where the front is empty.
std::optional<Comparison> CompareWithReferences(const JobReport& report);

// For programs: {"front_size", "trial", "within_one_point", "accuracy", "float_accuracy",
// "test_accuracy", "float_test_accuracy", "accuracy_drop_points", "accuracy_drop_standard_error",
// "reductions": [{"reference", "metric", "from", "to", "fraction"}]}; what is not known is absent.
Value ComparisonValue(const JobReport& report);

// Standard error of float minus design on the test split, errors taken as independent.
double DropStandardError(const Comparison& comparison);

}  // namespace dovetail::report

#endif  // DOVETAIL_SERVICES_COORDINATOR_WEB_JOB_REPORT_H_
