// Workers that compute nothing: they lease from a Leader and answer with measurements made from the
// task's parameters, so that whole jobs run in a test in milliseconds.
#ifndef DOVETAIL_TESTS_SUPPORT_FAKE_CLUSTER_H_
#define DOVETAIL_TESTS_SUPPORT_FAKE_CLUSTER_H_

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/artifacts/artifact_store.h"
#include "common/base/rng.h"
#include "common/domain/network_summary.h"
#include "services/coordinator/leader.h"

namespace dovetail::testing {

// Answers every built-in task: accuracy falls and LUTs fall with the pruning rate, so there is a
// front. `artifacts` receives the outputs.
inline ActionResult FakeAnswer(const Action& action, ArtifactStore& artifacts) {
  ActionResult result;
  result.outcome = Outcome::kOk;
  result.tool_seconds = 0.25;
  const auto output = [&](const std::string& port, const std::string& bytes) {
    result.outputs[port] = artifacts.Put(bytes).value();
  };
  const auto metric = [&](const std::string& name, double value) {
    result.measurement.Put(name, value, "", "fake");
  };
  // What came in decides what goes out, like any pure function.
  const std::string input = ActionKey(action);
  if (action.task == "describe") {
    NetworkSummary summary;
    summary.name = "fake";
    LayerSummary layer;
    layer.name = "fc1";
    layer.kind = "dense";
    layer.n_in = 16;
    layer.n_out = 5;
    summary.layers.push_back(layer);
    output("summary", summary.ToValue().ToJson());
    output("network", "network " + input);
  } else if (action.task == "check_dataset") {
    output("network", "network " + input);
    output("dataset", "dataset " + input);
    output("test", "test " + input);
  } else if (action.task == "evaluate") {
    // The pruned network's artifact carries its rate as text.
    double rate = 0;
    const auto bytes = artifacts.Get(action.inputs.at("network")).value();
    if (bytes.starts_with("rate ")) rate = std::stod(bytes.substr(5));
    metric("accuracy", 0.76 - 0.1 * rate * rate);
  } else if (action.task == "prune" || action.task == "quantize") {
    std::string rate = "0";
    if (action.task == "prune") {
      rate = NumberToText(action.parameters["rate"].AsNumber());
    } else if (const auto bytes = artifacts.Get(action.inputs.at("network")).value();
               bytes.starts_with("rate ")) {
      rate = NumberToText(std::stod(bytes.substr(5)));
    }
    output("network", absl::StrCat("rate ", rate, " ", input));
    metric("kept_fraction", 1 - std::stod(rate));
  } else if (action.task == "lower_rtl") {
    output("rtl", artifacts.Get(action.inputs.at("network")).value());
    output("design", "design " + input);
    metric("dsp", 0);
    metric("latency_cycles", 10);
  } else if (action.task == "synthesize") {
    const std::string bytes = artifacts.Get(action.inputs.at("rtl")).value();
    const double rate = bytes.starts_with("rate ") ? std::stod(bytes.substr(5)) : 0;
    output("report", "report " + input);
    metric("lut", 40000 * (1 - rate));
    metric("ff", 10000 * (1 - rate));
    metric("bram", 0);
    metric("dsp", 0);
  } else if (action.task == "simulate") {
    metric("mismatched_vectors", 0);
  }
  return result;
}

// Threads that work for a Leader until destroyed. `sabotage` may change or withhold an answer: it
// returns false where the worker dies without completing.
class FakeWorkers {
 public:
  using Sabotage = std::function<bool(const dispatch::Assignment&, ActionResult&)>;

  FakeWorkers(Leader* leader, ArtifactStore* artifacts, int count, Sabotage sabotage = nullptr)
      : leader_(leader), artifacts_(artifacts), sabotage_(std::move(sabotage)) {
    for (int i = 0; i < count; ++i) {
      threads_.emplace_back([this, i] { Work(absl::StrCat("worker-", i)); });
    }
  }
  ~FakeWorkers() { Stop(); }
  void Stop() {
    stop_ = true;
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }
  int answered() const { return answered_; }

 private:
  dispatch::WorkerOffer Offer(const std::string& id) const {
    dispatch::WorkerOffer offer;
    offer.id = id;
    offer.capabilities = {"train", "yosys", "verilator"};
    offer.tools = {{"yosys", "1"}, {"verilator", "1"}};
    return offer;
  }

  void Work(const std::string& id) {
    while (!stop_) {
      auto leased =
          std::make_shared<std::promise<absl::StatusOr<std::vector<dispatch::Assignment>>>>();
      auto answer = leased->get_future();
      leader_->Lease(
          Offer(id), 1, 20, [] { return true; },
          [leased](auto assignments) { leased->set_value(std::move(assignments)); });
      const auto assignments = answer.get();
      if (!assignments.ok()) continue;
      for (const dispatch::Assignment& assignment : *assignments) {
        ActionResult result = FakeAnswer(assignment.action, *artifacts_);
        if (sabotage_ && !sabotage_(assignment, result)) continue;
        Complete(id, assignment, result);
      }
    }
  }

  void Complete(const std::string& id, const dispatch::Assignment& assignment,
                const ActionResult& result) {
    while (!stop_) {
      auto told = std::make_shared<std::promise<absl::Status>>();
      auto answer = told->get_future();
      leader_->Post(
          [&](Turn& turn) {
            turn.dispatcher.Complete(id, assignment.key, assignment.attempt, result, turn.changes,
                                     turn.finished);
            return absl::OkStatus();
          },
          [told](absl::Status status) { told->set_value(std::move(status)); });
      if (answer.get().ok()) {
        ++answered_;
        return;
      }
    }
  }

  Leader* leader_;
  ArtifactStore* artifacts_;
  Sabotage sabotage_;
  std::atomic<bool> stop_ = false;
  std::atomic<int> answered_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace dovetail::testing

#endif  // DOVETAIL_TESTS_SUPPORT_FAKE_CLUSTER_H_
