// A network of any layers, spelt out for the libtorch side: numbers only, nothing to look up.
// Made by graph_model from a Network, read by the libtorch module. Header only, since that module
// is loaded at run time (libtorch's start costs 0.5 s, and dense chains never need it).
#ifndef DOVETAIL_SERVICES_WORKER_TRAIN_GRAPH_PLAN_H_
#define DOVETAIL_SERVICES_WORKER_TRAIN_GRAPH_PLAN_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "services/worker/nn/network.h"
#include "services/worker/train/gradient_net.h"

namespace dovetail::train {

// The cast of a result; see Quantizer.
struct PlanCast {
  double scale = 1;
  double raw_low = 0;
  double raw_high = 0;
  Quantization quantization = Quantization::kTrn;
  bool wraps = false;
};

struct PlanNode {
  nn::Op op = nn::Op::kInput;
  std::vector<int> inputs;            // earlier nodes
  std::vector<int64_t> shape;         // of the result, channels last, without the batch
  std::map<std::string, int> blocks;  // parameter role -> block
  std::vector<PlanCast> casts;        // none, one, or one per channel

  // Attributes, as in services/worker/nn/layer_shapes.h; those of the op are set.
  std::vector<int64_t> size, stride, pad_begin, pad_end, dilation;
  int64_t groups = 1;
  bool counts_padding = false;
  int64_t axis = 0;
  std::vector<int64_t> permutation, factors;
  double alpha = 0, beta = 0, minimum = 0, maximum = 0;
};

struct GraphPlan {
  std::vector<PlanNode> nodes;  // topological order, the input first, the logits last
  std::vector<std::vector<int64_t>> block_shapes;
  bool is_double = false;  // float does not hold every sum exactly
  int thread_count = 1;
};

// What the module exports under the name below. Null, with a line in `error`, where it fails.
using MakeTorchNet = GradientNet* (*)(const GraphPlan& plan, std::string& error);
inline constexpr char kMakeTorchNetSymbol[] = "DovetailMakeTorchNet";
inline constexpr char kTorchModuleName[] = "dovetail-train-torch.so";

}  // namespace dovetail::train

#endif  // DOVETAIL_SERVICES_WORKER_TRAIN_GRAPH_PLAN_H_
