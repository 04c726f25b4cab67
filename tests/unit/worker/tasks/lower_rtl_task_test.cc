#include "services/worker/tasks/lower_rtl_task.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "common/domain/task_info.h"
#include "services/worker/hardware/design_json.h"
#include "services/worker/nn/atomic_file.h"
#include "services/worker/nn/network.h"
#include "services/worker/rtl/verilog_printer.h"
#include "tests/support/quantized_networks.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace dovetail {
namespace {

using ::dovetail::testing::StatusIs;
using ::testing::HasSubstr;

class LowerRtlTaskTest : public ::testing::Test {
 protected:
  absl::StatusOr<Measurement> Run(const nn::Network& network, Value parameters) {
    EXPECT_OK(nn::WriteNetworkFile(network, directory_ / "network"));
    TaskContext context;
    context.input_files = {{"network", directory_ / "network"}};
    context.output_directory = directory_ / "out";
    std::filesystem::create_directories(context.output_directory);
    auto canonical = CanonicalParameters(**FindTaskInfo("lower_rtl"), parameters);
    EXPECT_OK(canonical);
    context.parameters = *canonical;
    return MakeLowerRtlTask()->Run(context);
  }

  testing::TempDir directory_;
  nn::Network network_ = testing::QuantizedDenseNetwork({4, 6, 3}, 9, {});
};

TEST_F(LowerRtlTaskTest, WritesVerilogAndADesignThatAgrees) {
  ASSERT_OK_AND_ASSIGN(const Measurement measured, Run(network_, Value(Value::Map{})));
  ASSERT_OK_AND_ASSIGN(const std::string json, nn::ReadWholeFile(directory_ / "out/design"));
  ASSERT_OK_AND_ASSIGN(const hardware::DesignSummary design, hardware::ParseDesignSummary(json));
  EXPECT_EQ(measured.Get("latency_cycles"), design.latency_cycles);
  EXPECT_EQ(measured.Get("latency_ns_at_target"), 5 * design.latency_cycles);
  EXPECT_GT(measured.Get("estimated_critical_path_ns"), 0.5);
  EXPECT_THAT(measured.metrics.at("estimated_critical_path_ns").source, HasSubstr("estimated"));
  EXPECT_EQ(design.output_types.size(), 3);
  ASSERT_OK_AND_ASSIGN(const std::string verilog, nn::ReadWholeFile(directory_ / "out/rtl"));
  const auto modules = rtl::SplitModules(verilog);
  EXPECT_TRUE(modules.contains("myproject"));
  EXPECT_TRUE(modules.contains("layer1_fc1"));
  EXPECT_TRUE(modules.contains("layer2_fc2"));
}

TEST_F(LowerRtlTaskTest, EveryMetricOfTheCatalogueIsMeasured) {
  ASSERT_OK_AND_ASSIGN(const Measurement measured, Run(network_, Value(Value::Map{})));
  for (const std::string& name : (*FindTaskInfo("lower_rtl"))->metrics) {
    EXPECT_TRUE(measured.Has(name)) << name;
  }
}

TEST_F(LowerRtlTaskTest, AnUnknownPartIsInfeasibleNotMissing) {
  EXPECT_THAT(Run(network_, Value(Value::Map{{"Part", "xcu25o"}})),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("xcu250")));
}

TEST_F(LowerRtlTaskTest, AnUnknownStrategyIsInfeasible) {
  EXPECT_THAT(Run(network_, Value(Value::Map{{"Strategy", "fastest"}})),
              StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("fastest")));
}

}  // namespace
}  // namespace dovetail
