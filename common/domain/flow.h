// A design flow: a directed graph of pipe tasks that a trial runs through (glossary: O-, lambda-
// and K-tasks). Plain values; checks and the interpreter are in services/coordinator/flow.
#ifndef DOVETAIL_COMMON_DOMAIN_FLOW_H_
#define DOVETAIL_COMMON_DOMAIN_FLOW_H_

#include <map>
#include <string>
#include <vector>

#include "common/domain/value.h"

namespace dovetail {

// One node. A parameter is a literal, or a string "= expression" over search variables, CFG and
// metrics of earlier tasks ("= pruning_rate", "= weight_bits + 2").
struct FlowTask {
  std::string name;  // unique in the flow
  std::string task;  // a registered task type, or a K-task
  std::map<std::string, Value> parameters;
  // Input port -> "task" or "task.port". A port that is not named takes the port of the same name
  // from the closest task before this one that has it, or from the flow's own inputs
  // (network, dataset).
  std::map<std::string, std::string> inputs;
  // Tasks that must have ended before this one, beside those of `inputs`. Where both are empty the
  // flow is a line: a task follows the one before it in the list.
  std::vector<std::string> after;
  // K-tasks: branch name -> the task it leads to.
  std::map<std::string, std::string> edges;
  int line = 0;  // in the job file, for messages; 0 where unknown
};

struct Flow {
  std::string name;
  std::vector<FlowTask> tasks;
  std::map<std::string, Value> cfg;  // initial CFG
};

}  // namespace dovetail

#endif  // DOVETAIL_COMMON_DOMAIN_FLOW_H_
