// How: weights are taken as normal, fitted to their range by a power of two, the smallest pruned.
// The chance of each odd constant then gives the expected number of distinct products per input
// (each costs its signed digits less one in adders, or a DSP by the multiplier rule), and the
// expected nonzero weights give the trees. The coefficients in kFit were fitted on designs of this
// repository's own lowering; docs/decisions/0803 has the errors on designs left out.
#include "common/hardware/open_path_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/hardware/delay_model.h"
#include "common/hardware/device_catalogue.h"

namespace dovetail::hardware {
namespace {

constexpr int kMaxEnumeratedBits = 9;  // wider weights hardly repeat: extrapolated
constexpr double kMinMultiplierBits = 11;
constexpr double kMinMultiplierDigits = 3;

// LUTs of: a bit of a product's adder; a tree's adder, and for each bit of its inputs and of the
// weights; a bit of a result. Register bits of: a result bit; a bit of a sum cut in its tree.
struct Fit {
  double product_bit = 0.494;
  double tree = -2.659;
  double tree_input_bit = 1.085;
  double tree_weight_bit = 0.859;
  double result_bit = 1.089;
  double result_register = 0.957;
  double cut_register = 0.233;
};
constexpr Fit kFit;

int SignedDigits(uint32_t value) { return __builtin_popcount(value ^ (value * 3)); }

// Upper tail of the standard normal.
double Tail(double z) { return 0.5 * std::erfc(z / std::sqrt(2.0)); }

// z with P(|w| > z) = kept, by bisection.
double Threshold(double kept) {
  double low = 0;
  double high = 8;
  for (int step = 0; step < 30; ++step) {
    const double middle = (low + high) / 2;
    (2 * Tail(middle) > kept ? low : high) = middle;
  }
  return low;
}

double At(const std::vector<double>& values, size_t index) {
  return values.size() == 1 ? values[0] : values[index];
}

// The chance of each odd part of a weight.
struct WeightChances {
  std::array<double, 1 << (kMaxEnumeratedBits - 1)> odd{};
  double nonzero = 0;
  double mean_log2 = 0;  // of the magnitude of nonzero weights
  int top = 0;           // largest magnitude enumerated
  double more_bits = 0;  // of the weights beyond those enumerated
};

WeightChances ChancesOf(const LayerSummary& layer, double kept_fraction, double weight_bits) {
  WeightChances chances;
  const double kept = std::clamp(kept_fraction, 0.0, 1.0) * (1 - layer.zero_fraction);
  const int bits = std::clamp(static_cast<int>(std::lround(weight_bits)), 2, kMaxEnumeratedBits);
  chances.top = (1 << (bits - 1)) - 1;
  chances.more_bits = std::max(0.0, weight_bits - kMaxEnumeratedBits);
  // The largest of n_in * n_out normal weights lies, on average, at three quarters of its type.
  const double weights = static_cast<double>(layer.n_in) * static_cast<double>(layer.n_out);
  const double sigma = 0.75 * (chances.top + 1) / std::sqrt(2 * std::log(std::max(3.0, weights)));
  const double threshold_z = Threshold(kept);
  for (int m = 1; m <= chances.top; ++m) {
    const double from = std::max((m - 0.5) / sigma, threshold_z);
    const double to = m == chances.top ? 9.0 : (m + 0.5) / sigma;
    if (to <= from) continue;
    const double chance = 2 * (Tail(from) - Tail(to));
    chances.nonzero += chance;
    chances.mean_log2 += chance * std::log2(m);
    int odd = m;
    while (odd % 2 == 0) odd /= 2;
    chances.odd[odd] += chance;
  }
  if (chances.nonzero > 0) chances.mean_log2 /= chances.nonzero;
  chances.mean_log2 += chances.more_bits;
  return chances;
}

double AnyOf(double chance, double count) {
  return 1 - std::pow(1 - std::clamp(chance, 0.0, 1.0), std::max(0.0, count));
}

// Products of the layer's inputs by distinct odd constants: shift-add or multiplier.
void CountProducts(const WeightChances& chances, OpenPathLayer& layer) {
  for (int odd = 1; odd <= chances.top; odd += 2) {
    if (chances.odd[odd] <= 0) continue;
    // Odd constants of wider weights are all distinct and have a digit more for three bits.
    const double used =
        layer.inputs * (chances.more_bits > 0 ? layer.outputs * chances.odd[odd]
                                              : AnyOf(chances.odd[odd], layer.outputs));
    const double digits = SignedDigits(static_cast<uint32_t>(odd)) + chances.more_bits / 3;
    const double constant_bits = std::floor(std::log2(odd)) + 1 + chances.more_bits;
    if (std::max(layer.input_bits, constant_bits) >= kMinMultiplierBits &&
        digits >= kMinMultiplierDigits - 0.4) {
      layer.multipliers += used;
      continue;
    }
    layer.product_adders += used * (digits - 1);
    layer.product_adder_bits += used * (digits - 1) * (layer.input_bits + 0.5 * constant_bits);
  }
}

double LayerLuts(const OpenPathLayer& layer, double weight_bits, double port_bits) {
  return kFit.product_bit * layer.product_adder_bits +
         layer.tree_adders * std::max(1.0, kFit.tree + kFit.tree_input_bit * layer.input_bits +
                                               kFit.tree_weight_bit * weight_bits) +
         kFit.result_bit * layer.outputs * port_bits;
}

absl::Status CheckVectors(const OpenPathKnobs& knobs, size_t count) {
  for (const std::vector<double>* vector :
       {&knobs.kept_fraction, &knobs.weight_bits, &knobs.activation_bits}) {
    if (vector->size() != 1 && vector->size() != count) {
      return absl::InvalidArgumentError(
          absl::StrCat("a knob has ", vector->size(), " values for ", count, " layers"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<OpenPathLayer>> DescribeOpenPath(const NetworkSummary& network,
                                                            const OpenPathKnobs& knobs) {
  std::vector<const LayerSummary*> layers;
  for (const LayerSummary& layer : network.layers) {
    if (layer.n_in == 0) continue;
    if (layer.kind != "dense") {
      return absl::UnimplementedError(
          absl::StrCat("layer \"", layer.name, "\": no estimate for ", layer.kind, " yet"));
    }
    layers.push_back(&layer);
  }
  const size_t count = layers.size();
  RETURN_IF_ERROR(CheckVectors(knobs, count));
  std::vector<WeightChances> chances;
  for (size_t i = 0; i < count; ++i) {
    chances.push_back(ChancesOf(*layers[i], At(knobs.kept_fraction, i), At(knobs.weight_bits, i)));
  }
  // Outputs nobody reads, from the back; outputs without a weight, from the front.
  std::vector<OpenPathLayer> described(count);
  for (size_t i = count; i-- > 0;) {
    described[i].outputs = static_cast<double>(layers[i]->n_out);
    if (i + 1 < count) {
      described[i].outputs *= AnyOf(chances[i + 1].nonzero, described[i + 1].outputs);
    }
  }
  double inputs = count > 0 ? static_cast<double>(layers[0]->n_in) : 0;
  double input_bits = knobs.input_bits > 0 ? knobs.input_bits : At(knobs.activation_bits, 0);
  for (size_t i = 0; i < count; ++i) {
    OpenPathLayer& layer = described[i];
    layer.inputs = inputs;
    layer.input_bits = input_bits;
    CountProducts(chances[i], layer);
    layer.tree_adders = inputs * layer.outputs * chances[i].nonzero;  // less one a row, and a bias
    layer.outputs *= AnyOf(chances[i].nonzero, inputs);
    layer.terms = layer.tree_adders / std::max(1e-9, layer.outputs) + 1;
    layer.sum_bits = input_bits + chances[i].mean_log2 + 0.5 * std::log2(layer.terms);
    inputs = layer.outputs;
    input_bits = At(knobs.activation_bits, i) - 1;  // ReLU drops the sign
  }
  return described;
}

absl::StatusOr<OpenPathEstimate> EstimateOpenPath(const NetworkSummary& network,
                                                  absl::string_view part,
                                                  const OpenPathKnobs& knobs) {
  ASSIGN_OR_RETURN(const Device* device, FindDevice(part));
  ASSIGN_OR_RETURN(const std::vector<OpenPathLayer> layers, DescribeOpenPath(network, knobs));
  const DelayModel delays = DelayModelOf(device->family);
  const double period_ps = 1000 * knobs.clock_period_ns * (1 - knobs.clock_uncertainty_fraction) -
                           delays.clock_to_q_ps - delays.setup_ps;
  OpenPathEstimate estimate;
  for (size_t i = 0; i < layers.size(); ++i) {
    const OpenPathLayer& one = layers[i];
    const bool last = i + 1 == layers.size();
    const double port_bits = At(knobs.activation_bits, i) - (last ? 0 : 1);
    estimate.dsp += one.multipliers;
    estimate.lut += LayerLuts(one, At(knobs.weight_bits, i), port_bits);
    const double adder_ps = delays.AdderPs(static_cast<int>(one.sum_bits), 2);
    const double levels = std::log2(std::max(1.0, one.terms)) + (one.product_adders > 0 ? 1.5 : 0);
    const double logic_ps = levels * adder_ps + 2 * delays.LutLevelPs(4);
    const double stages = std::max(1.0, std::ceil(logic_ps / std::max(1.0, period_ps)));
    const double cycles = stages + (one.multipliers > 1 ? 1 : 0);
    estimate.latency_cycles += cycles;
    // Partial sums alive at a cut grow with the root of the terms: cuts lie inside the trees.
    estimate.ff +=
        kFit.result_register * one.outputs * port_bits +
        kFit.cut_register * (cycles - 1) * one.outputs * one.sum_bits * std::sqrt(one.terms);
  }
  return estimate;
}

}  // namespace dovetail::hardware
