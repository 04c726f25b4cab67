#include "common/convert/job_convert.h"

#include <google/protobuf/util/json_util.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/convert/job_checks.h"
#include "common/convert/value_convert.h"
#include "common/domain/flow_library.h"

namespace dovetail::convert {
namespace {

constexpr char kDefaultPart[] = "xcu250-figd2104-2L-e";
constexpr size_t kMaxJsonBytes = 16 << 20;

std::string NormalizationName(v1::Normalization normalization) {
  switch (normalization) {
    case v1::NORMALIZATION_NONE:
      return "none";
    case v1::NORMALIZATION_FIRST_LAYER:
      return "first_layer";
    default:
      return "dataset";
  }
}

v1::Normalization NormalizationToProto(const std::string& name) {
  if (name == "none") return v1::NORMALIZATION_NONE;
  if (name == "first_layer") return v1::NORMALIZATION_FIRST_LAYER;
  return v1::NORMALIZATION_DATASET;
}

Objective ObjectiveFromProto(const v1::Objective& proto) {
  return {.metric = proto.metric(),
          .goal = proto.goal() == v1::GOAL_MAXIMIZE ? Goal::kMaximize : Goal::kMinimize};
}

Constraint ConstraintFromProto(const v1::Constraint& proto) {
  Constraint constraint{.metric = proto.metric(), .relative_to = proto.relative_to()};
  if (proto.has_at_least()) constraint.at_least = proto.at_least();
  if (proto.has_at_most()) constraint.at_most = proto.at_most();
  return constraint;
}

Reference ReferenceFromProto(const v1::Reference& proto) {
  return {.name = proto.name(),
          .point = MapFromStruct(proto.point()),
          .cfg = MapFromStruct(proto.cfg()),
          .skip = {proto.skip().begin(), proto.skip().end()}};
}

SearchSettings SearchFromProto(const v1::SearchSettings& proto) {
  SearchSettings search;
  if (!proto.strategy().empty()) search.strategy = proto.strategy();
  if (proto.seed() != 0) search.seed = proto.seed();
  search.initial_count = proto.initial();
  if (proto.order() == v1::SUGGESTION_ORDER_FIXED_LAG) search.order = SuggestionOrder::kFixedLag;
  search.parallel_count = proto.parallel();
  search.options = MapFromStruct(proto.options());
  return search;
}

Budget BudgetFromProto(const v1::Budget& proto) {
  Budget budget{.trials = proto.trials(),
                .tool_seconds = proto.tool_seconds(),
                .wall_seconds = proto.wall_seconds()};
  if (proto.abandoned_trials() != 0) budget.abandoned_trials = proto.abandoned_trials();
  return budget;
}

absl::Status CheckFile(const char* field, const std::string& file, const std::string& digest) {
  if (!digest.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      file.empty() ? absl::StrCat(field, ": missing; give ", field, ".file")
                   : absl::StrCat(field, ".file: ", file,
                                  " was not uploaded; put it as an artifact and "
                                  "give its SHA-256 as ",
                                  field, ".digest (the dovetail command does)"));
}

// What the domain's types cannot say any more once they have their defaults.
absl::Status CheckProto(const v1::JobSpec& proto) {
  RETURN_IF_ERROR(CheckFile("network", proto.network().file(), proto.network().digest()));
  RETURN_IF_ERROR(CheckFile("dataset", proto.dataset().file(), proto.dataset().digest()));
  for (int i = 0; i < proto.objectives_size(); ++i) {
    if (proto.objectives(i).goal() != v1::GOAL_MINIMIZE &&
        proto.objectives(i).goal() != v1::GOAL_MAXIMIZE) {
      return absl::InvalidArgumentError(absl::StrCat("objectives[", i, "] (",
                                                     proto.objectives(i).metric(),
                                                     "): goal is missing; write minimize or "
                                                     "maximize"));
    }
  }
  for (const v1::Variable& variable : proto.space().variables()) {
    const bool numeric = variable.type() == v1::VARIABLE_TYPE_CONTINUOUS ||
                         variable.type() == v1::VARIABLE_TYPE_INTEGER;
    if (!numeric && (variable.min() != 0 || variable.max() != 0)) {
      return absl::InvalidArgumentError(
          absl::StrCat("space: variable \"", variable.name(),
                       "\": min and max belong to continuous and integer variables; give levels"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<JobSpec> JobSpecFromProto(const v1::JobSpec& proto) {
  RETURN_IF_ERROR(CheckProto(proto));
  JobSpec spec;
  spec.name = proto.name();
  spec.network_digest = proto.network().digest();
  spec.dataset_digest = proto.dataset().digest();
  spec.normalization = NormalizationName(proto.dataset().normalization());
  if (!proto.backend().empty()) spec.backend = proto.backend();
  spec.part = proto.part().empty() ? kDefaultPart : proto.part();
  if (proto.clock_period() != 0) spec.clock_period_ns = proto.clock_period();
  if (!proto.io_type().empty()) spec.io_type = proto.io_type();
  if (proto.has_hls_config()) spec.hls_config = ValueFromStruct(proto.hls_config());
  spec.flow = FlowFromProto(proto.flow());
  ASSIGN_OR_RETURN(spec.space, SearchSpaceFromProto(proto.space()));
  for (const auto& point : proto.points()) spec.points.push_back(MapFromStruct(point));
  spec.search = SearchFromProto(proto.search());
  for (const auto& one : proto.objectives()) spec.objectives.push_back(ObjectiveFromProto(one));
  for (const auto& one : proto.constraints()) spec.constraints.push_back(ConstraintFromProto(one));
  spec.budget = BudgetFromProto(proto.budget());
  if (proto.evaluation().seeds_size() > 0) {
    spec.evaluation_seeds = {proto.evaluation().seeds().begin(), proto.evaluation().seeds().end()};
  }
  for (const auto& one : proto.references()) spec.references.push_back(ReferenceFromProto(one));
  if (proto.fit_margin() != 0) spec.fit_margin_fraction = proto.fit_margin();
  RETURN_IF_ERROR(CheckJobSpec(spec));
  return spec;
}

v1::JobSpec JobSpecToProto(const JobSpec& spec) {
  v1::JobSpec proto;
  proto.set_name(spec.name);
  proto.mutable_network()->set_digest(spec.network_digest);
  proto.mutable_dataset()->set_digest(spec.dataset_digest);
  proto.mutable_dataset()->set_normalization(NormalizationToProto(spec.normalization));
  proto.set_backend(spec.backend);
  proto.set_part(spec.part);
  proto.set_clock_period(spec.clock_period_ns);
  proto.set_io_type(spec.io_type);
  if (spec.hls_config.is_map()) *proto.mutable_hls_config() = ValueToStruct(spec.hls_config);
  *proto.mutable_flow() = FlowToProto(spec.flow);
  *proto.mutable_space() = SearchSpaceToProto(spec.space);
  for (const Point& point : spec.points) *proto.add_points() = MapToStruct(point);
  v1::SearchSettings& search = *proto.mutable_search();
  search.set_strategy(spec.search.strategy);
  search.set_seed(spec.search.seed);
  search.set_initial(spec.search.initial_count);
  search.set_order(spec.search.order == SuggestionOrder::kFixedLag ? v1::SUGGESTION_ORDER_FIXED_LAG
                                                                   : v1::SUGGESTION_ORDER_ARRIVAL);
  search.set_parallel(spec.search.parallel_count);
  if (!spec.search.options.empty()) *search.mutable_options() = MapToStruct(spec.search.options);
  for (const Objective& objective : spec.objectives) {
    v1::Objective& one = *proto.add_objectives();
    one.set_metric(objective.metric);
    one.set_goal(objective.goal == Goal::kMaximize ? v1::GOAL_MAXIMIZE : v1::GOAL_MINIMIZE);
  }
  for (const Constraint& constraint : spec.constraints) {
    v1::Constraint& one = *proto.add_constraints();
    one.set_metric(constraint.metric);
    if (constraint.at_least) one.set_at_least(*constraint.at_least);
    if (constraint.at_most) one.set_at_most(*constraint.at_most);
    one.set_relative_to(constraint.relative_to);
  }
  v1::Budget& budget = *proto.mutable_budget();
  budget.set_trials(spec.budget.trials);
  budget.set_tool_seconds(spec.budget.tool_seconds);
  budget.set_wall_seconds(spec.budget.wall_seconds);
  budget.set_abandoned_trials(spec.budget.abandoned_trials);
  for (const uint64_t seed : spec.evaluation_seeds) proto.mutable_evaluation()->add_seeds(seed);
  for (const Reference& reference : spec.references) {
    v1::Reference& one = *proto.add_references();
    one.set_name(reference.name);
    if (!reference.point.empty()) *one.mutable_point() = MapToStruct(reference.point);
    if (!reference.cfg.empty()) *one.mutable_cfg() = MapToStruct(reference.cfg);
    for (const std::string& task : reference.skip) one.add_skip(task);
  }
  proto.set_fit_margin(spec.fit_margin_fraction);
  return proto;
}

std::string JobSpecToJson(const v1::JobSpec& proto) {
  std::string json;
  // Fails only on invalid UTF-8, which protobuf refuses when it parses a message.
  if (!google::protobuf::util::MessageToJsonString(proto, &json).ok()) return "{}";
  // The printer follows the order of hash maps; ours sorts.
  const absl::StatusOr<Value> value = Value::FromJson(json);
  return value.ok() ? value->ToJson() : json;
}

absl::StatusOr<v1::JobSpec> JobSpecFromJson(absl::string_view json) {
  if (json.size() > kMaxJsonBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("a job of ", json.size(), " bytes; the limit is ", kMaxJsonBytes));
  }
  v1::JobSpec proto;
  const auto status = google::protobuf::util::JsonStringToMessage(
      google::protobuf::StringPiece(json.data(), json.size()), &proto);
  if (!status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("not a job in JSON: ", status.ToString()));
  }
  return proto;
}

Flow FlowFromProto(const v1::Flow& proto) {
  Flow flow{.name = proto.name()};
  if (proto.tasks().empty()) {  // a named flow; an unknown name is refused by CheckJobSpec
    if (auto named = NamedFlow(proto.name()); named.ok()) flow = *std::move(named);
  }
  for (const v1::FlowTask& task : proto.tasks()) {
    flow.tasks.push_back({.name = task.name().empty() ? task.task() : task.name(),
                          .task = task.task(),
                          .parameters = MapFromStruct(task.params()),
                          .inputs = {task.inputs().begin(), task.inputs().end()},
                          .after = {task.after().begin(), task.after().end()},
                          .edges = {task.edges().begin(), task.edges().end()},
                          .line = task.line()});
  }
  for (auto& [name, value] : MapFromStruct(proto.cfg())) flow.cfg[name] = value;
  return flow;
}

v1::Flow FlowToProto(const Flow& flow) {
  v1::Flow proto;
  proto.set_name(flow.name);
  for (const FlowTask& task : flow.tasks) {
    v1::FlowTask& one = *proto.add_tasks();
    one.set_name(task.name);
    one.set_task(task.task);
    if (!task.parameters.empty()) *one.mutable_params() = MapToStruct(task.parameters);
    for (const auto& [port, source] : task.inputs) (*one.mutable_inputs())[port] = source;
    for (const std::string& earlier : task.after) one.add_after(earlier);
    for (const auto& [branch, target] : task.edges) (*one.mutable_edges())[branch] = target;
    one.set_line(task.line);
  }
  if (!flow.cfg.empty()) *proto.mutable_cfg() = MapToStruct(flow.cfg);
  return proto;
}

v1::JobState JobStateToProto(JobState state) {
  switch (state) {
    case JobState::kPreparing:
      return v1::JOB_STATE_PREPARING;
    case JobState::kRunning:
      return v1::JOB_STATE_RUNNING;
    case JobState::kFinishing:
      return v1::JOB_STATE_FINISHING;
    case JobState::kSucceeded:
      return v1::JOB_STATE_SUCCEEDED;
    case JobState::kFailed:
      return v1::JOB_STATE_FAILED;
    case JobState::kCancelled:
      return v1::JOB_STATE_CANCELLED;
  }
  return v1::JOB_STATE_UNSPECIFIED;
}

absl::StatusOr<JobState> JobStateFromProto(v1::JobState proto) {
  for (const JobState state : {JobState::kPreparing, JobState::kRunning, JobState::kFinishing,
                               JobState::kSucceeded, JobState::kFailed, JobState::kCancelled}) {
    if (JobStateToProto(state) == proto) return state;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("job state ", static_cast<int>(proto), " is not one this version knows"));
}

}  // namespace dovetail::convert
