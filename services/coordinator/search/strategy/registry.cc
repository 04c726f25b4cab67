// Name -> strategy: the one explicit list.
#include <cmath>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/nearest.h"
#include "common/base/status_macros.h"
#include "services/coordinator/search/space/space.h"
#include "services/coordinator/search/strategy.h"
#include "services/coordinator/search/strategy/evolution_strategies.h"
#include "services/coordinator/search/strategy/gp_strategy.h"
#include "services/coordinator/search/strategy/metaml_strategy.h"
#include "services/coordinator/search/strategy/sampling_strategies.h"

namespace dovetail::search {
namespace {

struct Entry {
  StrategyInfo info;
  absl::StatusOr<std::unique_ptr<Strategy>> (*make)(const Problem&, Space);
};

const std::vector<Entry>& Entries() {
  static const auto* entries = new std::vector<Entry>{
      {{"gp", "Gaussian processes and log expected (hypervolume) improvement; the default",
        "Ament et al. 2023; Daulton et al. 2021"},
       &MakeGpStrategy},
      {{"random", "uniform draws; the floor every search must beat", "Bergstra and Bengio 2012"},
       &MakeRandomStrategy},
      {{"sobol", "scrambled Sobol sequence: even coverage without a model", "Joe and Kuo 2008"},
       &MakeSobolStrategy},
      {{"grid", "every combination of levels, in order", "full factorial design"},
       &MakeGridStrategy},
      {{"nsga2", "steady-state genetic search with domination ranks and crowding",
        "Deb et al. 2002"},
       &MakeNsga2Strategy},
      {{"regularized_evolution", "mutates the best of a sample of the youngest trials",
        "Real et al. 2019"},
       &MakeRegularizedEvolutionStrategy},
      {{"metaml", "the ancestor's setting: one score, Matern-5/2, upper confidence bound",
        "Que et al. 2025"},
       &MakeMetamlStrategy},
  };
  return *entries;
}

absl::Status CheckProblem(const Problem& problem, const Space& space) {
  if (problem.objectives.empty()) {
    return absl::InvalidArgumentError("a search needs at least one objective");
  }
  for (size_t i = 0; i < problem.objectives.size(); ++i) {
    if (problem.objectives[i].metric.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("objective ", i + 1, " names no metric"));
    }
    for (size_t j = 0; j < i; ++j) {
      if (problem.objectives[j].metric == problem.objectives[i].metric) {
        return absl::InvalidArgumentError(
            absl::StrCat("objective \"", problem.objectives[i].metric, "\" is given twice"));
      }
    }
  }
  for (const Constraint& constraint : problem.constraints) {
    if (constraint.metric.empty())
      return absl::InvalidArgumentError("a constraint names no metric");
    if (!constraint.at_least && !constraint.at_most) {
      return absl::InvalidArgumentError(
          absl::StrCat("constraint on \"", constraint.metric, "\" has no bound"));
    }
    for (const auto& bound : {constraint.at_least, constraint.at_most}) {
      if (bound && !std::isfinite(*bound)) {
        return absl::InvalidArgumentError(
            absl::StrCat("constraint on \"", constraint.metric, "\": its bound is not finite"));
      }
    }
    if (constraint.at_least && constraint.at_most && *constraint.at_least > *constraint.at_most) {
      return absl::InvalidArgumentError(
          absl::StrCat("constraint on \"", constraint.metric, "\": at_least is above at_most"));
    }
  }
  for (size_t i = 0; i < problem.enqueued.size(); ++i) {
    RETURN_IF_ERROR_WITH(space.Check(problem.enqueued[i]), absl::StrCat("enqueued point ", i + 1));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Strategy>> MakeStrategy(const std::string& name,
                                                       const Problem& problem) {
  std::vector<std::string> names;
  for (const Entry& entry : Entries()) {
    names.push_back(entry.info.name);
    if (entry.info.name != name) continue;
    ASSIGN_OR_RETURN(Space space, Space::Create(problem.space));
    RETURN_IF_ERROR(CheckProblem(problem, space));
    return entry.make(problem, std::move(space));
  }
  return absl::NotFoundError(absl::StrCat("no strategy \"", name, "\"; did you mean \"",
                                          NearestName(name, names),
                                          "\"? Known: ", absl::StrJoin(names, ", ")));
}

std::vector<StrategyInfo> ListStrategies() {
  std::vector<StrategyInfo> infos;
  for (const Entry& entry : Entries()) infos.push_back(entry.info);
  return infos;
}

}  // namespace dovetail::search
