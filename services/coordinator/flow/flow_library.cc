#include "services/coordinator/flow/flow_library.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/nearest.h"

namespace dovetail::flow {
namespace {

FlowTask Task(std::string name, std::string type, std::map<std::string, Value> parameters = {}) {
  FlowTask task;
  task.name = std::move(name);
  task.task = std::move(type);
  task.parameters = std::move(parameters);
  return task;
}

const std::map<std::string, Value> kPruneParameters = {{"rate", "= pruning_rate"}};
const std::map<std::string, Value> kQuantizeParameters = {{"weight_bits", "= weight_bits"},
                                                          {"activation_bits", "= activation_bits"}};

// The tasks that measure: accuracy first, hardware after it.
void AppendHardware(Flow& flow) {
  flow.tasks.push_back(Task("evaluate", "evaluate"));
  flow.tasks.push_back(Task("lower_rtl", "lower_rtl"));
  flow.tasks.push_back(Task("synthesize", "synthesize"));
}

NamedFlowInfo Quantize() {
  NamedFlowInfo info{
      "quantize", "Quantise, evaluate, synthesise (Q).", {"weight_bits", "activation_bits"}, {}};
  info.flow.tasks = {Task("quantize", "quantize", kQuantizeParameters)};
  AppendHardware(info.flow);
  return info;
}

NamedFlowInfo PruneQuantize() {
  NamedFlowInfo info{"prune_quantize",
                     "Prune, quantise, evaluate, synthesise (P-Q).",
                     {"pruning_rate", "weight_bits", "activation_bits"},
                     {}};
  info.flow.tasks = {Task("prune", "prune", kPruneParameters),
                     Task("quantize", "quantize", kQuantizeParameters)};
  AppendHardware(info.flow);
  return info;
}

std::vector<NamedFlowInfo> MakeLibrary() {
  std::vector<NamedFlowInfo> library = {Quantize(), PruneQuantize()};
  for (NamedFlowInfo& info : library) info.flow.name = info.name;
  return library;
}

}  // namespace

const std::vector<NamedFlowInfo>& FlowLibrary() {
  static const std::vector<NamedFlowInfo> library = MakeLibrary();
  return library;
}

absl::StatusOr<Flow> NamedFlow(absl::string_view name) {
  std::vector<std::string> names;
  for (const NamedFlowInfo& info : FlowLibrary()) {
    if (info.name == name) return info.flow;
    names.push_back(info.name);
  }
  return absl::NotFoundError(absl::StrCat("there is no flow \"", name, "\"; did you mean \"",
                                          NearestName(name, names),
                                          "\"? Known: ", absl::StrJoin(names, ", ")));
}

}  // namespace dovetail::flow
