// The trainer of any layers, over the libtorch module.
#include <dlfcn.h>

#include <filesystem>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/worker/train/fitting.h"
#include "services/worker/train/graph_model.h"
#include "services/worker/train/trainer.h"

namespace dovetail::train {
namespace {

// The module lies beside the executable.
absl::StatusOr<MakeTorchNet> LoadModule() {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string file = (self.parent_path() / kTorchModuleName).string();
  void* const module = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("this network's layers are trained by libtorch, and its module cannot be "
                     "loaded: ",
                     dlerror()));
  }
  const auto make = reinterpret_cast<MakeTorchNet>(dlsym(module, kMakeTorchNetSymbol));
  if (make == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat(file, " is not of this version"));
  }
  return make;
}

class GraphTrainer final : public Trainer {
 public:
  std::string name() const override { return "torch"; }

  absl::StatusOr<TrainResult> Fit(const nn::Split& train, const nn::Split& validation,
                                  const TrainOptions& options, nn::Network& network) override {
    RETURN_IF_ERROR(CheckOptions(options, network));
    RETURN_IF_ERROR(CheckSplit(network, train, "train"));
    RETURN_IF_ERROR(CheckSplit(network, validation, "validation"));
    ASSIGN_OR_RETURN(GraphModel model, ReadGraphModel(network));
    model.plan.thread_count = options.thread_count;
    ASSIGN_OR_RETURN(const MakeTorchNet make, LoadModule());
    std::string error;
    const std::unique_ptr<GradientNet> net(make(model.plan, error));
    if (net == nullptr) return absl::InternalError(absl::StrCat("libtorch: ", error));
    const InputRows train_rows(train, model.input_type);
    const InputRows validation_rows(validation, model.input_type);
    TrainResult result;
    try {
      result = Fitting(options, train_rows, validation_rows, *net, model.blocks).Run();
    } catch (const std::exception& thrown) {  // libtorch throws; it may be out of memory
      return absl::ResourceExhaustedError(absl::StrCat("libtorch: ", thrown.what()));
    }
    WriteParameterBlocks(model.blocks, network);
    return result;
  }
};

}  // namespace

std::unique_ptr<Trainer> MakeGraphTrainer() { return std::make_unique<GraphTrainer>(); }

}  // namespace dovetail::train
