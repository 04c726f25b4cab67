// One Gaussian process per metric that matters, over encoded trials: what is predicted of a point.
// Called by the Gaussian process strategy and its refits.
//
// Outputs: the objectives (minimised), then constrained metrics that are no objectives, then, once
// a tool has refused a configuration, "accepted" (+1 measured, -1 refused). Each learns from the
// trials that have its value.
#ifndef DOVETAIL_SERVICES_COORDINATOR_SEARCH_SURROGATE_SURROGATE_MODEL_H_
#define DOVETAIL_SERVICES_COORDINATOR_SEARCH_SURROGATE_SURROGATE_MODEL_H_

#include <Eigen/Core>
#include <optional>
#include <string>
#include <vector>

#include "common/domain/value.h"
#include "services/coordinator/search/strategy/strategy_base.h"
#include "services/coordinator/search/surrogate/feature_map.h"
#include "services/coordinator/search/surrogate/gaussian_process.h"
#include "services/coordinator/search/surrogate/output_transform.h"

namespace dovetail::search {

struct OutputSpec {
  std::string metric;
  double sign = 1;  // -1: larger is better
  bool objective = false;
  bool acceptance = false;  // of tools: no metric
  bool may_warp = true;     // logarithms may be tried
  Tail tail = Tail::kKept;
  double bound = 0;  // raw, of a constraint with one side
};

// What a fit decides about one output; everything else follows from the records.
struct FittedOutput {
  OutputTransform transform;
  GpParameters parameters;
  bool uses_prior_mean = false;
  double prior_mean = 0;  // standardises the analytic model's values
  double prior_deviation = 1;
  double density = 0;

  Value ToValue() const;
  static absl::StatusOr<FittedOutput> FromValue(const Value& value);
};

// Raw numbers of one output: a snapshot that a fit may work on elsewhere.
struct OutputSample {
  Eigen::MatrixXd x;          // features
  std::vector<double> y;      // raw
  std::vector<double> prior;  // the analytic model's raw values; empty where it has none
};

std::vector<OutputSpec> Outputs(const Problem& problem, const std::vector<Record>& records);
// The value of an output in a record, if it has one.
std::optional<double> OutputValue(const OutputSpec& spec, const Record& record);

OutputSample Sample(const OutputSpec& spec, const Problem& problem, const Space& space,
                    const FeatureMap& features, const std::vector<Record>& records);

// At most `limit` records to learn from, in their order: half the best (least violation, then least
// sum of ranks over the objectives), a quarter the youngest, the rest spread evenly.
std::vector<Record> ChooseRecords(const Problem& problem, const std::vector<Record>& records,
                                  int limit);

struct FitOptions {
  double noise_floor = 1e-8;
  int max_evaluations = 60;
  bool cold = true;  // also from the prior's mode
};
// Pure; any thread. `warm` may be null.
FittedOutput FitOutput(const OutputSpec& spec, const OutputSample& sample,
                       const std::vector<int>& groups, const FittedOutput* warm,
                       const FitOptions& options);

// Not thread-safe.
class SurrogateModel {
 public:
  // Keeps pointers to all but `fitted`.
  SurrogateModel(const Problem* problem, const Space* space, const FeatureMap* features,
                 std::vector<OutputSpec> outputs, std::vector<FittedOutput> fitted);

  // Factors from `chosen`, which stand for the first `taken` of all records. Once, at first.
  void Start(const std::vector<Record>& chosen, int taken);
  // Takes in records[taken..] by rank-one appends.
  void Update(const std::vector<Record>& records);

  const std::vector<OutputSpec>& outputs() const { return outputs_; }
  const FittedOutput& fitted(int output) const { return fitted_[output]; }
  const GaussianProcess& process(int output) const { return processes_[output]; }
  bool ready() const;  // every objective and constraint has data
  int taken() const { return taken_; }

  // In the output's units: what an observation is, clipped.
  double Transformed(int output, double raw) const;

  // Prior-mean columns of `output` at points [points x basis].
  Eigen::MatrixXd Basis(int output, const std::vector<Slots>& points) const;
  const FeatureMap& features() const { return *features_; }
  const Space& space() const { return *space_; }

 private:
  GpData Data(int output, const std::vector<Record>& records, size_t from) const;

  const Problem* problem_;
  const Space* space_;
  const FeatureMap* features_;
  std::vector<OutputSpec> outputs_;
  std::vector<FittedOutput> fitted_;
  std::vector<GaussianProcess> processes_;
  int taken_ = 0;
};

}  // namespace dovetail::search

#endif  // DOVETAIL_SERVICES_COORDINATOR_SEARCH_SURROGATE_SURROGATE_MODEL_H_
