#include "tests/unit/coordinator/flow/random_flows.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/digest.h"

namespace dovetail::flow {
namespace {

using Kind = Piece::Kind;

class TreeMaker {
 public:
  explicit TreeMaker(Rng& rng) : rng_(rng) {}

  Piece Sequence(int depth) {
    Piece piece;
    piece.kind = Kind::kSequence;
    const int count = 1 + static_cast<int>(rng_.Below(3));
    for (int i = 0; i < count; ++i) piece.parts.push_back(Any(depth));
    return piece;
  }

  Piece Work(const char* type = nullptr) {
    Piece piece;
    piece.type = type != nullptr ? type : (rng_.Below(2) == 0 ? "quantize" : "evaluate");
    piece.name = NewName("t");
    return piece;
  }

 private:
  std::string NewName(const char* prefix) { return absl::StrCat(prefix, ++count_); }

  Piece Any(int depth) {
    const uint64_t kind = depth >= 3 || count_ > 40 ? 0 : rng_.Below(10);
    Piece piece;
    piece.threshold = 0.1 * static_cast<double>(1 + rng_.Below(9));
    piece.changes_tolerance = rng_.Below(2) == 0;
    piece.state = rng_.Below(2) == 0 ? TrialState::kStopped : TrialState::kInfeasible;
    switch (kind) {
      case 3:
        piece.kind = Kind::kChoice;
        piece.name = NewName("choice");
        piece.parts = {Sequence(depth + 1), Sequence(depth + 1)};
        return piece;
      case 4:
        piece.kind = Kind::kHalt;
        piece.name = NewName("halt");
        if (rng_.Below(3) == 0) piece.state = TrialState::kSucceeded;
        return piece;
      case 5:
        piece.kind = Kind::kLoop;
        piece.name = NewName("loop");
        piece.bound = 1 + static_cast<int>(rng_.Below(3));
        piece.parts = {Sequence(depth + 1)};
        return piece;
      case 6:
      case 7:
        piece.kind = Kind::kFork;
        piece.name = NewName("fork");
        piece.require_all = rng_.Below(4) == 0;
        for (uint64_t i = 0; i < 1 + rng_.Below(3); ++i) piece.parts.push_back(Sequence(depth + 1));
        return piece;
      case 8:
        piece.kind = Kind::kGate;
        piece.name = NewName("gate");
        piece.threshold *= 0.5;
        return piece;
      case 9:
        piece.kind = Kind::kDiamond;
        piece.name = NewName("split");
        piece.parts = {Work("quantize"), Work("evaluate"), Work("train")};
        return piece;
      default:
        return Work();
    }
  }

  Rng& rng_;
  int count_ = 0;
};

class FlowMaker {
 public:
  Flow Make(const Piece& tree) {
    flow_.name = "random";
    flow_.cfg["tolerance"] = 1;
    AddWork("first", "evaluate");
    Add(tree);
    return std::move(flow_);
  }

 private:
  FlowTask& AddTask(const std::string& name, const std::string& type) {
    FlowTask task;
    task.name = name;
    task.task = type;
    flow_.tasks.push_back(std::move(task));
    return flow_.tasks.back();
  }

  void AddWork(const std::string& name, const std::string& type) {
    FlowTask& task = AddTask(name, type);
    if (type == "quantize") task.parameters["weight_bits"] = "= 2 + round(8 * tolerance)";
  }

  // The name of the task the next piece will begin with.
  static std::string FirstOf(const Piece& piece) {
    switch (piece.kind) {
      case Kind::kSequence:
        return FirstOf(piece.parts[0]);
      case Kind::kLoop:
        return piece.name + "_head";
      default:
        return piece.name;
    }
  }

  std::string Last() const { return flow_.tasks.back().name; }

  static Value Case(const Piece& piece, const std::string& edge, bool sets) {
    Value one;
    one.Set("edge", edge).Set("if", absl::StrCat("accuracy > ", piece.threshold));
    if (sets) one.Set("set", Value(Value::Map{{"tolerance", "= tolerance / 2"}}));
    return one;
  }

  void Add(const Piece& piece) {
    switch (piece.kind) {
      case Kind::kWork:
        return AddWork(piece.name, piece.type);
      case Kind::kSequence:
        for (const Piece& part : piece.parts) Add(part);
        return;
      case Kind::kGate: {
        FlowTask& task = AddTask(piece.name, "gate");
        task.parameters["pass"] = absl::StrCat("accuracy > ", piece.threshold);
        task.parameters["otherwise"] = TrialStateName(piece.state);
        return;
      }
      case Kind::kChoice: {
        FlowTask& task = AddTask(piece.name, "branch");
        task.parameters["cases"] = Value::List{Case(piece, "yes", piece.changes_tolerance)};
        task.parameters["otherwise"] = "no";
        task.edges = {{"yes", FirstOf(piece.parts[0])}, {"no", FirstOf(piece.parts[1])}};
        Add(piece.parts[0]);
        const std::string last = Last();
        Add(piece.parts[1]);
        const std::string other = Last();
        AddTask(piece.name + "_join", "join").after = {last, other};
        return;
      }
      case Kind::kHalt: {
        FlowTask& task = AddTask(piece.name, "branch");
        task.parameters["cases"] = Value::List{Case(piece, "halt", false)};
        task.parameters["otherwise"] = "go";
        task.edges = {{"halt", piece.name + "_stop"}, {"go", piece.name + "_go"}};
        AddTask(piece.name + "_stop", "stop").parameters["state"] = TrialStateName(piece.state);
        AddTask(piece.name + "_go", "join");
        return;
      }
      case Kind::kLoop: {
        AddTask(piece.name + "_head", "join");
        Add(piece.parts[0]);
        FlowTask& task = AddTask(piece.name, "branch");
        task.parameters["cases"] = Value::List{Case(piece, "back", piece.changes_tolerance)};
        task.parameters["otherwise"] = "on";
        task.parameters["max_iterations"] = piece.bound;
        task.edges = {{"back", piece.name + "_head"}, {"on", piece.name + "_out"}};
        AddTask(piece.name + "_out", "join");
        return;
      }
      case Kind::kFork: {
        FlowTask& task = AddTask(piece.name, "fork");
        Value set{Value::Map()};
        for (size_t i = 0; i < piece.parts.size(); ++i) {
          const std::string label = absl::StrCat("b", i);
          task.edges[label] = FirstOf(piece.parts[i]);
          Value tolerance;
          tolerance.Set("tolerance", 0.25 * static_cast<double>(i));
          set.Set(label, std::move(tolerance));
        }
        if (piece.changes_tolerance) task.parameters["set"] = std::move(set);
        std::vector<std::string> ends;
        for (const Piece& part : piece.parts) {
          Add(part);
          ends.push_back(Last());
        }
        FlowTask& reduce = AddTask(piece.name + "_reduce", "reduce");
        reduce.after = std::move(ends);
        reduce.parameters["minimize"] = "accuracy";
        reduce.parameters["require"] = piece.require_all ? "all" : "any";
        return;
      }
      case Kind::kDiamond: {
        AddTask(piece.name, "join");
        for (const int i : {0, 1}) {
          AddWork(piece.parts[i].name, piece.parts[i].type);
          flow_.tasks.back().after = {piece.name};
        }
        AddWork(piece.parts[2].name, piece.parts[2].type);
        flow_.tasks.back().after = {piece.parts[0].name, piece.parts[1].name};
        return;
      }
    }
  }

  Flow flow_;
};

// Runs the tree depth first, one task at a time, on plain maps.
class TreeRunner {
 public:
  TreeRunner(const Flow& flow, const Luck& luck) : luck_(luck) {
    for (size_t i = 0; i < flow.tasks.size(); ++i) {
      position_[flow.tasks[i].name] = static_cast<int>(i);
    }
  }

  FinalState Run(const Piece& tree) {
    Model model;
    Piece first;
    first.name = "first";
    first.type = "evaluate";
    std::vector<Failure> failures;
    if (RunPiece(first, "", model, failures) && RunPiece(tree, "", model, failures)) {
      designs_.emplace_back("", model);
    }
    FinalState final;
    if (!failures.empty()) {
      const Failure worst = Worst(failures);
      final.state = worst.state;
      final.message = worst.message;
      designs_.clear();
      if (worst.state == TrialState::kInfeasible || worst.state == TrialState::kStopped) {
        if (!worst.model.metrics.empty()) designs_.emplace_back("", worst.model);
      }
    } else {
      final.state = TrialState::kSucceeded;
    }
    std::stable_sort(designs_.begin(), designs_.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const auto& [path, one] : designs_) final.designs.push_back(Describe(one));
    std::sort(task_runs_.begin(), task_runs_.end());
    final.task_runs = task_runs_;
    return final;
  }

 private:
  struct Model {
    std::map<std::string, double> metrics;
    std::map<std::string, std::string> artifacts;
    std::string route;
    double tolerance = 1;
  };

  struct Failure {
    TrialState state;
    int position;
    int iteration;
    std::string message;
    Model model;
  };

  static double AccuracyOf(const Model& model) {
    const auto it = model.metrics.find("accuracy");
    return it == model.metrics.end() ? 0 : it->second;
  }

  static std::string Describe(const Model& model) {
    std::string text = model.route;
    for (const auto& [name, value] : model.metrics) absl::StrAppend(&text, " ", name, "=", value);
    for (const auto& [name, digest] : model.artifacts)
      absl::StrAppend(&text, " ", name, ":", digest);
    return text;
  }

  static Failure Worst(const std::vector<Failure>& failures) {
    const auto weight = [](TrialState state) {
      if (state == TrialState::kCancelled) return 0;
      if (state == TrialState::kInfeasible) return 1;
      return state == TrialState::kStopped ? 2 : 3;
    };
    const Failure* worst = &failures[0];
    for (const Failure& one : failures) {
      if (std::make_tuple(weight(one.state), one.position, one.iteration) <
          std::make_tuple(weight(worst->state), worst->position, worst->iteration)) {
        worst = &one;
      }
    }
    return *worst;
  }

  void Fail(const std::string& name, TrialState state, int iteration, const std::string& why,
            const Model& model, std::vector<Failure>& failures) {
    failures.push_back(
        {state, position_.at(name), iteration, absl::StrCat("task \"", name, "\": ", why), model});
  }

  // Whether the way goes on behind the piece on this path.
  bool RunPiece(const Piece& piece, const std::string& path, Model& model,
                std::vector<Failure>& failures) {
    const bool above = AccuracyOf(model) > piece.threshold;
    switch (piece.kind) {
      case Kind::kWork:
        return RunWork(piece, path, model, failures);
      case Kind::kSequence:
        for (const Piece& part : piece.parts) {
          if (!RunPiece(part, path, model, failures)) return false;
        }
        return true;
      case Kind::kGate: {
        const int iteration = fired_[path + ":" + piece.name]++;
        if (above) return true;
        Fail(piece.name, piece.state, iteration, absl::StrCat("not accuracy > ", piece.threshold),
             model, failures);
        return false;
      }
      case Kind::kChoice:
        if (above && piece.changes_tolerance) model.tolerance /= 2;
        return RunPiece(piece.parts[above ? 0 : 1], path, model, failures);
      case Kind::kHalt:
        if (!above) return true;
        if (piece.state == TrialState::kSucceeded) {
          designs_.emplace_back(path, model);
        } else {
          Fail(piece.name + "_stop", piece.state, fired_[path + ":" + piece.name]++,
               "the flow stops here", model, failures);
        }
        return false;
      case Kind::kLoop:
        while (true) {
          if (!RunPiece(piece.parts[0], path, model, failures)) return false;
          const bool back = AccuracyOf(model) > piece.threshold;
          int& taken = taken_[path + ":" + piece.name];
          if (!back || taken >= piece.bound) return true;
          ++taken;
          if (piece.changes_tolerance) model.tolerance /= 2;
        }
      case Kind::kFork:
        return RunFork(piece, path, model, failures);
      case Kind::kDiamond: {
        Model left = model, right = model;
        const bool left_on = RunWork(piece.parts[0], path, left, failures);
        const bool right_on = RunWork(piece.parts[1], path, right, failures);
        if (!left_on || !right_on) return false;
        // The left changes the network, the right measures.
        for (const auto& [name, value] : right.metrics) {
          if (!model.metrics.contains(name) || model.metrics[name] != value) {
            left.metrics[name] = value;
          }
        }
        left.artifacts.insert(right.artifacts.begin(), right.artifacts.end());
        model = std::move(left);
        return RunWork(piece.parts[2], path, model, failures);
      }
    }
    return false;
  }

  bool RunWork(const Piece& piece, const std::string& path, Model& model,
               std::vector<Failure>& failures) {
    const TaskInfo& info = **FindTaskInfo(piece.type);
    const int iteration = fired_[path + ":" + piece.name]++;
    const Value bits =
        info.name == "quantize" ? Value(2 + std::round(8 * model.tolerance)) : Value();
    const ActionResult result = ResultOf(luck_, info, piece.name, path, iteration, bits);
    task_runs_.push_back(absl::StrCat(path, ":", piece.name, "@", iteration, " ", bits.ToJson()));
    if (result.outcome == Outcome::kOk || result.outcome == Outcome::kConstraint) {
      for (const auto& [name, metric] : result.measurement.metrics) {
        model.metrics[name] = metric.value;
      }
      for (const auto& [port, digest] : result.outputs) {
        model.artifacts[piece.name + "." + port] = digest;
      }
    }
    if (result.outcome == Outcome::kOk) return true;
    TrialState state = TrialState::kAbandoned;
    if (result.outcome == Outcome::kCancelled) state = TrialState::kCancelled;
    if (result.outcome == Outcome::kConstraint || result.outcome == Outcome::kInfeasible ||
        result.outcome == Outcome::kTimeout) {
      state = TrialState::kInfeasible;
    }
    Fail(piece.name, state, iteration, result.message, model, failures);
    return false;
  }

  bool RunFork(const Piece& piece, const std::string& path, Model& model,
               std::vector<Failure>& failures) {
    const int round = fired_[path + ":" + piece.name]++;
    const std::string fork = round == 0 ? piece.name : absl::StrCat(piece.name, "@", round + 1);
    std::vector<Failure> lost;
    std::optional<Model> best;
    bool any_survivor = false, any_design = false;
    for (size_t i = 0; i < piece.parts.size(); ++i) {
      const std::string step = absl::StrCat(fork, "/b", i);
      const std::string child = absl::StrCat(path, path.empty() ? "" : "/", step);
      Model copy = model;
      absl::StrAppend(&copy.route, copy.route.empty() ? "" : "/", step);
      if (piece.changes_tolerance) copy.tolerance = 0.25 * static_cast<double>(i);
      std::vector<Failure> own;
      const bool on = RunPiece(piece.parts[i], child, copy, own);
      if (!own.empty()) {
        lost.push_back(Worst(own));
      } else if (on) {
        any_survivor = true;
        if (!best || AccuracyOf(copy) < AccuracyOf(*best)) best = copy;
      } else {
        any_design = true;
      }
    }
    if (!lost.empty() && (piece.require_all || (!any_survivor && !any_design))) {
      failures.push_back(Worst(lost));
      return false;
    }
    if (!any_survivor) return false;
    model = *best;
    return true;
  }

  const Luck luck_;
  std::map<std::string, int> position_;
  std::map<std::string, int> fired_;  // path:node -> how often
  std::map<std::string, int> taken_;
  std::vector<std::pair<std::string, Model>> designs_;
  std::vector<std::string> task_runs_;
};

}  // namespace

Piece RandomTree(Rng& rng) { return TreeMaker(rng).Sequence(0); }

Flow FlowOfTree(const Piece& tree) { return FlowMaker().Make(tree); }

ActionResult ResultOf(const Luck& luck, const TaskInfo& info, const std::string& node,
                      const std::string& path, int iteration, const Value& weight_bits) {
  const std::string name =
      absl::StrCat(luck.seed, "/", path, "/", node, "/", iteration, "/", weight_bits.ToJson());
  Rng rng(Sha256Seed(name));
  ActionResult result;
  result.outcome = Outcome::kOk;
  if (rng.Uniform() < luck.failures) {
    constexpr Outcome kFailures[] = {
        Outcome::kConstraint,     Outcome::kInfeasible, Outcome::kTimeout,  Outcome::kOutOfMemory,
        Outcome::kInfrastructure, Outcome::kBug,        Outcome::kCancelled};
    result.outcome = kFailures[rng.Below(7)];
    result.message = absl::StrCat("luck of ", node);
  }
  for (const std::string& metric : info.metrics) {
    result.measurement.Put(metric, rng.Uniform(), "fraction", "luck");
  }
  for (const PortInfo& port : info.outputs) {
    result.outputs[port.name] = Sha256Hex(absl::StrCat(name, port.name));
  }
  return result;
}

FinalState InterpretTree(const Piece& tree, const Luck& luck) {
  return TreeRunner(FlowOfTree(tree), luck).Run(tree);
}

}  // namespace dovetail::flow
