// An exploration job: what a user submits, and the states it goes through.
#ifndef DOVETAIL_COMMON_DOMAIN_JOB_H_
#define DOVETAIL_COMMON_DOMAIN_JOB_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/domain/flow.h"
#include "common/domain/search_space.h"
#include "common/domain/value.h"

namespace dovetail {

// PREPARING: describe, check_dataset and the references (float network, baselines) run on workers.
// FINISHING: the front's designs are simulated and read against the test split.
enum class JobState { kPreparing, kRunning, kFinishing, kSucceeded, kFailed, kCancelled };
// Legal: preparing -> running -> finishing -> succeeded; any of the first three -> failed,
// cancelled.
bool IsLegalTransition(JobState from, JobState to);
bool IsTerminal(JobState state);
absl::string_view JobStateName(JobState state);  // "preparing"
absl::StatusOr<JobState> ParseJobState(absl::string_view name);

enum class SuggestionOrder { kArrival, kFixedLag };

struct SearchSettings {
  std::string strategy = "gp";  // a registered strategy
  uint64_t seed = 1;
  int initial_count = 0;  // points before the surrogate; 0: the strategy's own default
  SuggestionOrder order = SuggestionOrder::kArrival;
  int parallel_count = 0;                // trials at once; 0: as many as live workers have slots
  std::map<std::string, Value> options;  // of the strategy
};

// 0 means unlimited; at least one limit must be set.
struct Budget {
  int trials = 0;
  double tool_seconds = 0;
  double wall_seconds = 0;
  int abandoned_trials = 10;  // more than this fail the job
};

// A fixed configuration that the flow also runs with, outside the search: reported beside the
// front.
struct Reference {
  std::string name;                    // "baseline", "16-bit", "6-bit"
  std::map<std::string, Value> point;  // search variables
  std::map<std::string, Value> cfg;    // overrides of task parameters, "task.parameter" -> value
  std::vector<std::string> skip;       // tasks of the flow left out
};

struct JobSpec {
  std::string name;
  std::string network_digest;             // artifact: ONNX
  std::string dataset_digest;             // artifact: .npz
  std::string normalization = "dataset";  // none, dataset, first_layer
  std::string part;
  double clock_period_ns = 5;
  std::string io_type = "io_parallel";
  std::string backend = "yosys";
  Value hls_config;  // hls4ml's HLSConfig: Model, LayerType, LayerName
  Flow flow;
  SearchSpace space;
  std::vector<Point> points;  // tried first, in order
  SearchSettings search;
  std::vector<Objective> objectives;
  std::vector<Constraint> constraints;
  Budget budget;
  std::vector<uint64_t> evaluation_seeds = {1};
  std::vector<Reference> references;
  double fit_margin_fraction = 0.8;  // of each of the part's resources that a design may use
};

}  // namespace dovetail

#endif  // DOVETAIL_COMMON_DOMAIN_JOB_H_
