#include "services/worker/fixedpoint/recurrent.h"

#include <algorithm>
#include <cmath>

namespace dovetail::fixedpoint {
namespace {

using Floats = std::vector<float>;

float Sigmoid(float x) { return 1.0f / (1.0f + std::exp(-x)); }

// sums += x * matrix, matrix [x.size() x sums.size()].
void Accumulate(const float* x, size_t count, const Floats& matrix, Floats& sums) {
  for (size_t i = 0; i < count; ++i) {
    const float* row = matrix.data() + i * sums.size();
    for (size_t j = 0; j < sums.size(); ++j) sums[j] += x[i] * row[j];
  }
}

void LstmStep(const Floats& gates, Floats& hidden, Floats& cell) {
  const size_t units = hidden.size();
  for (size_t u = 0; u < units; ++u) {
    cell[u] =
        Sigmoid(gates[units + u]) * cell[u] + Sigmoid(gates[u]) * std::tanh(gates[2 * units + u]);
    hidden[u] = Sigmoid(gates[3 * units + u]) * std::tanh(cell[u]);
  }
}

void GruStep(const Floats& inputs, const Floats& recurrent, Floats& hidden) {
  const size_t units = hidden.size();
  for (size_t u = 0; u < units; ++u) {
    const float update = Sigmoid(inputs[u] + recurrent[u]);
    const float reset = Sigmoid(inputs[units + u] + recurrent[units + u]);
    const float candidate = std::tanh(inputs[2 * units + u] + reset * recurrent[2 * units + u]);
    hidden[u] = update * hidden[u] + (1 - update) * candidate;
  }
}

}  // namespace

void RunRecurrentFloat(const nn::Layer& layer, const Floats& in, Floats& out) {
  const nn::Tensor& kernel = layer.parameters.at("kernel");
  const Floats& recurrent = layer.parameters.at("recurrent_kernel").values;
  const Floats& bias = layer.parameters.at("bias").values;
  const size_t channels = static_cast<size_t>(kernel.shape[0]);
  const size_t units = static_cast<size_t>(layer.attributes["units"].AsNumber());
  const bool all_steps = layer.attributes["return_sequences"].AsBool();
  Floats hidden(units, 0.0f);
  Floats cell(units, 0.0f);
  for (size_t step = 0; step * channels < in.size(); ++step) {
    Floats gates = bias;
    Accumulate(in.data() + step * channels, channels, kernel.values, gates);
    if (layer.op == nn::Op::kLstm) {
      Accumulate(hidden.data(), units, recurrent, gates);
      LstmStep(gates, hidden, cell);
    } else {
      Floats sums = layer.parameters.at("recurrent_bias").values;
      Accumulate(hidden.data(), units, recurrent, sums);
      GruStep(gates, sums, hidden);
    }
    if (all_steps) std::copy(hidden.begin(), hidden.end(), out.begin() + step * units);
  }
  if (!all_steps) std::copy(hidden.begin(), hidden.end(), out.begin());
}

}  // namespace dovetail::fixedpoint
