// What travels along a flow's edges: models by port, metrics, and the CFG that branches have
// changed. Each entry carries a version, the number of steps behind it, so that where ways meet the
// later one wins, whatever order their tasks ended in.
#ifndef DOVETAIL_SERVICES_COORDINATOR_FLOW_METAMODEL_H_
#define DOVETAIL_SERVICES_COORDINATOR_FLOW_METAMODEL_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/domain/action.h"
#include "common/domain/measurement.h"
#include "common/domain/trial.h"
#include "common/domain/value.h"

namespace dovetail::flow {

template <typename T>
struct Versioned {
  T value;
  int version = 0;
};

template <typename T>
using VersionedMap = std::map<std::string, Versioned<T>>;

struct Metamodel {
  int version = 0;
  std::string route;                  // fork branches taken: "orders/PQ"
  VersionedMap<std::string> models;   // port -> digest of the latest artifact
  VersionedMap<std::string> outputs;  // "task.port" -> digest
  VersionedMap<Metric> metrics;       // name -> latest
  VersionedMap<double> task_metrics;  // "task.metric"
  VersionedMap<Value> logs;           // task -> what it said of its measurement
  VersionedMap<Value> changed;        // CFG set by branches and forks

  // Takes in what the task `node` gave.
  void Add(const std::string& node, const ActionResult& result);
  void Set(const std::string& name, Value value);
  // Its design, without index and path of fork instances.
  Design ToDesign() const;
  Value ChangedCfg() const;  // null where nothing was changed
};

// Immutable once on an edge.
using Token = std::shared_ptr<const Metamodel>;

// Of each entry the higher version; of equal ones the earlier token's. Precondition: not empty.
Token Merge(const std::vector<Token>& tokens);

}  // namespace dovetail::flow

#endif  // DOVETAIL_SERVICES_COORDINATOR_FLOW_METAMODEL_H_
