#include "services/cli/progress.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>

namespace dovetail::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

v1::Job RunningJob() {
  v1::Job job;
  google::protobuf::TextFormat::ParseFromString(
      R"pb(
        state: JOB_STATE_RUNNING
        spec {
          budget { trials: 40 }
          objectives { metric: "accuracy" goal: GOAL_MAXIMIZE }
        }
        progress { trials_finished: 12 trials_feasible: 7 front_size: 2 }
        summary {
          fields {
            key: "references"
            value {
              struct_value {
                fields {
                  key: "float_network"
                  value {
                    struct_value {
                      fields {
                        key: "metrics"
                        value {
                          struct_value {
                            fields {
                              key: "accuracy"
                              value {
                                struct_value {
                                  fields {
                                    key: "value"
                                    value { number_value: 0.76 }
                                  }
                                }
                              }
                            }
                          }
                        }
                      }
                    }
                  }
                }
              }
            }
          }
        }
      )pb",
      &job);
  return job;
}

void AddDesign(v1::GetFrontResponse& front, double accuracy, double lut) {
  auto& metrics = *front.add_designs()->mutable_measurement()->mutable_metrics();
  metrics["accuracy"].set_value(accuracy);
  metrics["lut"].set_value(lut);
}

TEST(ProgressTest, LineHasTrialsFrontBestAndTimeLeft) {
  v1::GetFrontResponse front;
  AddDesign(front, 0.745, 2000);  // more than a point below
  AddDesign(front, 0.7563, 6025);
  AddDesign(front, 0.76, 9000);
  EXPECT_EQ(ProgressText(RunningJob(), front, 200),
            "running  12/40 trials, 7 feasible, front 2, best 6,025 LUT at 0.7563, 3:20 left");
}

TEST(ProgressTest, WithNothingNearTheFloatNetworkTheFirstObjectiveIsShown) {
  v1::GetFrontResponse front;
  AddDesign(front, 0.7, 2000);
  AddDesign(front, 0.71, 3000);
  EXPECT_EQ(BestText(RunningJob(), front), "accuracy 0.71");
}

TEST(ProgressTest, NothingYetIsNotInvented) {
  v1::Job job = RunningJob();
  job.clear_summary();
  const std::string line = ProgressText(job, v1::GetFrontResponse(), -1);
  EXPECT_THAT(line, Not(HasSubstr("best")));
  EXPECT_THAT(line, Not(HasSubstr("left")));
}

TEST(ProgressTest, TimeLeftGoesByTheRateSinceFollowingBegan) {
  EtaEstimate eta;
  EXPECT_LT(eta.Update(10, 40, 1'000), 0);  // resumed at ten: says nothing of the rate
  EXPECT_DOUBLE_EQ(eta.Update(12, 40, 5'000), 56);
  EXPECT_DOUBLE_EQ(eta.Update(40, 40, 61'000), 0);
}

class PrinterTest : public ::testing::Test {
 protected:
  std::string Printed() {
    std::fflush(file_);
    std::rewind(file_);
    std::string text(1000, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), file_));
    return text;
  }
  FILE* file_ = std::tmpfile();
};

TEST_F(PrinterTest, ElsewhereThanOnATerminalLinesComeOnChangeOnly) {
  ProgressPrinter printer(file_, false);
  printer.Show("1/40, 0:30 left", "1");
  printer.Show("1/40, 0:29 left", "1");
  printer.Show("2/40, 0:20 left", "2");
  EXPECT_EQ(Printed(), "1/40, 0:30 left\n2/40, 0:20 left\n");
}

TEST_F(PrinterTest, OnATerminalTheLineIsRewritten) {
  ProgressPrinter printer(file_, true);
  printer.Show("long line", "1");
  printer.Show("short", "2");
  printer.Say("stays");
  EXPECT_EQ(Printed(), "long line\r         \rshort\r     \rstays\n");
}

}  // namespace
}  // namespace dovetail::cli
