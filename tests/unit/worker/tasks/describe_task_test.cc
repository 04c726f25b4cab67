#include "services/worker/tasks/describe_task.h"

#include <filesystem>
#include <fstream>

#include "services/worker/nn/atomic_file.h"
#include "services/worker/nn/network.h"
#include "tests/support/networks.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace dovetail {
namespace {

using ::dovetail::testing::StatusIs;
using ::testing::HasSubstr;

TaskContext ContextFor(const std::string& onnx) {
  TaskContext context;
  context.output_directory = ::dovetail::testing::ScratchDirectory() + "/describe_task_test";
  std::filesystem::remove_all(context.output_directory);
  std::filesystem::create_directories(context.output_directory);
  context.input_files["onnx"] = onnx;
  context.parameters = Value(Value::Map());
  return context;
}

TEST(DescribeTaskTest, JetNetworkFromKeras) {
  const std::string onnx =
      std::string(DOVETAIL_SOURCE_DIR) + "/../shared/models/three_layer_keras.onnx";
  if (!std::filesystem::exists(onnx)) GTEST_SKIP() << onnx << " is not on this machine";
  const TaskContext context = ContextFor(onnx);
  ASSERT_OK_AND_ASSIGN(const Measurement measurement, MakeDescribeTask()->Run(context));
  EXPECT_EQ(measurement.Get("mac_count"), 16 * 64 + 64 * 32 + 32 * 32 + 32 * 5);
  ASSERT_OK_AND_ASSIGN(const nn::Network network,
                       nn::ReadNetworkFile(context.OutputFile("network")));
  ASSERT_OK_AND_ASSIGN(const std::string json, nn::ReadWholeFile(context.OutputFile("summary")));
  ASSERT_OK_AND_ASSIGN(const Value value, Value::FromJson(json));
  ASSERT_OK_AND_ASSIGN(const NetworkSummary summary, NetworkSummary::FromValue(value));
  EXPECT_EQ(summary, nn::Summarize(network));
}

TEST(DescribeTaskTest, FileThatIsNoOnnxIsNamedAndNothingIsWritten) {
  const std::string file = ::dovetail::testing::ScratchDirectory() + "/describe_task_test.txt";
  std::ofstream(file) << "no model";
  const TaskContext context = ContextFor(file);
  EXPECT_THAT(MakeDescribeTask()->Run(context),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not an ONNX file")));
  EXPECT_TRUE(std::filesystem::is_empty(context.output_directory));
}

TEST(DescribeTaskTest, TableHasALinePerLayerAndTheSum) {
  const nn::Network network = testing::DenseNetwork({16, 64, 5}, 1);
  const std::string table = SummaryTable(nn::Summarize(network));
  EXPECT_THAT(table, HasSubstr("fc1"));
  EXPECT_THAT(table, HasSubstr("1344"));  // 16 * 64 + 64 * 5 multiply-accumulates
}

}  // namespace
}  // namespace dovetail
