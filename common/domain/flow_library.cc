#include "common/domain/flow_library.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/nearest.h"

namespace dovetail {
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

FlowTask Edges(FlowTask task, std::map<std::string, std::string> edges) {
  task.edges = std::move(edges);
  return task;
}

FlowTask After(FlowTask task, std::vector<std::string> after) {
  task.after = std::move(after);
  return task;
}

Value Case(const std::string& edge, const std::string& condition, Value settings = Value(),
           const std::string& reason = "") {
  Value one;
  one.Set("edge", edge).Set("if", condition);
  if (!settings.is_null()) one.Set("set", std::move(settings));
  if (!reason.empty()) one.Set("reason", reason);
  return one;
}

void Append(Flow& flow, std::vector<FlowTask> tasks) {
  flow.tasks.insert(flow.tasks.end(), tasks.begin(), tasks.end());
}

// The tasks that measure: accuracy first, hardware after it.
void AppendHardware(Flow& flow) {
  Append(flow, {Task("evaluate", "evaluate"), Task("lower_rtl", "lower_rtl"),
                Task("synthesize", "synthesize")});
}

NamedFlowInfo Quantize() {
  NamedFlowInfo info{"quantize",
                     "Q: quantise with retraining, evaluate, synthesise.",
                     {"weight_bits", "activation_bits"},
                     {}};
  Append(info.flow, {Task("quantize", "quantize", kQuantizeParameters)});
  AppendHardware(info.flow);
  return info;
}

NamedFlowInfo PruneQuantize() {
  NamedFlowInfo info{"prune_quantize",
                     "P-Q: prune, quantise, evaluate, synthesise.",
                     {"pruning_rate", "weight_bits", "activation_bits"},
                     {}};
  Append(info.flow, {Task("prune", "prune", kPruneParameters),
                     Task("quantize", "quantize", kQuantizeParameters)});
  AppendHardware(info.flow);
  return info;
}

NamedFlowInfo Gated() {
  NamedFlowInfo info{"gated",
                     "P-Q, with a gate on accuracy before hardware is paid for (cfg "
                     "accuracy_floor).",
                     {"pruning_rate", "weight_bits", "activation_bits"},
                     {}};
  info.flow.cfg = {{"accuracy_floor", 0.7}};
  Append(info.flow,
         {Task("prune", "prune", kPruneParameters),
          Task("quantize", "quantize", kQuantizeParameters), Task("evaluate", "evaluate"),
          Task("accurate", "gate",
               {{"pass", "accuracy >= accuracy_floor"},
                {"message", "the accuracy is below accuracy_floor"}}),
          Task("lower_rtl", "lower_rtl"), Task("synthesize", "synthesize")});
  return info;
}

// Each order on workers of its own; the most accurate goes on to hardware.
NamedFlowInfo OrderSearch() {
  NamedFlowInfo info{"order_search",
                     "Q, P-Q and Q-P side by side; the most accurate goes on to hardware.",
                     {"pruning_rate", "weight_bits", "activation_bits"},
                     {}};
  Append(info.flow,
         {Edges(Task("orders", "fork"),
                {{"q", "quantize_q"}, {"p_q", "prune_pq"}, {"q_p", "quantize_qp"}}),
          Task("quantize_q", "quantize", kQuantizeParameters), Task("evaluate_q", "evaluate"),
          Task("prune_pq", "prune", kPruneParameters),
          Task("quantize_pq", "quantize", kQuantizeParameters), Task("evaluate_pq", "evaluate"),
          Task("quantize_qp", "quantize", kQuantizeParameters),
          Task("prune_qp", "prune", kPruneParameters), Task("evaluate_qp", "evaluate"),
          Task("best", "reduce", {{"maximize", "accuracy"}}), Task("lower_rtl", "lower_rtl"),
          Task("synthesize", "synthesize")});
  return info;
}

// The order as a variable of the search: permutation over ["prune", "quantize"].
NamedFlowInfo OrderVariable() {
  NamedFlowInfo info{"order_variable",
                     "P-Q or Q-P as the permutation variable `order` says, then hardware.",
                     {"order", "pruning_rate", "weight_bits", "activation_bits"},
                     {}};
  Append(info.flow, {Edges(Task("which", "branch",
                                {{"cases", Value::List{Case("p_q", "order[0] == 'prune'")}},
                                 {"otherwise", "q_p"}}),
                           {{"p_q", "prune_pq"}, {"q_p", "quantize_qp"}}),
                     Task("prune_pq", "prune", kPruneParameters),
                     Task("quantize_pq", "quantize", kQuantizeParameters),
                     Task("quantize_qp", "quantize", kQuantizeParameters),
                     Task("prune_qp", "prune", kPruneParameters),
                     After(Task("ordered", "join"), {"quantize_pq", "prune_qp"})});
  AppendHardware(info.flow);
  return info;
}

// Bottom-up: what the hardware needs feeds back to pruning, before synthesis is paid for.
NamedFlowInfo BottomUpDsp() {
  NamedFlowInfo info{"bottom_up_dsp",
                     "P-Q with feedback: more DSPs than cfg dsp_budget prune a quarter of the "
                     "kept weights more.",
                     {"pruning_rate", "weight_bits", "activation_bits"},
                     {}};
  info.flow.cfg = {{"dsp_budget", 50}, {"accuracy_floor", 0.7}};
  FlowTask prune = After(Task("prune", "prune", kPruneParameters), {"again"});
  prune.inputs = {{"network", "network"}};  // each time from the trained network
  Value more;
  more.Set("pruning_rate", "= 1 - 0.75 * (1 - pruning_rate)");
  Append(info.flow,
         {Task("again", "join"), prune, Task("quantize", "quantize", kQuantizeParameters),
          Task("evaluate", "evaluate"),
          Task("accurate", "gate",
               {{"pass", "accuracy >= accuracy_floor"},
                {"message", "the accuracy is below accuracy_floor"}}),
          Task("lower_rtl", "lower_rtl"),
          Edges(Task("judge", "branch",
                     {{"cases", Value::List{Case("back", "dsp > dsp_budget", more,
                                                 "more DSPs than dsp_budget: prune more")}},
                      {"otherwise", "go"},
                      {"max_iterations", 4}}),
                {{"back", "again"}, {"go", "synthesize"}}),
          Task("synthesize", "synthesize")});
  return info;
}

NamedFlowInfo MultiDevice() {
  NamedFlowInfo info{"multi_device",
                     "P-Q once, then one design for each of three parts.",
                     {"pruning_rate", "weight_bits", "activation_bits"},
                     {}};
  const auto part = [](const char* name) {
    Value settings;
    settings.Set("Part", name);
    return settings;
  };
  Value set;
  set.Set("u250", part("xcu250-figd2104-2L-e")).Set("vu9p", part("xcvu9p-flga2104-2L-e"));
  set.Set("zu7ev", part("xczu7ev-ffvc1156-2-e"));
  Append(info.flow,
         {Task("prune", "prune", kPruneParameters),
          Task("quantize", "quantize", kQuantizeParameters), Task("evaluate", "evaluate"),
          Edges(Task("devices", "fork", {{"set", set}}),
                {{"u250", "lower_rtl"}, {"vu9p", "lower_rtl"}, {"zu7ev", "lower_rtl"}}),
          Task("lower_rtl", "lower_rtl"), Task("synthesize", "synthesize")});
  return info;
}

std::vector<NamedFlowInfo> MakeLibrary() {
  std::vector<NamedFlowInfo> library = {Quantize(),    PruneQuantize(), Gated(),
                                        OrderSearch(), OrderVariable(), BottomUpDsp(),
                                        MultiDevice()};
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

}  // namespace dovetail
