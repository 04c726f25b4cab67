// The steps of a job: preparation, references, the search, verification of the front.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/coordinator/exploration_loop.h"
#include "services/coordinator/search/strategy.h"

namespace dovetail {
namespace {

constexpr const char kFloatNetwork[] = "float_network";

FlowTask Node(std::string name, std::string task, std::map<std::string, Value> parameters = {}) {
  FlowTask node;
  node.name = std::move(name);
  node.task = std::move(task);
  node.parameters = std::move(parameters);
  return node;
}

// Plans of our own flows cannot be wrong: a failure here is a bug that the first test shows.
std::shared_ptr<const flow::FlowPlan> BuiltinPlan(std::vector<FlowTask> tasks,
                                                  std::set<std::string> inputs) {
  Flow flow;
  flow.tasks = std::move(tasks);
  flow::FlowContext context;
  context.input_ports = std::move(inputs);
  auto plan = flow::FlowPlan::Make(flow, context);
  if (!plan.ok()) {
    std::fprintf(stderr, "a built-in flow is malformed: %s\n",
                 std::string(plan.status().message()).c_str());
    std::abort();
  }
  return *plan;
}

// The last artifact on a port along the flow: "lower_rtl.rtl" for "rtl".
std::string LastOnPort(const Flow& flow, const std::map<std::string, std::string>& artifacts,
                       const std::string& port) {
  for (auto task = flow.tasks.rbegin(); task != flow.tasks.rend(); ++task) {
    const auto it = artifacts.find(absl::StrCat(task->name, ".", port));
    if (it != artifacts.end()) return it->second;
  }
  return "";
}

}  // namespace

ExplorationLoop::ExplorationLoop(ExplorationDependencies dependencies)
    : dependencies_(std::move(dependencies)),
      preparation_plan_(
          BuiltinPlan({Node("describe", "describe"), Node("check_dataset", "check_dataset"),
                       Node(kFloatNetwork, "evaluate", {{"arithmetic", "float"}})},
                      {"onnx", "npz"})),
      simulation_plan_(
          BuiltinPlan({Node("simulate", "simulate")}, {"rtl", "design", "network", "dataset"})),
      test_plan_(BuiltinPlan({Node("test", "evaluate")}, {"network", "dataset"})) {}

ExplorationLoop::~ExplorationLoop() = default;

void ExplorationLoop::PutTrial(const TrialRuntime& trial) { changes_->push_back(trial.trial); }

void ExplorationLoop::PutJob(const JobRuntime& job) {
  store::JobRecord record = job.record;
  Value references{Value::Map()};
  for (const auto& [name, measurement] : job.references) {
    references.Set(name, measurement.ToValue());
  }
  Value inputs{Value::Map()};
  for (const auto& [port, digest] : job.inputs) inputs.Set(port, digest);
  Value tools{Value::Map()};
  for (const auto& [tool, version] : job.tools) tools.Set(tool, version);
  record.summary.Set("references", std::move(references)).Set("inputs", std::move(inputs));
  record.summary.Set("tools", std::move(tools));
  if (!job.network.layers.empty()) record.summary.Set("network", job.network.ToValue());
  changes_->push_back(std::move(record));
}

int64_t ExplorationLoop::Emit(JobRuntime& job, const std::string& type, Value payload) {
  store::EventRecord event;
  event.job_id = job.record.id;
  event.sequence = ++job.last_event;
  event.type = type;
  event.payload = std::move(payload);
  event.created_ms = dependencies_.clock->WallMs();
  changes_->push_back(std::move(event));
  return job.last_event;
}

void ExplorationLoop::SetState(JobRuntime& job, JobState state, const std::string& message) {
  if (!IsLegalTransition(job.record.state, state)) return;
  job.record.state = state;
  job.record.message = message;
  if (IsTerminal(state)) job.record.finished_ms = dependencies_.clock->WallMs();
  PutJob(job);
  Value payload;
  payload.Set("state", JobStateName(state));
  if (!message.empty()) payload.Set("message", message);
  Emit(job, "job_state", std::move(payload));
}

void ExplorationLoop::StopTrials(JobRuntime& job, const std::string& message) {
  for (auto& [number, trial] : job.trials) {
    if (!IsTerminal(trial.trial.state)) EndTrial(job, trial, TrialState::kCancelled, message);
  }
}

void ExplorationLoop::Fail(JobRuntime& job, const std::string& message) {
  StopTrials(job, "the job failed");
  SetState(job, JobState::kFailed, message);
}

absl::Status ExplorationLoop::Submit(const store::JobRecord& record, const JobSpec& spec) {
  auto job = std::make_unique<JobRuntime>();
  job->record = record;
  job->spec = spec;
  PutJob(*job);
  Emit(*job, "job_state", Value(Value::Map{{"state", JobStateName(record.state)}}));
  JobRuntime& reference = *job;
  jobs_[record.id] = std::move(job);
  StartPreparation(reference);
  return absl::OkStatus();
}

absl::Status ExplorationLoop::Cancel(int64_t job_id) {
  const auto it = jobs_.find(job_id);
  if (it == jobs_.end()) {
    return absl::FailedPreconditionError(
        absl::StrCat("job ", job_id, " is not running: it has ended or never was"));
  }
  StopTrials(*it->second, "the job was cancelled");
  SetState(*it->second, JobState::kCancelled, "cancelled by the user");
  return absl::OkStatus();
}

// ---------------------------------------------------------------------- preparation

flow::FlowExecution::Start ExplorationLoop::StartOf(const JobRuntime& job,
                                                    const Trial& trial) const {
  flow::FlowExecution::Start start;
  start.point = trial.point;
  if (trial.number == kPreparation) {
    start.inputs = {{"onnx", job.spec.network_digest}, {"npz", job.spec.dataset_digest}};
    start.cfg["check_dataset.normalization"] = job.spec.normalization;
    return start;
  }
  start.inputs = {{"network", job.inputs.at("network")}, {"dataset", job.inputs.at("dataset")}};
  if (trial.number > kFirstVerification) {
    for (const Reference& reference : job.spec.references) {
      if (trial.number >= 0 || reference.name != trial.reference) continue;
      start.cfg = reference.cfg;
      start.skip.insert(reference.skip.begin(), reference.skip.end());
    }
    return start;
  }
  // Verification: the artifacts to check are kept in the trial's suggestion_info.
  start.point.clear();
  start.inputs.clear();
  for (const auto& [port, digest] : trial.suggestion_info["inputs"].AsMap()) {
    start.inputs[port] = digest.AsString();
  }
  return start;
}

std::shared_ptr<const flow::FlowPlan> ExplorationLoop::PlanOf(const JobRuntime& job,
                                                              const Trial& trial) const {
  if (trial.number == kPreparation) return preparation_plan_;
  if (trial.number > kFirstVerification) return job.plan;
  return absl::StartsWith(trial.reference, "simulate/") ? simulation_plan_ : test_plan_;
}

void ExplorationLoop::StartPreparation(JobRuntime& job) {
  Trial trial;
  trial.number = kPreparation;
  const absl::Status status = StartTrial(job, kPreparation, "preparation", preparation_plan_,
                                         StartOf(job, trial), Value(), job.last_event);
  if (!status.ok()) Fail(job, absl::StrCat("preparation: ", status.message()));
}

bool ExplorationLoop::FinishPreparation(JobRuntime& job) {
  if (job.plan != nullptr) return true;
  const auto it = job.trials.find(kPreparation);
  if (it == job.trials.end() || !IsTerminal(it->second.trial.state)) return false;
  const TrialRuntime& trial = it->second;
  if (trial.trial.state != TrialState::kSucceeded) {
    Fail(job, trial.trial.message);
    return false;
  }
  const absl::StatusOr<std::string> json =
      dependencies_.artifacts->Get(trial.artifacts.at("describe.summary"));
  const absl::StatusOr<Value> value = json.ok() ? Value::FromJson(*json) : json.status();
  absl::StatusOr<NetworkSummary> summary =
      value.ok() ? NetworkSummary::FromValue(*value) : value.status();
  if (!summary.ok()) {
    Fail(job, absl::StrCat("the network's summary: ", summary.status().message()));
    return false;
  }
  job.network = *std::move(summary);
  for (Variable& variable : job.spec.space.variables) {
    if (variable.length_of == "layers") {
      variable.length = static_cast<int>(job.network.WeightLayerNames().size());
    }
  }
  job.inputs = {{"network", trial.artifacts.at("check_dataset.network")},
                {"dataset", trial.artifacts.at("check_dataset.dataset")},
                {"test", trial.artifacts.at("check_dataset.test")}};
  job.references[kFloatNetwork] = trial.measurement;
  auto plan = MakeJobPlan(job.spec);
  if (!plan.ok()) {
    Fail(job, std::string(plan.status().message()));
    return false;
  }
  job.plan = *std::move(plan);
  PutJob(job);
  StartReferences(job);
  return true;
}

void ExplorationLoop::StartReferences(JobRuntime& job) {
  int number = -1;
  for (const Reference& reference : job.spec.references) {
    Trial trial;
    trial.number = number;
    trial.reference = reference.name;
    trial.point = reference.point;
    const absl::Status status = StartTrial(job, number, reference.name, job.plan,
                                           StartOf(job, trial), Value(), job.last_event);
    if (!status.ok()) {
      return Fail(job, absl::StrCat("reference \"", reference.name, "\": ", status.message()));
    }
    --number;
  }
}

bool ExplorationLoop::ReferencesKnown(const JobRuntime& job) const {
  for (const Constraint& constraint : job.spec.constraints) {
    if (constraint.relative_to.empty() || constraint.relative_to == kFloatNetwork) continue;
    for (const auto& [number, trial] : job.trials) {
      if (number < 0 && trial.trial.reference == constraint.relative_to &&
          !IsTerminal(trial.trial.state)) {
        return false;
      }
    }
  }
  return true;
}

// ---------------------------------------------------------------------- the search

absl::Status ExplorationLoop::StartSearch(JobRuntime& job) {
  for (const auto& [number, trial] : job.trials) {
    if (number < 0 && trial.trial.state == TrialState::kSucceeded) {
      job.references[trial.trial.reference] = trial.measurement;
    }
  }
  job.constraints.clear();
  for (Constraint constraint : job.spec.constraints) {
    if (!constraint.relative_to.empty()) {
      const auto reference = job.references.find(constraint.relative_to);
      if (reference == job.references.end() || !reference->second.Has(constraint.metric)) {
        return absl::InvalidArgumentError(absl::StrCat("the constraint on ", constraint.metric,
                                                       " is relative to \"", constraint.relative_to,
                                                       "\", which has no such metric"));
      }
      const double base = reference->second.Get(constraint.metric);
      if (constraint.at_least) *constraint.at_least += base;
      if (constraint.at_most) *constraint.at_most += base;
      constraint.relative_to.clear();
    }
    job.constraints.push_back(std::move(constraint));
  }
  search::Problem problem = MakeProblem(job.spec, job.constraints);
  if (dependencies_.prior_mean) problem.prior_mean = dependencies_.prior_mean(job);
  auto strategy = search::MakeStrategy(job.spec.search.strategy, problem);
  if (!strategy.ok()) return strategy.status();
  std::function<void(SearchRunner::RefitDone)> on_refit;
  if (job.spec.search.order == SuggestionOrder::kArrival) {
    on_refit = [this, job_id = job.record.id](SearchRunner::RefitDone refit) {
      dependencies_.post([this, job_id, refit] { InstallRefit(job_id, refit); });
    };
  }
  job.search =
      std::make_unique<SearchRunner>(*std::move(strategy), dependencies_.pool, std::move(on_refit));
  return absl::OkStatus();
}

void ExplorationLoop::InstallRefit(int64_t job_id, const SearchRunner::RefitDone& refit) {
  const auto it = jobs_.find(job_id);
  if (it == jobs_.end() || it->second->search == nullptr) return;
  JobRuntime& job = *it->second;
  Value payload;
  payload.Set("after_event", refit.after_event);
  store::SearchStateRecord record;
  record.job_id = job_id;
  record.after_event = refit.after_event;
  record.state = refit.refit->State();
  record.installed_event = Emit(job, "refit_installed", std::move(payload));
  changes_->push_back(std::move(record));
  job.search->Install(refit);
}

bool ExplorationLoop::BudgetSpent(const JobRuntime& job) const {
  const Budget& budget = job.spec.budget;
  if (job.exhausted) return true;
  if (budget.trials > 0 && job.CountedTrials() >= budget.trials) return true;
  if (budget.tool_seconds > 0 && job.tool_seconds >= budget.tool_seconds) return true;
  return budget.wall_seconds > 0 &&
         static_cast<double>(dependencies_.clock->WallMs() - job.record.created_ms) >=
             1000.0 * budget.wall_seconds;
}

int ExplorationLoop::ParallelTrials(const JobRuntime& job) const {
  if (job.spec.search.parallel_count > 0) return job.spec.search.parallel_count;
  return std::max(1, dependencies_.dispatcher->live_slots());
}

void ExplorationLoop::AskForTrials(JobRuntime& job) {
  if (job.asked) return;
  const int parallel = ParallelTrials(job);
  const int number = job.next_trial;
  if (job.spec.search.order == SuggestionOrder::kFixedLag) {
    // Trial k sees exactly the results of trials <= k - q, told in the order of their numbers.
    const int seen = number - parallel;
    if (seen >= 1) {
      const TrialRuntime& last = job.trials.at(seen);
      if (!IsTerminal(last.trial.state)) return;
      TeachSearch(job, last);
    }
    job.search->RefitInLine();
  } else if (job.RunningTrials() >= parallel) {
    return;
  }
  job.asked = true;
  const int64_t from_event = job.last_event;
  job.search->Suggest(number, [this, job_id = job.record.id, number,
                               from_event](absl::StatusOr<search::Suggestion> suggestion) {
    dependencies_.post([this, job_id, number, from_event, suggestion = std::move(suggestion)] {
      const auto it = jobs_.find(job_id);
      if (it == jobs_.end() || it->second->record.state != JobState::kRunning) return;
      JobRuntime& job = *it->second;
      job.asked = false;
      if (suggestion.ok()) {
        AddTrial(job, number, *suggestion, from_event);
      } else if (absl::IsOutOfRange(suggestion.status())) {
        job.exhausted = true;
      } else {
        Fail(job, absl::StrCat("the search: ", suggestion.status().message()));
      }
    });
  });
}

void ExplorationLoop::AddTrial(JobRuntime& job, int number, const search::Suggestion& suggestion,
                               int64_t from_event) {
  Trial trial;
  trial.number = number;
  trial.point = suggestion.point;
  job.next_trial = number + 1;
  const absl::Status status =
      StartTrial(job, number, "", job.plan, StartOf(job, trial), suggestion.info, from_event);
  if (!status.ok()) Fail(job, absl::StrCat("trial ", number, ": ", status.message()));
}

void ExplorationLoop::TeachSearch(JobRuntime& job, const TrialRuntime& trial) {
  if (job.search == nullptr) return;
  search::Observation observation;
  observation.trial = trial.trial.number;
  observation.point = trial.trial.point;
  observation.cost_seconds = trial.trial.tool_seconds;
  const Measurement& measurement =
      trial.trial.designs.empty() ? trial.measurement : trial.trial.designs.front().measurement;
  for (const auto& [name, metric] : measurement.metrics) observation.metrics[name] = metric.value;
  switch (trial.trial.state) {
    case TrialState::kSucceeded:
    case TrialState::kStopped:
      observation.kind = search::Observation::Kind::kMeasured;
      break;
    case TrialState::kInfeasible:
      observation.kind = BrokenConstraint(job.constraints, measurement).empty()
                             ? search::Observation::Kind::kRefused
                             : search::Observation::Kind::kMeasured;
      break;
    default:
      observation.kind = search::Observation::Kind::kLost;
      break;
  }
  job.search->Tell(observation, job.last_event);
}

// ---------------------------------------------------------------------- verification

namespace {

bool HasTrialNamed(const JobRuntime& job, const std::string& reference) {
  for (const auto& [number, trial] : job.trials) {
    if (number <= kFirstVerification && trial.trial.reference == reference) return true;
  }
  return false;
}

}  // namespace

void ExplorationLoop::StartCheck(JobRuntime& job, const std::string& reference,
                                 std::shared_ptr<const flow::FlowPlan> plan,
                                 const std::map<std::string, std::string>& inputs) {
  if (HasTrialNamed(job, reference)) return;
  Value input_values{Value::Map()};
  for (const auto& [port, digest] : inputs) {
    if (digest.empty()) return;  // the flow makes no such artifact
    input_values.Set(port, digest);
  }
  Trial trial;
  trial.number = job.next_verification--;
  trial.reference = reference;
  trial.suggestion_info.Set("inputs", std::move(input_values));
  (void)StartTrial(job, trial.number, reference, std::move(plan), StartOf(job, trial),
                   trial.suggestion_info, job.last_event);
}

void ExplorationLoop::StartVerification(JobRuntime& job) {
  const std::string& test = job.inputs.at("test");
  for (const FrontEntry& entry : Front(job)) {
    const auto& artifacts = job.trials.at(entry.trial).trial.designs.at(entry.design).artifacts;
    const std::string network = LastOnPort(job.spec.flow, artifacts, "network");
    const std::string label = absl::StrCat(entry.trial, ".", entry.design);
    StartCheck(job, absl::StrCat("simulate/", label), simulation_plan_,
               {{"rtl", LastOnPort(job.spec.flow, artifacts, "rtl")},
                {"design", LastOnPort(job.spec.flow, artifacts, "design")},
                {"network", network},
                {"dataset", job.inputs.at("dataset")}});
    StartCheck(job, absl::StrCat("test/", label), test_plan_,
               {{"network", network}, {"dataset", test}});
  }
  // The same split, once, for what the front is compared with.
  StartCheck(job, absl::StrCat("test/", kFloatNetwork), test_plan_,
             {{"network", job.inputs.at("network")}, {"dataset", test}});
  std::map<std::string, std::string> networks;
  for (const auto& [number, trial] : job.trials) {
    if (number < 0 && number > kFirstVerification && trial.trial.state == TrialState::kSucceeded) {
      networks[trial.trial.reference] = LastOnPort(job.spec.flow, trial.artifacts, "network");
    }
  }
  for (const auto& [name, network] : networks) {
    StartCheck(job, absl::StrCat("test/", name), test_plan_,
               {{"network", network}, {"dataset", test}});
  }
}

void ExplorationLoop::AbsorbCheck(JobRuntime& job, const TrialRuntime& check) {
  const std::string& reference = check.trial.reference;
  const bool is_test = absl::StartsWith(reference, "test/");
  int trial_number = 0;
  int design_index = 0;
  if (std::sscanf(reference.c_str() + reference.find('/') + 1, "%d.%d", &trial_number,
                  &design_index) != 2) {
    job.references[reference] = check.measurement;
    return;
  }
  TrialRuntime& trial = job.trials.at(trial_number);
  Design& design = trial.trial.designs.at(design_index);
  for (const auto& [name, metric] : check.measurement.metrics) {
    design.measurement.metrics[is_test ? absl::StrCat("test_", name) : name] = metric;
  }
  if (check.trial.state != TrialState::kSucceeded) {
    design.feasible = false;
    trial.trial.message =
        absl::StrCat(is_test ? "test split: " : "simulation: ", check.trial.message);
  } else if (!is_test && check.measurement.Get("mismatched_vectors") != 0) {
    design.feasible = false;
    trial.trial.message = "the simulated RTL and the fixed-point engine differ";
  }
  PutTrial(trial);
}

bool ExplorationLoop::AbsorbVerification(JobRuntime& job) {
  for (const auto& [number, check] : job.trials) {
    if (number <= kFirstVerification) AbsorbCheck(job, check);
  }
  PutJob(job);
  // A design that fell out uncovers others, which are checked in turn; what has been checked is not
  // checked again.
  StartVerification(job);
  return job.RunningTrials() == 0;
}

}  // namespace dovetail
