#include "services/coordinator/flow/graph.h"

#include <algorithm>
#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace dovetail::flow {
namespace {

class GraphBuilder {
 public:
  GraphBuilder(const std::map<std::string, int>& index, std::vector<Node>& nodes,
               std::vector<Edge>& edges)
      : index_(index), nodes_(nodes), edges_(edges) {}

  absl::Status Build() {
    RETURN_IF_ERROR(AddLabelledEdges());
    for (size_t i = 0; i < nodes_.size(); ++i) RETURN_IF_ERROR(AddWaits(static_cast<int>(i)));
    RETURN_IF_ERROR(CloseForks());
    RETURN_IF_ERROR(CheckJoins());
    Link();
    RETURN_IF_ERROR(SetRules());
    RETURN_IF_ERROR(CheckReachable());
    RETURN_IF_ERROR(FindForks());
    return CheckCycles();
  }

 private:
  absl::Status Error(int node, absl::string_view why) const {
    return absl::InvalidArgumentError(absl::StrCat(Where(*nodes_[node].task), ": ", why));
  }

  absl::StatusOr<int> Find(int node, const std::string& name, absl::string_view what) const {
    const auto it = index_.find(name);
    if (it != index_.end()) return it->second;
    return Error(node, absl::StrCat(what, " names \"", name, "\", which is no task of the flow"));
  }

  // Ends a line: what follows it in the list does not follow it in the flow.
  static bool EndsLine(NodeKind kind) {
    return kind == NodeKind::kBranch || kind == NodeKind::kFork || kind == NodeKind::kStop;
  }

  bool IsTarget(int node) const {
    return std::any_of(edges_.begin(), edges_.end(),
                       [&](const Edge& edge) { return edge.to == node && !edge.label.empty(); });
  }

  // A branch or fork further up the list leads to it: it begins a way of its own.
  bool BeginsWay(int node) const {
    return std::any_of(edges_.begin(), edges_.end(), [&](const Edge& edge) {
      return edge.to == node && !edge.label.empty() && edge.from < node;
    });
  }

  absl::Status AddLabelledEdges() {
    for (size_t i = 0; i < nodes_.size(); ++i) {
      for (const auto& [label, target] : nodes_[i].task->edges) {
        ASSIGN_OR_RETURN(const int to,
                         Find(static_cast<int>(i), target, absl::StrCat("edge \"", label, "\"")));
        if (label.empty()) return Error(static_cast<int>(i), "an edge has no name");
        edges_.push_back({static_cast<int>(i), to, label});
      }
    }
    return absl::OkStatus();
  }

  absl::Status AddWaits(int i) {
    const Node& node = nodes_[i];
    std::set<int> waits;
    for (const std::string& name : node.task->after) {
      ASSIGN_OR_RETURN(const int from, Find(i, name, "\"after\""));
      if (EndsLine(nodes_[from].kind)) {
        return Error(i, absl::StrCat("it cannot be after \"", name, "\", a ",
                                     nodes_[from].task->task, ": name it in an edge of that task"));
      }
      waits.insert(from);
    }
    bool from_start = false;
    for (const auto& [port, input] : node.inputs) {
      if (input.task.empty()) {
        from_start = true;
      } else {
        waits.insert(index_.at(input.task));
      }
    }
    if (waits.empty() && node.kind == NodeKind::kReduce) return absl::OkStatus();  // CloseForks
    // The head of a loop, led back to from further down, also follows the task before it.
    if (waits.empty() && (!IsTarget(i) || (node.kind == NodeKind::kJoin && !BeginsWay(i)))) {
      if (i == 0 || from_start) {
        edges_.push_back({kStart, i, ""});
      } else if (!EndsLine(nodes_[i - 1].kind)) {
        edges_.push_back({i - 1, i, ""});
      }
      return absl::OkStatus();
    }
    for (const int from : NotImplied(i, waits)) edges_.push_back({from, i, ""});
    return absl::OkStatus();
  }

  // Without those that must have ended anyway before another of them, or before the branch or fork
  // that leads here, has.
  std::set<int> NotImplied(int node, const std::set<int>& waits) const {
    std::set<int> others = waits;
    for (const Edge& edge : edges_) {
      if (edge.to == node && edge.from != node) others.insert(edge.from);
    }
    std::set<int> kept;
    for (const int wait : waits) {
      const bool implied = std::any_of(others.begin(), others.end(), [&](int other) {
        return other != wait && other != kStart && LeadsForward(wait, other);
      });
      if (!implied) kept.insert(wait);
    }
    return kept;
  }

  // Along edges that go down the list, as far as they are known.
  bool LeadsForward(int from, int to) const {
    if (from >= to) return from == to;
    std::set<int> seen = {from};
    for (int at = from; at < to; ++at) {
      if (!seen.contains(at)) continue;
      for (const Edge& edge : edges_) {
        if (edge.from == at && edge.to > at) seen.insert(edge.to);
      }
    }
    return seen.contains(to);
  }

  // A reduce that names nothing takes all loose ends of the fork before it.
  absl::Status CloseForks() {
    std::vector<int> open;
    for (int i = 0; i < static_cast<int>(nodes_.size()); ++i) {
      if (nodes_[i].kind == NodeKind::kFork) open.push_back(i);
      if (nodes_[i].kind != NodeKind::kReduce) continue;
      if (open.empty()) return Error(i, "there is no fork before it that it could close");
      const int fork = open.back();
      open.pop_back();
      const bool named = std::any_of(edges_.begin(), edges_.end(), [&](const Edge& edge) {
        return edge.to == i && edge.label.empty();
      });
      if (named) continue;
      for (int end = fork + 1; end < i; ++end) {
        const bool loose = !EndsLine(nodes_[end].kind) &&
                           std::none_of(edges_.begin(), edges_.end(),
                                        [&](const Edge& edge) { return edge.from == end; });
        if (loose && LeadsForward(fork, end)) edges_.push_back({end, i, ""});
      }
    }
    return absl::OkStatus();
  }

  // A way that ends just before a join most likely was meant to lead into it.
  absl::Status CheckJoins() const {
    for (int i = 1; i < static_cast<int>(nodes_.size()); ++i) {
      if (nodes_[i].kind != NodeKind::kJoin || !nodes_[i].task->after.empty()) continue;
      const bool loose = !EndsLine(nodes_[i - 1].kind) &&
                         std::none_of(edges_.begin(), edges_.end(),
                                      [&](const Edge& edge) { return edge.from == i - 1; });
      if (!loose) continue;
      return Error(i, absl::StrCat("\"", nodes_[i - 1].task->name,
                                   "\" before it leads nowhere: name in \"after\" all tasks whose "
                                   "ways meet here"));
    }
    return absl::OkStatus();
  }

  void Link() {
    std::stable_sort(edges_.begin(), edges_.end(), [](const Edge& a, const Edge& b) {
      return std::tie(a.to, a.from, a.label) < std::tie(b.to, b.from, b.label);
    });
    for (size_t e = 0; e < edges_.size(); ++e) {
      nodes_[edges_[e].to].in_edges.push_back(static_cast<int>(e));
      if (edges_[e].from != kStart) nodes_[edges_[e].from].out_edges.push_back(static_cast<int>(e));
    }
    for (Node& node : nodes_) {
      std::stable_sort(node.out_edges.begin(), node.out_edges.end(),
                       [&](int a, int b) { return edges_[a].label < edges_[b].label; });
    }
  }

  absl::Status SetRules() {
    for (size_t i = 0; i < nodes_.size(); ++i) {
      Node& node = nodes_[i];
      size_t labelled = 0;
      for (const int e : node.in_edges) labelled += edges_[e].label.empty() ? 0 : 1;
      if (node.kind == NodeKind::kJoin || node.kind == NodeKind::kReduce) {
        node.rule = FiringRule::kAny;
      } else if (labelled == 0) {
        node.rule = FiringRule::kAll;
      } else if (labelled == node.in_edges.size()) {
        node.rule = FiringRule::kAny;
      } else {
        return Error(static_cast<int>(i),
                     "it is led to by a branch or fork and also waits for other tasks: put a join "
                     "before it");
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckReachable() {
    std::set<int> reached;
    std::vector<int> todo;
    for (const Edge& edge : edges_) {
      if (edge.from == kStart) todo.push_back(edge.to);
    }
    while (!todo.empty()) {
      const int at = todo.back();
      todo.pop_back();
      if (!reached.insert(at).second) continue;
      for (const int e : nodes_[at].out_edges) todo.push_back(edges_[e].to);
    }
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (!reached.contains(static_cast<int>(i))) {
        return Error(static_cast<int>(i), "no way leads to it from the start of the flow");
      }
    }
    return absl::OkStatus();
  }

  // The forks open at each node must be the same on every way to it.
  absl::Status FindForks() {
    std::vector<std::optional<std::vector<int>>> open(nodes_.size());
    std::vector<int> todo;
    for (const Edge& edge : edges_) {
      if (edge.from == kStart) {
        open[edge.to].emplace();
        todo.push_back(edge.to);
      }
    }
    std::map<int, int> closed_by;
    while (!todo.empty()) {
      const int at = todo.back();
      todo.pop_back();
      std::vector<int> forks = *open[at];
      if (nodes_[at].kind == NodeKind::kReduce) {
        if (forks.empty()) return Error(at, "a way leads to it that passes no fork");
        nodes_[at].fork = forks.back();
        const auto [it, inserted] = closed_by.try_emplace(forks.back(), at);
        if (it->second != at) {
          return Error(at, absl::StrCat("its fork is already closed by \"",
                                        nodes_[it->second].task->name, "\""));
        }
        forks.pop_back();
      } else {
        nodes_[at].fork = forks.empty() ? kNone : forks.back();
      }
      if (nodes_[at].kind == NodeKind::kFork) forks.push_back(at);
      if (forks.size() > 8) return Error(at, "forks are nested more than eight deep");
      for (const int e : nodes_[at].out_edges) {
        const int to = edges_[e].to;
        if (!open[to].has_value()) {
          open[to] = forks;
          todo.push_back(to);
        } else if (*open[to] != forks) {
          return Error(to,
                       "it is reached from inside and from outside of a fork: put a reduce "
                       "before it, or lead back only within the branch");
        }
      }
    }
    return absl::OkStatus();
  }

  // Edges whose use is counted: the cases of a branch with max_iterations.
  bool IsBounded(const Edge& edge) const {
    if (edge.from == kStart) return false;
    const Control& control = nodes_[edge.from].control;
    return nodes_[edge.from].kind == NodeKind::kBranch && control.max_iterations > 0 &&
           edge.label != control.otherwise;
  }

  // Without the counted edges there must be no cycle left.
  absl::Status CheckCycles() {
    std::vector<int> waiting(nodes_.size(), 0);
    for (const Edge& edge : edges_) {
      if (edge.from != kStart && !IsBounded(edge)) ++waiting[edge.to];
    }
    std::vector<int> todo;
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (waiting[i] == 0) todo.push_back(static_cast<int>(i));
    }
    size_t sorted = 0;
    while (!todo.empty()) {
      const int at = todo.back();
      todo.pop_back();
      ++sorted;
      for (const int e : nodes_[at].out_edges) {
        if (!IsBounded(edges_[e]) && --waiting[edges_[e].to] == 0) todo.push_back(edges_[e].to);
      }
    }
    if (sorted == nodes_.size()) return absl::OkStatus();
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (waiting[i] > 0 && OnCycle(static_cast<int>(i))) {
        return Error(static_cast<int>(i),
                     "it is on a cycle without a bound: a branch on the cycle must lead back by "
                     "one of its cases (not by otherwise) and have max_iterations");
      }
    }
    return absl::InternalError("a cycle was counted but not found");
  }

  bool OnCycle(int node) const {
    std::set<int> seen;
    std::vector<int> todo = {node};
    while (!todo.empty()) {
      const int at = todo.back();
      todo.pop_back();
      for (const int e : nodes_[at].out_edges) {
        if (IsBounded(edges_[e])) continue;
        if (edges_[e].to == node) return true;
        if (seen.insert(edges_[e].to).second) todo.push_back(edges_[e].to);
      }
    }
    return false;
  }

  const std::map<std::string, int>& index_;
  std::vector<Node>& nodes_;
  std::vector<Edge>& edges_;
};

}  // namespace

absl::Status BuildGraph(const std::map<std::string, int>& index, std::vector<Node>& nodes,
                        std::vector<Edge>& edges) {
  return GraphBuilder(index, nodes, edges).Build();
}

std::vector<std::set<std::string>> FactsBefore(const std::vector<Node>& nodes,
                                               const std::vector<Edge>& edges,
                                               const std::set<std::string>& at_start,
                                               const std::vector<std::set<std::string>>& added) {
  using Facts = std::optional<std::set<std::string>>;  // nullopt: not reached yet, all facts
  std::vector<Facts> behind(nodes.size());
  std::vector<std::set<std::string>> before(nodes.size());
  // Facts only ever shrink, so this ends.
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = 0; i < nodes.size(); ++i) {
      Facts here;
      for (const int e : nodes[i].in_edges) {
        const Facts from = edges[e].from == kStart ? Facts(at_start) : behind[edges[e].from];
        if (!from.has_value()) continue;
        if (!here.has_value()) {
          here = from;
        } else if (nodes[i].rule == FiringRule::kAll) {
          here->insert(from->begin(), from->end());
        } else {
          std::erase_if(*here, [&](const std::string& fact) { return !from->contains(fact); });
        }
      }
      if (!here.has_value()) continue;
      before[i] = *here;
      here->insert(added[i].begin(), added[i].end());
      if (behind[i] != here) {
        behind[i] = std::move(here);
        changed = true;
      }
    }
  }
  return before;
}

}  // namespace dovetail::flow
