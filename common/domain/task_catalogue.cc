// The one list of task types: ports, parameters, metrics, needs. The implementations are in
// services/worker (O- and lambda-tasks) and services/coordinator/flow (K-tasks).
#include "common/domain/task_info.h"

namespace dovetail {
namespace {

const ParameterInfo kEpochs = {"epochs", "integer", 20, "epochs",
                               "passes over the train split; 0: none"};
const ParameterInfo kBatchSize = {"batch_size", "integer", 256, "samples", "per gradient step"};
const ParameterInfo kLearningRate = {"learning_rate", "number", 0.003, "",
                                     "the highest of the schedule"};
const ParameterInfo kOptimizer = {"optimizer", "string", "adam", "", "adam, adamw, sgd"};
const ParameterInfo kSchedule = {"schedule", "string", "cosine", "",
                                 "of the learning rate: cosine, one_cycle, constant"};
const ParameterInfo kL1 = {"l1", "number", 0, "", "penalty on the magnitude of weights"};
const ParameterInfo kL2 = {"l2", "number", 0, "", "penalty on the square of weights"};
const ParameterInfo kPatience = {"patience", "integer", 0, "epochs",
                                 "stop without a better validation loss for so long; 0: never"};
const PortInfo kNetwork = {"network", "network"};
const PortInfo kDataset = {"dataset", "dataset"};

// Their expressions are strings, with or without a leading "=".
void AppendControlTasks(std::vector<TaskInfo>& all) {
  all.push_back(
      {.name = "branch",
       .kind = TaskKind::kControl,
       .purpose = "Take the edge of the first case whose condition holds, and change CFG.",
       .parameters = {{"cases", "list", Value(), "",
                       "maps {edge, if: condition, set: CFG name -> value or \"= expression\", "
                       "reason}, tried in order"},
                      {"otherwise", "string", Value(), "", "the edge where no case holds"},
                      {"max_iterations", "integer", 0, "",
                       "how often a path may take a case, then otherwise; needed on a cycle"}}});
  all.push_back({.name = "join",
                 .kind = TaskKind::kControl,
                 .purpose = "Go on whichever of several ways led here; the head of a cycle."});
  all.push_back({.name = "fork",
                 .kind = TaskKind::kControl,
                 .purpose = "Run every edge's way side by side, each on its own copy.",
                 .parameters = {{"set", "map", Value(Value::Map()), "",
                                 "branch -> map of CFG settings it starts with"}}});
  all.push_back(
      {.name = "reduce",
       .kind = TaskKind::kControl,
       .purpose = "End a fork: go on with its best branch, or keep its Pareto front.",
       .parameters = {{"minimize", "string", "", "", "expression that scores a branch"},
                      {"maximize", "string", "", "", "the same, the other way round"},
                      {"require", "string", "any", "",
                       "any: a branch that fails is left out; all: it fails the path"},
                      {"pareto", "list", Value(Value::List()), "",
                       "expressions, each minimised; every branch that none dominates becomes a "
                       "design, the best score first; ends the flow"}}});
  all.push_back({.name = "gate",
                 .kind = TaskKind::kControl,
                 .purpose = "Go on only where a condition holds: what fails early costs less.",
                 .parameters = {{"pass", "string", Value(), "", "condition"},
                                {"otherwise", "string", "infeasible", "",
                                 "infeasible, stopped: the trial's state where it does not hold"},
                                {"message", "string", "", "", "why, for the user"}}});
  all.push_back(
      {.name = "stop",
       .kind = TaskKind::kControl,
       .purpose = "End the way here.",
       .parameters = {{"state", "string", "stopped", "", "stopped, succeeded, infeasible"},
                      {"message", "string", "", "", "why, for the user"}}});
}

std::vector<TaskInfo> MakeCatalogue() {
  std::vector<TaskInfo> all;

  all.push_back({.name = "describe",
                 .kind = TaskKind::kTransform,
                 .purpose = "Read an ONNX file into the network IR and summarise it.",
                 .inputs = {{"onnx", "onnx"}},
                 .outputs = {kNetwork, {"summary", "summary"}},
                 .metrics = {"parameter_count", "mac_count", "layer_count"}});
  all.push_back(
      {.name = "check_dataset",
       .kind = TaskKind::kTransform,
       .purpose = "Check a dataset against a network and prepare it for mapping into tasks.",
       .inputs = {{"npz", "npz"}, kNetwork},
       .outputs = {kDataset, {"test", "dataset"}, kNetwork},
       .parameters = {{"normalization", "string", "dataset", "",
                       "none; dataset: standardise the features by the train split's mean "
                       "and sigma; first_layer: fold both into the first layer's weights"}},
       .metrics = {"train_count", "validation_count", "test_count", "feature_count",
                   "class_count"}});
  all.push_back({.name = "train",
                 .kind = TaskKind::kOptimize,
                 .purpose = "Train the network in floating point, masks kept.",
                 .inputs = {kNetwork, kDataset},
                 .outputs = {kNetwork},
                 .parameters = {kEpochs,
                                kBatchSize,
                                kLearningRate,
                                {"from_scratch", "boolean", false, "", "draw new weights first"},
                                kOptimizer,
                                kSchedule,
                                kL1,
                                kL2,
                                kPatience},
                 .metrics = {"train_loss", "validation_loss", "validation_accuracy",
                             "kept_fraction", "epochs_run"},
                 .capabilities = {"train"},
                 .uses_seed = true});
  all.push_back(
      {.name = "prune",
       .kind = TaskKind::kOptimize,
       .purpose = "Magnitude pruning on a gradual schedule while retraining; masks are kept.",
       .inputs = {kNetwork, kDataset},
       .outputs = {kNetwork},
       .parameters = {{"rate", "number|list", Value(), "fraction",
                       "of weights set to zero, in [0, 1); a list: one per layer with weights"},
                      {"scope", "string", "global", "",
                       "global: one threshold over all layers; layer: the rate in each layer; "
                       "neurons: whole neurons leave, over all hidden layers"},
                      {"mode", "string", "fixed", "",
                       "fixed: the rate; auto: the highest rate the tolerance allows, by "
                       "bisection from the rate"},
                      {"tolerance", "number", 0.02, "fraction",
                       "mode auto: absolute drop of the validation accuracy accepted"},
                      {"resolution", "number", 0.02, "fraction",
                       "mode auto: ends when the rate moves by less"},
                      {"max_evaluations", "integer", 12, "count", "mode auto: at most so many"},
                      kEpochs,
                      kBatchSize,
                      kLearningRate},
       .metrics = {"kept_fraction", "float_validation_accuracy", "validation_accuracy",
                   "validation_loss", "train_loss", "epochs_run", "evaluations",
                   "reference_accuracy"},
       .capabilities = {"train"},
       .uses_seed = true});
  all.push_back(
      {.name = "scale",
       .kind = TaskKind::kOptimize,
       .purpose = "Make the hidden layers narrower, by their best neurons, and retrain.",
       .inputs = {kNetwork, kDataset},
       .outputs = {kNetwork},
       .parameters = {{"factor", "number|list", 0.5, "fraction",
                       "of neurons kept, in (0, 1]; a list: one per hidden layer"},
                      {"from", "string", "largest", "",
                       "largest: the neurons with the largest weights; scratch: new weights"},
                      {"mode", "string", "fixed", "",
                       "fixed: the factor; auto: step down while the tolerance allows"},
                      {"tolerance", "number", 0.005, "fraction",
                       "mode auto: absolute drop of the validation accuracy accepted"},
                      {"steps", "integer", 8, "count", "mode auto: factors 1 - i / steps"},
                      {"patience_trials", "integer", 1, "count",
                       "mode auto: so many refused factors in a row end it"},
                      {"max_evaluations", "integer", 8, "count", "mode auto: at most so many"},
                      kEpochs,
                      kBatchSize,
                      kLearningRate},
       .metrics = {"kept_fraction", "float_validation_accuracy", "validation_accuracy",
                   "validation_loss", "train_loss", "epochs_run", "evaluations"},
       .capabilities = {"train"},
       .uses_seed = true});
  all.push_back(
      {.name = "quantize",
       .kind = TaskKind::kOptimize,
       .purpose =
           "Give every tensor an ap_fixed type, then retrain with straight-through estimators.",
       .inputs = {kNetwork, kDataset},
       .outputs = {kNetwork},
       .parameters = {{"Precision", "string", "", "",
                       "one ap_fixed type for every tensor; empty: widths below, integer bits from "
                       "measured ranges"},
                      {"weight_bits", "integer", 6, "bits",
                       "of weights; biases get the grid of their sum"},
                      {"activation_bits", "integer", 6, "bits", "of layer results"},
                      {"input_bits", "integer", 0, "bits",
                       "of the network's input; 0: two more than activation_bits, at least 8"},
                      {"bits", "string", "uniform", "",
                       "uniform: the widths above; trainable: fraction bits of each weight, "
                       "result channel and input feature are learnt (needs 30 epochs or more)"},
                      {"resource_weight", "number", 1e-6, "nats per bit operation",
                       "bits: trainable: price of hardware against the loss, 1e-7 to 1e-4"},
                      {"epochs", "integer", 15, "epochs",
                       "of quantisation-aware retraining; 0: none"},
                      kBatchSize,
                      {"learning_rate", "number", 0.002, "", "the highest of the schedule"}},
       .metrics = {"float_validation_accuracy", "validation_accuracy", "validation_loss",
                   "train_loss", "kept_fraction", "epochs_run", "effective_bit_operations",
                   "mean_weight_bits"},
       .capabilities = {"train"},
       .uses_seed = true});
  all.push_back(
      {.name = "evaluate",
       .kind = TaskKind::kTransform,
       .purpose = "Evaluate a network: bit-exact in fixed point where it has types, else in float.",
       .inputs = {kNetwork, kDataset},
       .outputs = {},
       .parameters = {{"arithmetic", "string", "auto", "", "auto, fixed, float"}},
       .metrics = {"accuracy", "log_loss", "agreement_with_float", "float_accuracy"}});
  all.push_back({.name = "lower_rtl",
                 .kind = TaskKind::kTransform,
                 .purpose = "Lower a quantised network to the hardware IR and print Verilog.",
                 .inputs = {kNetwork},
                 .outputs = {{"rtl", "rtl"}, {"design", "design"}},
                 .parameters = {{"Strategy", "string", "latency", "",
                                 "latency, or distributed_arithmetic: shared adders, no DSP"},
                                {"ReuseFactor", "integer", 1, "", "multiplications per multiplier"},
                                {"IOType", "string", "io_parallel", "", "io_parallel"},
                                {"Part", "string", "xcu250-figd2104-2L-e", "", "device"},
                                {"ClockPeriod", "number", 5, "ns", "target"},
                                {"ClockUncertainty", "number", 12.5, "%",
                                 "of the clock period kept free when pipelining"}},
                 .metrics = {"dsp", "latency_cycles", "initiation_interval_cycles",
                             "estimated_critical_path_ns", "latency_ns_at_target", "adder_bits",
                             "lut_estimate"}});
  all.push_back({.name = "synthesize",
                 .kind = TaskKind::kTransform,
                 .purpose = "Logic synthesis of the RTL, layer by layer, out of context.",
                 .inputs = {{"rtl", "rtl"}, {"design", "design"}},
                 .outputs = {{"report", "report"}},
                 .parameters = {{"Backend", "string", "yosys", "", "synthesis tool"},
                                {"Part", "string", "xcu250-figd2104-2L-e", "", "device"}},
                 .metrics = {"lut", "ff", "bram", "dsp", "lut_utilization_fraction",
                             "ff_utilization_fraction", "bram_utilization_fraction",
                             "dsp_utilization_fraction", "max_utilization_fraction"},
                 .capabilities = {"yosys"},
                 .tools = {"yosys"}});
  all.push_back(
      {.name = "simulate",
       .kind = TaskKind::kTransform,
       .purpose = "Run the RTL in Verilator and compare every bit with the fixed-point engine.",
       .inputs = {{"rtl", "rtl"}, {"design", "design"}, kNetwork, kDataset},
       .outputs = {},
       .parameters = {{"vectors", "integer", 1000, "samples",
                       "from the dataset's validation split"}},
       .metrics = {"mismatched_vectors", "simulated_latency_cycles", "simulated_interval_cycles"},
       .capabilities = {"verilator"},
       .tools = {"verilator"}});

  AppendControlTasks(all);
  return all;
}

}  // namespace

const std::vector<TaskInfo>& TaskCatalogue() {
  static const std::vector<TaskInfo> catalogue = MakeCatalogue();
  return catalogue;
}

}  // namespace dovetail
