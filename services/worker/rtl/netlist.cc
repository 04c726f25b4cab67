#include "services/worker/rtl/netlist.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"

namespace dovetail::rtl {
namespace {

using Json = nlohmann::json;

constexpr int kZero = 0;  // nets 0 and 1 are the constants
constexpr int kOne = 1;

enum class CellKind { kLut, kCarry4, kMux, kFlipFlop, kShift, kMultiplier };

// Inputs and outputs are net numbers; what they mean depends on the kind:
//   kLut: I0.. -> O         kCarry4: CI|CYINIT, DI[4], S[4] -> CO[4], O[4] (-1: unused)
//   kMux: I0, I1, S -> O     kFlipFlop: D, CE, R -> Q     kShift: D, CE, A[] -> Q
//   kMultiplier: a[], b[] -> y[]
struct Cell {
  CellKind kind = CellKind::kLut;
  std::vector<int> inputs;
  std::vector<int> outputs;
  uint64_t init = 0;  // of a LUT
  bool set = false;   // a flip-flop's R sets it
  int a_bits = 0;     // of a multiplier
  bool a_signed = false;
  bool b_signed = false;
  int delay = 0;  // cycles: of a multiplier
  bool IsSequential() const {
    return kind == CellKind::kFlipFlop || kind == CellKind::kShift || kind == CellKind::kMultiplier;
  }
};

uint64_t ParseBinary(const Json& text) {
  uint64_t value = 0;
  if (text.is_number()) return text.get<uint64_t>();
  for (char c : text.get<std::string>()) value = (value << 1) | (c == '1' ? 1 : 0);
  return value;
}

class FlatNetlist : public Netlist {
 public:
  absl::Status Build(const std::vector<Json>& texts, const std::string& top) {
    for (const Json& text : texts) {
      for (const auto& [name, module] : text.at("modules").items()) {
        // Yosys's own cell models are no part of the design.
        const Json attributes = module.value("attributes", Json::object());
        const bool cell_model = attributes.contains("blackbox") ||
                                attributes.contains("whitebox") ||
                                attributes.contains("lib_whitebox");
        if (!cell_model && !modules_.contains(name)) modules_[name] = &module;
      }
    }
    if (!modules_.contains(top)) {
      return absl::InvalidArgumentError(absl::StrCat("the netlist has no module ", top));
    }
    std::map<std::string, std::vector<int>> ports;
    for (const auto& [name, port] : modules_[top]->at("ports").items()) {
      std::vector<int>& nets = ports[name];
      for (size_t i = 0; i < port.at("bits").size(); ++i) nets.push_back(NewNet());
    }
    RETURN_IF_ERROR(Flatten(top, ports));
    x_ = ports["x"];
    y_ = ports["y"];
    for (int& net : y_) net = Find(net);
    RETURN_IF_ERROR(Order());
    Reset();
    return absl::OkStatus();
  }

  void Reset() override {
    values_.assign(parent_.size(), 0);
    values_[kOne] = ~uint64_t{0};
    state_.assign(cells_.size(), {});
    for (size_t i = 0; i < cells_.size(); ++i) {
      const Cell& cell = cells_[i];
      if (cell.kind == CellKind::kShift) state_[i].assign(32, 0);
      if (cell.kind == CellKind::kMultiplier) {
        state_[i].assign(cell.outputs.size() * cell.delay, 0);
      }
    }
  }

  std::vector<uint64_t> Clock(absl::Span<const uint64_t> x) override {
    for (size_t i = 0; i < x_.size(); ++i) values_[Find(x_[i])] = x[i];
    Settle();
    Edge();
    Settle();
    std::vector<uint64_t> y;
    for (int net : y_) y.push_back(values_[net]);
    return y;
  }

  int input_bits() const override { return static_cast<int>(x_.size()); }
  int output_bits() const override { return static_cast<int>(y_.size()); }
  int64_t cell_count() const override { return static_cast<int64_t>(cells_.size()); }

 private:
  int NewNet() {
    parent_.push_back(static_cast<int>(parent_.size()));
    return parent_.back();
  }
  int Find(int net) {
    while (parent_[net] != net) net = parent_[net] = parent_[parent_[net]];
    return net;
  }
  // The constants stay roots.
  void Join(int a, int b) {
    a = Find(a);
    b = Find(b);
    if (a != b) parent_[std::max(a, b)] = std::min(a, b);
  }

  using Ports = std::map<std::string, std::vector<int>>;

  absl::Status Flatten(const std::string& name, const Ports& ports) {
    const Json& module = *modules_[name];
    std::map<int64_t, int> nets;
    const auto net_of = [&](const Json& bit) -> int {
      if (bit.is_string()) return bit.get<std::string>() == "1" ? kOne : kZero;
      const auto [it, inserted] = nets.emplace(bit.get<int64_t>(), 0);
      if (inserted) it->second = NewNet();
      return it->second;
    };
    for (const auto& [port_name, port] : module.at("ports").items()) {
      const std::vector<int>& outside = ports.at(port_name);
      for (size_t i = 0; i < outside.size(); ++i) Join(outside[i], net_of(port.at("bits").at(i)));
    }
    for (const auto& [cell_name, cell] : module.at("cells").items()) {
      Ports connections;
      for (const auto& [port_name, bits] : cell.at("connections").items()) {
        std::vector<int>& port_nets = connections[port_name];
        for (const Json& bit : bits) port_nets.push_back(net_of(bit));
      }
      const std::string type = cell.at("type").get<std::string>();
      if (modules_.contains(type)) {
        for (const auto& [port_name, port] : modules_[type]->at("ports").items()) {
          std::vector<int>& port_nets = connections[port_name];
          while (port_nets.size() < port.at("bits").size()) port_nets.push_back(NewNet());
        }
        RETURN_IF_ERROR(Flatten(type, connections));
      } else {
        RETURN_IF_ERROR(AddPrimitive(type, cell, connections));
      }
    }
    return absl::OkStatus();
  }

  absl::Status AddPrimitive(const std::string& type, const Json& cell, const Ports& ports) {
    const auto bit = [&](const std::string& name, size_t index, int absent) {
      const auto it = ports.find(name);
      return it == ports.end() || index >= it->second.size() ? absent : it->second[index];
    };
    const auto parameter = [&](const char* name) -> uint64_t {
      const Json& parameters = cell.at("parameters");
      return parameters.contains(name) ? ParseBinary(parameters.at(name)) : 0;
    };
    Cell out;
    if (absl::StartsWith(type, "LUT") && type.size() == 4) {
      for (int i = 0; i < type[3] - '0'; ++i) {
        out.inputs.push_back(bit(absl::StrCat("I", i), 0, kZero));
      }
      out.outputs = {bit("O", 0, -1)};
      out.init = parameter("INIT");
    } else if (type == "INV") {
      out.inputs = {bit("I", 0, kZero)};
      out.outputs = {bit("O", 0, -1)};
      out.init = 1;
    } else if (type == "CARRY4") {
      out.kind = CellKind::kCarry4;
      const int chain = bit("CI", 0, kZero);
      out.inputs = {chain == kZero ? bit("CYINIT", 0, kZero) : chain};
      for (const char* name : {"DI", "S"}) {
        for (size_t i = 0; i < 4; ++i) out.inputs.push_back(bit(name, i, kZero));
      }
      for (const char* name : {"CO", "O"}) {
        for (size_t i = 0; i < 4; ++i) out.outputs.push_back(bit(name, i, -1));
      }
    } else if (absl::StartsWith(type, "MUXF")) {
      out.kind = CellKind::kMux;
      out.inputs = {bit("I0", 0, kZero), bit("I1", 0, kZero), bit("S", 0, kZero)};
      out.outputs = {bit("O", 0, -1)};
    } else if (type == "FDRE" || type == "FDSE") {
      out.kind = CellKind::kFlipFlop;
      out.set = type == "FDSE";
      out.inputs = {bit("D", 0, kZero), bit("CE", 0, kOne), bit(out.set ? "S" : "R", 0, kZero)};
      out.outputs = {bit("Q", 0, -1)};
    } else if (type == "SRL16E" || type == "SRLC32E") {
      out.kind = CellKind::kShift;
      out.inputs = {bit("D", 0, kZero), bit("CE", 0, kOne)};
      for (size_t i = 0; i < 5; ++i) {
        const int net = type == "SRL16E" ? bit(absl::StrCat("A", i), 0, kZero) : bit("A", i, kZero);
        out.inputs.push_back(net);
      }
      out.outputs = {bit("Q", 0, -1)};
    } else if (absl::StartsWith(type, "dsp48")) {
      RETURN_IF_ERROR(ReadMultiplier(type, ports, out));
    } else {
      return absl::UnimplementedError(absl::StrCat("the netlist has cells of type ", type));
    }
    cells_.push_back(std::move(out));
    return absl::OkStatus();
  }

  // "dsp48e2_s18_u17_35_mp": the name says all.
  static absl::Status ReadMultiplier(const std::string& type, const Ports& ports, Cell& out) {
    const std::vector<std::string> parts = absl::StrSplit(type, '_');
    if (parts.size() != 5 || parts[1].empty() || parts[2].empty()) {
      return absl::UnimplementedError(absl::StrCat("the netlist has cells of type ", type));
    }
    out.kind = CellKind::kMultiplier;
    out.inputs = ports.at("a");
    out.a_bits = static_cast<int>(out.inputs.size());
    out.inputs.insert(out.inputs.end(), ports.at("b").begin(), ports.at("b").end());
    out.outputs = ports.at("y");
    out.a_signed = parts[1][0] == 's';
    out.b_signed = parts[2][0] == 's';
    out.delay = static_cast<int>(parts[4].size());
    return absl::OkStatus();
  }

  // Joined nets resolved; combinational cells in topological order.
  absl::Status Order() {
    std::vector<int> driver(parent_.size(), -1);
    for (size_t i = 0; i < cells_.size(); ++i) {
      for (int& net : cells_[i].inputs) net = Find(net);
      for (int& net : cells_[i].outputs) {
        if (net < 0) continue;
        net = Find(net);
        if (!cells_[i].IsSequential()) driver[net] = static_cast<int>(i);
      }
    }
    std::vector<int> mark(cells_.size(), 0);  // 1: under way, 2: done
    std::vector<std::pair<int, size_t>> stack;
    for (size_t root = 0; root < cells_.size(); ++root) {
      if (mark[root] != 0 || cells_[root].IsSequential()) continue;
      stack.push_back({static_cast<int>(root), 0});
      mark[root] = 1;
      while (!stack.empty()) {
        auto& [cell, next] = stack.back();
        if (next == cells_[cell].inputs.size()) {
          order_.push_back(cell);
          mark[cell] = 2;
          stack.pop_back();
          continue;
        }
        const int before = driver[cells_[cell].inputs[next++]];
        if (before < 0 || mark[before] == 2) continue;
        if (mark[before] == 1) return absl::InvalidArgumentError("the netlist has a loop");
        mark[before] = 1;
        stack.push_back({before, 0});
      }
    }
    return absl::OkStatus();
  }

  void Drive(int net, uint64_t value) {
    if (net >= 0) values_[net] = value;
  }

  void Settle() {
    for (int index : order_) {
      const Cell& cell = cells_[index];
      switch (cell.kind) {
        case CellKind::kLut: {
          // A tree of multiplexers over the table, one input at a time.
          uint64_t table[64];
          size_t size = size_t{1} << cell.inputs.size();
          for (size_t i = 0; i < size; ++i) table[i] = (cell.init >> i) & 1 ? ~uint64_t{0} : 0;
          for (int input : cell.inputs) {
            const uint64_t select = values_[input];
            size /= 2;
            for (size_t i = 0; i < size; ++i) {
              table[i] = (table[2 * i] & ~select) | (table[2 * i + 1] & select);
            }
          }
          Drive(cell.outputs[0], table[0]);
          break;
        }
        case CellKind::kCarry4: {
          uint64_t carry = values_[cell.inputs[0]];
          for (int i = 0; i < 4; ++i) {
            const uint64_t data = values_[cell.inputs[1 + i]];
            const uint64_t select = values_[cell.inputs[5 + i]];
            Drive(cell.outputs[4 + i], select ^ carry);
            carry = (select & carry) | (~select & data);
            Drive(cell.outputs[i], carry);
          }
          break;
        }
        case CellKind::kMux: {
          const uint64_t select = values_[cell.inputs[2]];
          Drive(cell.outputs[0],
                (values_[cell.inputs[0]] & ~select) | (values_[cell.inputs[1]] & select));
          break;
        }
        default:
          break;
      }
    }
  }

  void Edge() {
    std::vector<std::pair<int, uint64_t>> next;
    for (size_t i = 0; i < cells_.size(); ++i) {
      const Cell& cell = cells_[i];
      if (cell.kind == CellKind::kFlipFlop) {
        const uint64_t enable = values_[cell.inputs[1]];
        const uint64_t reset = values_[cell.inputs[2]];
        const uint64_t old = cell.outputs[0] >= 0 ? values_[cell.outputs[0]] : 0;
        const uint64_t taken = (values_[cell.inputs[0]] & enable) | (old & ~enable);
        next.push_back({cell.outputs[0], cell.set ? taken | reset : taken & ~reset});
      } else if (cell.kind == CellKind::kShift) {
        std::vector<uint64_t>& line = state_[i];
        line.insert(line.begin(), values_[cell.inputs[0]]);
        line.pop_back();
        int tap = 0;  // addresses are constants here
        for (int b = 0; b < 5; ++b) tap |= (values_[cell.inputs[2 + b]] & 1) << b;
        next.push_back({cell.outputs[0], line[tap]});
      } else if (cell.kind == CellKind::kMultiplier) {
        const std::vector<uint64_t> product = Multiply(cell);
        std::vector<uint64_t>& line = state_[i];
        line.insert(line.begin(), product.begin(), product.end());
        line.resize(cell.outputs.size() * cell.delay);
        for (size_t b = 0; b < cell.outputs.size(); ++b) {
          next.push_back({cell.outputs[b], line[cell.outputs.size() * (cell.delay - 1) + b]});
        }
      }
    }
    for (const auto& [net, value] : next) Drive(net, value);
  }

  std::vector<uint64_t> Multiply(const Cell& cell) const {
    std::vector<uint64_t> product(cell.outputs.size(), 0);
    const int b_bits = static_cast<int>(cell.inputs.size()) - cell.a_bits;
    const auto operand = [&](int first, int bits, bool is_signed, int lane) {
      uint64_t value = 0;
      for (int i = 0; i < bits; ++i) {
        value |= ((values_[cell.inputs[first + i]] >> lane) & 1) << i;
      }
      if (is_signed && ((value >> (bits - 1)) & 1) != 0) value |= ~uint64_t{0} << bits;
      return value;
    };
    for (int lane = 0; lane < 64; ++lane) {
      const uint64_t value = operand(0, cell.a_bits, cell.a_signed, lane) *
                             operand(cell.a_bits, b_bits, cell.b_signed, lane);
      for (size_t i = 0; i < product.size(); ++i) product[i] |= ((value >> i) & 1) << lane;
    }
    return product;
  }

  std::map<std::string, const Json*> modules_;
  std::vector<int> parent_ = {kZero, kOne};
  std::vector<Cell> cells_;
  std::vector<int> order_;
  std::vector<int> x_;
  std::vector<int> y_;
  std::vector<uint64_t> values_;
  std::vector<std::vector<uint64_t>> state_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Netlist>> Netlist::Load(const std::vector<std::string>& json_texts,
                                                       const std::string& top) {
  std::vector<Json> texts;
  for (const std::string& text : json_texts) {
    texts.push_back(Json::parse(text, nullptr, /*allow_exceptions=*/false));
    if (!texts.back().is_object() || !texts.back().contains("modules")) {
      return absl::InvalidArgumentError("a netlist is no JSON of Yosys");
    }
  }
  auto netlist = std::make_unique<FlatNetlist>();
  try {
    RETURN_IF_ERROR(netlist->Build(texts, top));
  } catch (const std::exception& e) {
    return absl::InvalidArgumentError(absl::StrCat("a netlist of another form: ", e.what()));
  }
  return netlist;
}

}  // namespace dovetail::rtl
