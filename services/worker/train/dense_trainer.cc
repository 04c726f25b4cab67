// The trainer of dense chains.
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/worker/train/dense_net.h"
#include "services/worker/train/fitting.h"
#include "services/worker/train/trainer.h"

namespace dovetail::train {
namespace {

class DenseTrainer final : public Trainer {
 public:
  std::string name() const override { return "dense"; }

  absl::StatusOr<TrainResult> Fit(const nn::Split& train, const nn::Split& validation,
                                  const TrainOptions& options, nn::Network& network) override {
    RETURN_IF_ERROR(CheckOptions(options, network));
    RETURN_IF_ERROR(CheckSplit(network, train, "train"));
    RETURN_IF_ERROR(CheckSplit(network, validation, "validation"));
    ASSIGN_OR_RETURN(DenseModel model, ReadDenseModel(network));
    const int mantissa_bits = ExactMantissaBits(model);
    if (mantissa_bits > 53) {
      return absl::UnimplementedError(
          absl::StrCat("a sum of this network's types needs ", mantissa_bits,
                       " bits, retraining holds 53: use narrower types, or epochs: 0"));
    }
    const InputRows train_rows(train, model.input_type);
    const InputRows validation_rows(validation, model.input_type);
    DenseNet<float> narrow(model);
    DenseNet<double> wide(model);
    GradientNet& net = mantissa_bits > 24 ? static_cast<GradientNet&>(wide) : narrow;
    const TrainResult result =
        Fitting(options, train_rows, validation_rows, net, model.blocks).Run();
    WriteParameterBlocks(model.blocks, network);
    return result;
  }
};

}  // namespace

std::unique_ptr<Trainer> MakeDenseTrainer() { return std::make_unique<DenseTrainer>(); }

}  // namespace dovetail::train
