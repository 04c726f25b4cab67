#include "services/coordinator/flow/expression.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace dovetail::flow {
namespace {

using ::testing::_;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::StatusIs;

absl::StatusOr<Value> Evaluate(const std::string& text, const std::map<std::string, Value>& names) {
  auto expression = Expression::Compile(text);
  if (!expression.ok()) return expression.status();
  return (*expression)->Evaluate([&](const std::string& name) -> std::optional<Value> {
    const auto it = names.find(name);
    if (it == names.end()) return std::nullopt;
    return it->second;
  });
}

const std::map<std::string, Value> kNames = {{"rate", 0.25},
                                             {"bits", Value::List{4, 6, 8}},
                                             {"order", Value::List{"P", "Q"}},
                                             {"step", 1},
                                             {"strategy", "latency"},
                                             {"on", true},
                                             {"evaluate.accuracy", 0.76}};

TEST(ExpressionTest, CalculatesWithNamesAndFunctions) {
  const std::map<std::string, double> cases = {
      {"1 + 2 * 3", 7},
      {"rate * 4", 1},
      {"2^3 - 1e-3 * 1000", 7},
      {"max(bits[0], bits[2]) + min(3, 2)", 10},
      {"mod(7, 4) + floor(2.9) + ceil(0.1) + round(0.5)", 7},
      {"bits[step]", 6},
      {"rate > 0.2 and not (evaluate.accuracy < 0.7)", 1},
      {"rate > 0.3 or on", 1},
      {"on ? 5 : 6", 5},
      {"strategy == 'latency' ? 1 : 2", 1},
      {"strategy != \"resource\"", 1},
      {"order[step] == 'P'", 0},
      {"strategy == order[0]", 0},
  };
  for (const auto& [text, expected] : cases) {
    ASSERT_OK_AND_ASSIGN(const Value value, Evaluate(text, kNames));
    EXPECT_EQ(value, Value(expected)) << text;
  }
}

TEST(ExpressionTest, SingleNameGivesItsValueAsItIs) {
  EXPECT_EQ(*Evaluate(" bits ", kNames), Value(Value::List{4, 6, 8}));
  EXPECT_EQ(*Evaluate("strategy", kNames), Value("latency"));
  EXPECT_EQ(*Evaluate("on", kNames), Value(true));
}

TEST(ExpressionTest, ChoosesBetweenStrings) {
  EXPECT_EQ(*Evaluate("rate > 0.5 ? 'resource' : strategy", kNames), Value("latency"));
}

TEST(ExpressionTest, NamesEachOnceInOrder) {
  ASSERT_OK_AND_ASSIGN(const auto expression, Expression::Compile("b + a * b + c[d] + sqrt(e.f)"));
  EXPECT_THAT(expression->names(), ElementsAre("b", "a", "c", "d", "e.f"));
}

TEST(ExpressionTest, MalformedTextIsInvalidArgument) {
  for (const char* text : {"", "1 +", "(1", "1)", "a = 3", "a; b", "1, 2", "'open", "a[1", "f(1)",
                           "$HOME", "`ls`", "a b"}) {
    EXPECT_THAT(Expression::Compile(text),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expression")))
        << text;
  }
  EXPECT_FALSE(Expression::Compile(std::string(100, '(') + "1" + std::string(100, ')')).ok());
  EXPECT_FALSE(Expression::Compile(std::string(5000, '1')).ok());
}

TEST(ExpressionTest, BadValuesAreErrorsNotNumbers) {
  EXPECT_THAT(Evaluate("missing + 1", kNames), StatusIs(absl::StatusCode::kNotFound, _));
  for (const char* text : {"1 / (step - 1)", "bits + 1", "bits[3]", "bits[0.5]", "rate[0]",
                           "strategy + 1", "strategy * 2", "sqrt(-1)"}) {
    EXPECT_THAT(Evaluate(text, kNames), StatusIs(absl::StatusCode::kInvalidArgument, _)) << text;
  }
}

TEST(BindingTest, ReplacesExpressionsAnywhereInside) {
  ASSERT_OK_AND_ASSIGN(
      const Binding binding,
      Binding::Compile(Value::Map{{"a", Value::List{"= rate * 2", "text"}}, {"b", "= strategy"}}));
  EXPECT_FALSE(binding.is_literal());
  EXPECT_THAT(binding.names(), ElementsAre("rate", "strategy"));
  ASSERT_OK_AND_ASSIGN(const Value value, binding.Evaluate([](const std::string& name) {
    return std::optional<Value>(kNames.at(name));
  }));
  EXPECT_EQ(value.ToJson(), R"({"a":[0.5,"text"],"b":"latency"})");
}

}  // namespace
}  // namespace dovetail::flow
