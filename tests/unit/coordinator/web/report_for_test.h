// A small finished job, as reports see it.
#ifndef DOVETAIL_TESTS_UNIT_COORDINATOR_WEB_REPORT_FOR_TEST_H_
#define DOVETAIL_TESTS_UNIT_COORDINATOR_WEB_REPORT_FOR_TEST_H_

#include <string>

#include "services/coordinator/web/job_report.h"

namespace dovetail::report {

inline Design MeasuredDesign(double accuracy, double dsp, double lut, bool feasible = true) {
  Design design{.feasible = feasible};
  design.measurement.Put("accuracy", accuracy, "fraction", "fixed point engine");
  design.measurement.Put("dsp", dsp, "count", "hardware IR");
  design.measurement.Put("lut", lut, "count", "yosys 0.23");
  design.measurement.Put("ff", lut / 2, "count", "yosys 0.23");
  design.measurement.Put("latency_cycles", 12, "cycles", "hardware IR");
  design.measurement.Put("initiation_interval_cycles", 1, "cycles", "hardware IR");
  design.measurement.Put("estimated_critical_path_ns", 4.25, "ns", "delay model");
  design.measurement.Put("latency_ns_at_target", 60, "ns", "hardware IR");
  return design;
}

inline JobReport SmallReport() {
  JobReport report;
  report.job_id = 7;
  report.spec.name = "jets";
  report.spec.part = "xcu250-figd2104-2L-e";
  report.spec.objectives = {{"accuracy", Goal::kMaximize}, {"lut", Goal::kMinimize}};
  report.spec.constraints = {
      {.metric = "accuracy", .at_least = -0.02, .relative_to = "float_network"}};
  report.spec.space.variables = {
      {.name = "rate"},
      {.name = "scope", .type = VariableType::kCategorical, .levels = {"layer", "a,b"}}};
  report.spec.flow.tasks = {{.name = "prune", .task = "prune", .parameters = {{"rate", "= rate"}}},
                            {.name = "evaluate", .task = "evaluate"}};
  report.state = JobState::kSucceeded;
  report.trials = {
      {.number = 1,
       .state = TrialState::kSucceeded,
       .point = {{"rate", 0.5}, {"scope", "layer"}},
       .designs = {MeasuredDesign(0.76, 4, 9000)}},
      {.number = 2,
       .state = TrialState::kInfeasible,
       .point = {{"rate", 0.9}, {"scope", "a,b"}},
       .designs = {MeasuredDesign(0.5, 0, 2000, false)}},
      {.number = 3,
       .state = TrialState::kSucceeded,
       .point = {{"rate", 0.75}, {"scope", "a,b"}},
       .designs = {MeasuredDesign(0.7525, 0, 6000)}},
      {.number = 4, .state = TrialState::kAbandoned, .point = {{"rate", 0.3}, {"scope", "layer"}}},
  };
  report.front = {{1, report.trials[0].designs[0], report.trials[0].point},
                  {3, report.trials[2].designs[0], report.trials[2].point}};
  SortFront(report.front);
  report.references = {{.number = -1,
                        .reference = "baseline",
                        .state = TrialState::kSucceeded,
                        .designs = {MeasuredDesign(0.7601, 1000, 60000)}},
                       {.number = -2,
                        .reference = "6-bit",
                        .state = TrialState::kSucceeded,
                        .designs = {MeasuredDesign(0.758, 0, 12000)}}};
  report.measured["float_network"].Put("accuracy", 0.76, "fraction", "float engine");
  report.tools["yosys"] = "0.23";
  report.version = "0.1.0";
  return report;
}

}  // namespace dovetail::report

#endif  // DOVETAIL_TESTS_UNIT_COORDINATOR_WEB_REPORT_FOR_TEST_H_
