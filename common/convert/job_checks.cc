#include "common/convert/job_checks.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/digest.h"
#include "common/base/nearest.h"
#include "common/base/status_macros.h"
#include "common/convert/checks_internal.h"
#include "common/domain/flow_library.h"
#include "common/domain/task_info.h"
#include "common/hardware/device_catalogue.h"

namespace dovetail::convert {
namespace {

constexpr size_t kMaxNameBytes = 64;
constexpr int kMaxTrials = 1'000'000;
constexpr char kFloatNetwork[] = "float_network";

// In [0, 1] by definition.
bool IsFraction(const std::string& metric) {
  return metric == "accuracy" || metric == "kept_fraction" || metric == "agreement_with_float" ||
         metric == "validation_accuracy" || metric == "float_validation_accuracy";
}

bool IsNeverNegative(const std::string& metric) {
  static const std::set<std::string> kNames = {"dsp",
                                               "lut",
                                               "ff",
                                               "bram",
                                               "latency_cycles",
                                               "initiation_interval_cycles",
                                               "estimated_critical_path_ns",
                                               "latency_ns_at_target",
                                               "log_loss"};
  return IsFraction(metric) || kNames.contains(metric);
}

// A job's name is also its output directory's.
absl::Status CheckName(const std::string& name) {
  if (name.empty()) return Wrong("name", "missing; give the job a name, such as jets");
  if (name.size() > kMaxNameBytes) {
    return Wrong("name", absl::StrCat("longer than ", kMaxNameBytes, " characters"));
  }
  for (const char c : name) {
    if (!absl::ascii_isalnum(c) && c != '_' && c != '-' && c != '.') {
      return Wrong("name", "may have letters, digits, \"_\", \"-\" and \".\" alone");
    }
  }
  if (name[0] == '.') return Wrong("name", "may not begin with a point");
  return absl::OkStatus();
}

absl::Status CheckHardware(const JobSpec& spec) {
  if (const auto device = hardware::FindDevice(spec.part); !device.ok()) {
    return Wrong("Part", device.status().message());
  }
  if (spec.backend != "yosys") {
    return Wrong("Backend", absl::StrCat("\"", spec.backend, "\" is not known; known: yosys"));
  }
  if (spec.io_type != "io_parallel" && spec.io_type != "io_stream") {
    return Wrong("IOType", absl::StrCat("\"", spec.io_type,
                                        "\" is not known; known: io_parallel, io_stream"));
  }
  if (!(spec.clock_period_ns >= 0.1 && spec.clock_period_ns <= 1000)) {
    return Wrong("ClockPeriod", absl::StrCat(spec.clock_period_ns,
                                             " ns is outside 0.1 to 1000 ns (it is a period, "
                                             "not a frequency)"));
  }
  if (!(spec.fit_margin_fraction > 0 && spec.fit_margin_fraction <= 1)) {
    return Wrong("fitMargin", "is a fraction above 0, at most 1");
  }
  return absl::OkStatus();
}

absl::Status CheckFlow(const Flow& flow) {
  if (flow.tasks.empty()) {
    if (!flow.name.empty()) return Wrong("flow", NamedFlow(flow.name).status().message());
    return Wrong("flow",
                 "no tasks; list them under flow.tasks, such as prune, quantize, "
                 "evaluate, lower_rtl, synthesize");
  }
  std::set<std::string> seen;
  for (const FlowTask& task : flow.tasks) {
    const std::string where =
        absl::StrCat("flow: task \"", task.name, "\"",
                     task.line > 0 ? absl::StrCat(" (line ", task.line, ")") : "");
    if (task.task.empty()) return Wrong(where, "\"task\" is missing: which task type is it?");
    const absl::StatusOr<const TaskInfo*> info = FindTaskInfo(task.task);
    if (!info.ok()) return Wrong(where, info.status().message());
    if (absl::StrContains(task.name, '.') || absl::StrContains(task.name, ' ')) {
      return Wrong(where, "a task's name may have neither points nor blanks");
    }
    if (!seen.insert(task.name).second) {
      return Wrong(where, "there are two of this name; give one of them another with \"name\"");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckObjectives(const std::vector<Objective>& objectives) {
  if (objectives.empty()) {
    return Wrong("objectives",
                 "empty; name at least one, such as {metric: accuracy, goal: "
                 "maximize}");
  }
  std::set<std::string> seen;
  for (const Objective& objective : objectives) {
    if (objective.metric.empty()) return Wrong("objectives", "one has no metric");
    if (!seen.insert(objective.metric).second) {
      return Wrong("objectives", absl::StrCat("\"", objective.metric, "\" is there twice"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckBounds(const Constraint& constraint, const std::string& where) {
  for (const std::optional<double>& bound : {constraint.at_least, constraint.at_most}) {
    if (bound && !std::isfinite(*bound)) return Wrong(where, "a bound is not a finite number");
  }
  if (!constraint.relative_to.empty()) return absl::OkStatus();
  if (IsFraction(constraint.metric) && constraint.at_least && *constraint.at_least > 1) {
    return Wrong(where, absl::StrCat("at least ", NumberToText(*constraint.at_least),
                                     " is impossible: it is a fraction, from 0 to 1"));
  }
  if (IsNeverNegative(constraint.metric) && constraint.at_most && *constraint.at_most < 0) {
    return Wrong(where, absl::StrCat("at most ", NumberToText(*constraint.at_most),
                                     " is impossible: it is never negative"));
  }
  return absl::OkStatus();
}

absl::Status CheckConstraints(const JobSpec& spec) {
  std::vector<std::string> references = {kFloatNetwork};
  for (const Reference& reference : spec.references) references.push_back(reference.name);
  // (metric, relative_to) -> the bounds of all constraints on it.
  std::map<std::pair<std::string, std::string>, std::pair<double, double>> bounds;
  for (const Constraint& constraint : spec.constraints) {
    const std::string where = absl::StrCat("constraints: ", constraint.metric);
    if (constraint.metric.empty()) return Wrong("constraints", "one has no metric");
    if (!constraint.at_least && !constraint.at_most) {
      return Wrong(where, "has no bound; give atLeast or atMost");
    }
    RETURN_IF_ERROR(CheckBounds(constraint, where));
    if (!constraint.relative_to.empty() && std::find(references.begin(), references.end(),
                                                     constraint.relative_to) == references.end()) {
      return Wrong(where, absl::StrCat("relativeTo \"", constraint.relative_to,
                                       "\" is no reference of this job; did you mean \"",
                                       NearestName(constraint.relative_to, references), "\"?"));
    }
    auto [it, added] =
        bounds.try_emplace({constraint.metric, constraint.relative_to}, -HUGE_VAL, HUGE_VAL);
    if (constraint.at_least) it->second.first = std::max(it->second.first, *constraint.at_least);
    if (constraint.at_most) it->second.second = std::min(it->second.second, *constraint.at_most);
    if (it->second.first > it->second.second) {
      return Wrong(where, absl::StrCat("impossible: at least ", NumberToText(it->second.first),
                                       " and at most ", NumberToText(it->second.second)));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckBudget(const Budget& budget) {
  if (budget.trials < 0 || budget.trials > kMaxTrials) {
    return Wrong("budget.trials", absl::StrCat("must be 0 (no limit) to ", kMaxTrials));
  }
  for (const auto& [name, seconds] : {std::pair("budget.toolSeconds", budget.tool_seconds),
                                      std::pair("budget.wallSeconds", budget.wall_seconds)}) {
    if (!std::isfinite(seconds) || seconds < 0) {
      return Wrong(name, "must be a finite number of seconds, 0 for no limit");
    }
  }
  if (budget.abandoned_trials < 0) return Wrong("budget.abandonedTrials", "is negative");
  if (budget.trials == 0 && budget.tool_seconds == 0 && budget.wall_seconds == 0) {
    return Wrong("budget",
                 "no limit is set, so the job would never end; set trials, toolSeconds "
                 "or wallSeconds");
  }
  return absl::OkStatus();
}

absl::Status CheckSearch(const JobSpec& spec) {
  if (spec.search.initial_count < 0) return Wrong("search.initial", "is negative");
  if (spec.search.parallel_count < 0) return Wrong("search.parallel", "is negative");
  std::set<uint64_t> seen;
  for (const uint64_t seed : spec.evaluation_seeds) {
    if (!seen.insert(seed).second) {
      return Wrong("evaluation.seeds", absl::StrCat(seed, " is there twice"));
    }
  }
  for (size_t i = 0; i < spec.points.size(); ++i) {
    RETURN_IF_ERROR(CheckPoint(spec.space, spec.points[i], true, absl::StrCat("points[", i, "]")));
  }
  return absl::OkStatus();
}

// "task.parameter" of the flow.
absl::Status CheckOverride(const Flow& flow, const std::string& key, const std::string& where) {
  std::vector<std::string> known;
  for (const FlowTask& task : flow.tasks) {
    const absl::StatusOr<const TaskInfo*> info = FindTaskInfo(task.task);
    if (!info.ok()) continue;
    for (const ParameterInfo& parameter : (*info)->parameters) {
      known.push_back(absl::StrCat(task.name, ".", parameter.name));
      if (known.back() == key) return absl::OkStatus();
    }
  }
  return Wrong(where, absl::StrCat("cfg has no \"", key, "\"; did you mean \"",
                                   NearestName(key, known), "\"? (task.parameter)"));
}

absl::Status CheckReferences(const JobSpec& spec) {
  std::vector<std::string> tasks;
  for (const FlowTask& task : spec.flow.tasks) tasks.push_back(task.name);
  std::set<std::string> seen = {kFloatNetwork};
  for (const Reference& reference : spec.references) {
    const std::string where = absl::StrCat("references: \"", reference.name, "\"");
    if (reference.name.empty()) return Wrong("references", "one has no name");
    if (!seen.insert(reference.name).second) return Wrong(where, "this name is taken");
    RETURN_IF_ERROR(CheckPoint(spec.space, reference.point, false, where));
    if (spec.flow.tasks.empty()) continue;
    for (const auto& [key, value] : reference.cfg) {
      RETURN_IF_ERROR(CheckOverride(spec.flow, key, where));
    }
    for (const std::string& task : reference.skip) {
      if (std::find(tasks.begin(), tasks.end(), task) == tasks.end()) {
        return Wrong(where, absl::StrCat("skips \"", task,
                                         "\", which is no task of the flow; did "
                                         "you mean \"",
                                         NearestName(task, tasks), "\"?"));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckJobSpec(const JobSpec& spec) {
  RETURN_IF_ERROR(CheckName(spec.name));
  for (const auto& [field, digest] : {std::pair("network.digest", spec.network_digest),
                                      std::pair("dataset.digest", spec.dataset_digest)}) {
    if (!IsSha256Hex(digest)) {
      return Wrong(field, absl::StrCat("\"", digest,
                                       "\" is not a SHA-256 digest: 64 characters "
                                       "of 0-9 and a-f"));
    }
  }
  RETURN_IF_ERROR(CheckHardware(spec));
  RETURN_IF_ERROR(CheckFlow(spec.flow));
  RETURN_IF_ERROR(CheckSpace(spec.space));
  RETURN_IF_ERROR(CheckObjectives(spec.objectives));
  RETURN_IF_ERROR(CheckConstraints(spec));
  RETURN_IF_ERROR(CheckBudget(spec.budget));
  RETURN_IF_ERROR(CheckSearch(spec));
  return CheckReferences(spec);
}

}  // namespace dovetail::convert
