#include "services/coordinator/flow/metamodel.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace dovetail::flow {
namespace {

template <typename T>
void MergeInto(VersionedMap<T>& into, const VersionedMap<T>& from) {
  for (const auto& [key, entry] : from) {
    const auto [it, inserted] = into.try_emplace(key, entry);
    if (!inserted && entry.version > it->second.version) it->second = entry;
  }
}

}  // namespace

void Metamodel::Add(const std::string& node, const ActionResult& result) {
  ++version;
  for (const auto& [port, digest] : result.outputs) {
    models[port] = {digest, version};
    outputs[absl::StrCat(node, ".", port)] = {digest, version};
  }
  for (const auto& [name, metric] : result.measurement.metrics) {
    metrics[name] = {metric, version};
    task_metrics[absl::StrCat(node, ".", name)] = {metric.value, version};
  }
  if (!result.measurement.log.is_null()) logs[node] = {result.measurement.log, version};
}

void Metamodel::Set(const std::string& name, Value value) {
  changed[name] = {std::move(value), version};
}

Design Metamodel::ToDesign() const {
  Design design;
  design.path = route;
  for (const auto& [name, metric] : metrics) design.measurement.metrics[name] = metric.value;
  for (const auto& [task, log] : logs) design.measurement.log.Set(task, log.value);
  for (const auto& [name, digest] : outputs) design.artifacts[name] = digest.value;
  return design;
}

Value Metamodel::ChangedCfg() const {
  Value cfg;
  for (const auto& [name, value] : changed) cfg.Set(name, value.value);
  return cfg;
}

Token Merge(const std::vector<Token>& tokens) {
  if (tokens.size() == 1) return tokens[0];
  auto merged = std::make_shared<Metamodel>(*tokens[0]);
  for (size_t i = 1; i < tokens.size(); ++i) {
    const Metamodel& other = *tokens[i];
    if (other.version > merged->version) merged->route = other.route;
    merged->version = std::max(merged->version, other.version);
    MergeInto(merged->models, other.models);
    MergeInto(merged->outputs, other.outputs);
    MergeInto(merged->metrics, other.metrics);
    MergeInto(merged->task_metrics, other.task_metrics);
    MergeInto(merged->logs, other.logs);
    MergeInto(merged->changed, other.changed);
  }
  return merged;
}

}  // namespace dovetail::flow
