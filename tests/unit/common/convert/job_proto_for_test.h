// A legal job that tests bend.
#ifndef DOVETAIL_TESTS_UNIT_COMMON_CONVERT_JOB_PROTO_FOR_TEST_H_
#define DOVETAIL_TESTS_UNIT_COMMON_CONVERT_JOB_PROTO_FOR_TEST_H_

#include <google/protobuf/text_format.h>

#include <string>

#include "dovetail/v1/job.pb.h"

namespace dovetail::convert {

inline v1::JobSpec LegalJob() {
  v1::JobSpec job;
  google::protobuf::TextFormat::ParseFromString(
      R"pb(
        name: "jets"
        part: "xcu250-figd2104-2L-e"
        flow {
          tasks {
            task: "prune"
            params {
              fields {
                key: "rate"
                value { string_value: "= rate" }
              }
            }
            line: 7
          }
          tasks { task: "quantize" }
          tasks { task: "evaluate" }
        }
        space {
          variables { name: "rate" type: VARIABLE_TYPE_CONTINUOUS min: 0.3 max: 0.9 }
          variables { name: "bits" type: VARIABLE_TYPE_INTEGER min: 3 max: 8 }
          variables {
            name: "scope"
            type: VARIABLE_TYPE_CATEGORICAL
            levels { string_value: "layer" }
            levels { string_value: "global" }
          }
        }
        objectives { metric: "accuracy" goal: GOAL_MAXIMIZE }
        objectives { metric: "lut" goal: GOAL_MINIMIZE }
        constraints { metric: "accuracy" at_least: -0.02 relative_to: "float_network" }
        budget { trials: 10 }
        references {
          name: "baseline"
          cfg {
            fields {
              key: "quantize.epochs"
              value { number_value: 0 }
            }
          }
          skip: "prune"
        }
      )pb",
      &job);
  job.mutable_network()->set_digest(std::string(64, 'a'));
  job.mutable_dataset()->set_digest(std::string(64, 'b'));
  return job;
}

}  // namespace dovetail::convert

#endif  // DOVETAIL_TESTS_UNIT_COMMON_CONVERT_JOB_PROTO_FOR_TEST_H_
