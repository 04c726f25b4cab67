#include "services/worker/hardware/subexpressions.h"

#include <gtest/gtest.h>

#include "common/base/rng.h"
#include "services/worker/hardware/design.h"
#include "tests/support/quantized_networks.h"
#include "tests/support/status_matchers.h"

namespace dovetail::hardware {
namespace {

using ::dovetail::testing::QuantizedDenseNetwork;

// Value of a row of terms for the graph's inputs.
int64_t ValueOf(const Graph& graph, const std::vector<Term>& terms,
                const std::vector<int64_t>& inputs) {
  const std::vector<int64_t> values = graph.Evaluate(inputs);
  int64_t sum = 0;
  for (const Term& term : terms) {
    sum += (term.negate ? -1 : 1) * (values[term.node] << term.shift);
  }
  return sum;
}

TEST(SubexpressionSharingTest, EveryRowKeepsItsSum) {
  Rng rng(5);
  for (int round = 0; round < 20; ++round) {
    Graph graph;
    std::vector<int> inputs;
    for (int i = 0; i < 6; ++i) inputs.push_back(graph.Input(i, {-32, 31}));
    std::vector<std::vector<Term>> rows(8);
    std::vector<std::vector<int64_t>> weights(8, std::vector<int64_t>(6));
    for (size_t r = 0; r < rows.size(); ++r) {
      for (size_t i = 0; i < 6; ++i) {
        weights[r][i] = static_cast<int64_t>(rng.Below(255)) - 127;
        for (const CsdDigit& digit : CsdDigits(weights[r][i])) {
          rows[r].push_back({inputs[i], digit.position, digit.negative});
        }
      }
    }
    size_t before = 0;
    for (const auto& row : rows) before += row.size();
    SubexpressionSharing(graph, 1).Share(rows);
    size_t after = graph.nodes().size() - 6;
    for (const auto& row : rows) after += row.size();
    EXPECT_LT(after, before);
    const std::vector<int64_t> x = {-32, 31, 5, -7, 0, 19};
    for (size_t r = 0; r < rows.size(); ++r) {
      int64_t expected = 0;
      for (size_t i = 0; i < 6; ++i) expected += weights[r][i] * x[i];
      EXPECT_EQ(ValueOf(graph, rows[r], x), expected);
    }
  }
}

TEST(SubexpressionSharingTest, DistributedArithmeticComputesTheReferenceWithFewerLutsAndNoDsp) {
  for (int bits : {4, 6, 8, 14}) {
    for (double kept : {0.08, 0.3, 1.0}) {
      SCOPED_TRACE(::testing::Message() << bits << " bits, kept " << kept);
      const nn::Network network = QuantizedDenseNetwork(
          {12, 16, 8}, bits, {.weight_bits = bits, .activation_bits = bits, .kept_fraction = kept});
      ASSERT_OK_AND_ASSIGN(const Design shared,
                           LowerNetwork(network, {.strategy = "distributed_arithmetic"}));
      ASSERT_OK_AND_ASSIGN(const Design plain, LowerNetwork(network, {}));
      EXPECT_EQ(shared.DspCount(), 0);
      if (plain.DspCount() == 0) {
        EXPECT_LE(shared.LutEstimate(), plain.LutEstimate());
      }
      Rng rng(bits);
      for (int n = 0; n < 100; ++n) {
        const std::vector<int64_t> input = testing::RandomRawInput(network, rng);
        ASSERT_EQ(shared.Evaluate(input), testing::RunSlowly(network, input));
      }
    }
  }
}

TEST(SubexpressionSharingTest, TheSameNetworkGivesTheSameDesign) {
  const nn::Network network = QuantizedDenseNetwork({12, 16, 8}, 3, {});
  const auto design = [&] {
    return LowerNetwork(network, {.strategy = "distributed_arithmetic"})->AdderBits();
  };
  EXPECT_EQ(design(), design());
}

}  // namespace
}  // namespace dovetail::hardware
