#include "services/worker/tasks/describe_task.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/digest.h"
#include "common/base/status_macros.h"
#include "services/worker/nn/atomic_file.h"
#include "services/worker/nn/layer_shapes.h"
#include "services/worker/nn/network.h"
#include "services/worker/nn/onnx_reader.h"

namespace dovetail {
namespace {

constexpr char kSource[] = "dovetail describe";

class DescribeTask : public Task {
 public:
  absl::StatusOr<Measurement> Run(const TaskContext& context) override {
    const std::string file = context.InputFile("onnx");
    if (file.empty()) {
      return absl::InvalidArgumentError("describe needs the input \"onnx\": an ONNX file");
    }
    ASSIGN_OR_RETURN(const std::string bytes, nn::ReadWholeFile(file, size_t{256} << 20));
    ASSIGN_OR_RETURN_WITH(nn::Network network, nn::ReadOnnx(bytes), file);
    network.provenance.Set("source", Sha256Hex(bytes));
    const NetworkSummary summary = nn::Summarize(network);
    RETURN_IF_ERROR(nn::WriteNetworkFile(network, context.OutputFile("network")));
    RETURN_IF_ERROR(
        nn::WriteFileAtomically(context.OutputFile("summary"), {summary.ToValue().ToJson()}));
    Measurement measurement;
    int64_t parameters = 0;
    int64_t macs = 0;
    for (const LayerSummary& layer : summary.layers) {
      parameters += layer.parameter_count;
      macs += layer.mac_count;
    }
    measurement.Put("parameter_count", static_cast<double>(parameters), "count", kSource);
    measurement.Put("mac_count", static_cast<double>(macs), "count", kSource);
    measurement.Put("layer_count", static_cast<double>(summary.layers.size()), "count", kSource);
    measurement.log.Set("table", SummaryTable(summary));
    return measurement;
  }
};

}  // namespace

std::unique_ptr<Task> MakeDescribeTask() { return std::make_unique<DescribeTask>(); }

std::string SummaryTable(const NetworkSummary& summary) {
  size_t name_width = 5;
  for (const LayerSummary& layer : summary.layers) {
    name_width = std::max(name_width, layer.name.size());
  }
  const int width = static_cast<int>(name_width);
  std::string table = absl::StrFormat("%-*s  %-21s %-16s %10s %12s %6s\n", width, "layer", "kind",
                                      "shape", "parameters", "macs", "zeros");
  int64_t parameters = 0;
  int64_t macs = 0;
  for (const LayerSummary& layer : summary.layers) {
    parameters += layer.parameter_count;
    macs += layer.mac_count;
    absl::StrAppend(
        &table, absl::StrFormat("%-*s  %-21s %-16s %10d %12d %5.1f%%\n", width, layer.name,
                                layer.kind, nn::ShapeText(layer.output_shape),
                                layer.parameter_count, layer.mac_count, 100 * layer.zero_fraction));
  }
  absl::StrAppend(&table, absl::StrFormat("%-*s  %-21s %-16s %10d %12d\n", width, "sum", "", "",
                                          parameters, macs));
  return table;
}

}  // namespace dovetail
