// Learnt bit widths and the network types made of them. Called from bit learning only.
#ifndef DOVETAIL_SERVICES_WORKER_TRAIN_LEARNT_BITS_H_
#define DOVETAIL_SERVICES_WORKER_TRAIN_LEARNT_BITS_H_

#include <algorithm>
#include <cmath>
#include <vector>

#include "services/worker/nn/network.h"
#include "services/worker/train/dense_model.h"
#include "services/worker/train/quantizer.h"

namespace dovetail::train {

// Fraction bits are learnt as real numbers and used rounded.
inline int Rounded(float bits) { return static_cast<int>(std::lround(bits)); }

// Bits left of the point of a magnitude, the sign not counted; very small for 0.
int MagnitudeBits(double value);

// Learnt fraction bits of the channels of one tensor, and their integer bits.
struct ChannelBits {
  std::vector<float> fraction;
  std::vector<int> integer;  // sign included where signed
  bool is_signed = false;

  double Width(size_t channel) const {
    return std::max(0, integer[channel] + Rounded(fraction[channel]));
  }
  // Of all channels; those without bits are always 0.
  std::vector<Quantizer> Quantizers() const;
  nn::TensorType Types(Quantization quantization) const;
};

struct LearntBits {
  ChannelBits input;
  std::vector<ChannelBits> results;               // per stage; of the relu
  std::vector<std::vector<int>> weight_fraction;  // per stage, per element of its kernel
};

// Writes types, masks and (float) weights into the network `model` was read from: weights that
// round to 0, and all from and to results without bits, are pruned.
// Precondition: every stage but the last has a relu.
void WriteLearntTypes(const LearntBits& bits, DenseModel& model, nn::Network& network);

}  // namespace dovetail::train

#endif  // DOVETAIL_SERVICES_WORKER_TRAIN_LEARNT_BITS_H_
